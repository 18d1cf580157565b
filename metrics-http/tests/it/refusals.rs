//! What is refused: each with its status, a message that says what and where, and nothing stored.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use metrics_core::Options;
use metrics_http::ServerOptions;
use tokio::time::timeout;

use crate::harness::{Answer, PATIENCE, Server, request};

const GOOD: &str = r#"{"name":"a","value":1}"#;

fn refused(server: &Server, answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let message = answer.message();
    for word in words {
        assert!(message.contains(word), "\"{word}\" is missing in: {message}");
    }
    assert_eq!((server.points(), server.engine.metric_names().len()), (0, 0), "nothing is stored: {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_points_are_refused_with_their_place() {
    let server = Server::start().await;
    let long = format!(r#"{{"name":"{}","value":1}}"#, "n".repeat(256));
    let second = format!(r#"[{GOOD},{{"name":"a","value":"NaN"}}]"#);
    for (body, words) in [
        ("temperature=30", &["body"][..]),
        (r#"{"name":"a","value":1"#, &[]),
        ("", &["empty"]),
        (r#"{"name":"a"}"#, &["value"]),
        (r#"{"value":1}"#, &["name"]),
        (r#"{"name":"a","value":1,"timestamp":"2024-02-30"}"#, &["timestamp", "2024-02-30"]),
        (r#"{"name":"a","value":NaN}"#, &[]),
        (r#"{"name":"a","value":"NaN"}"#, &["value", "finite"]),
        (r#"{"name":"a","value":1e400}"#, &["value"]),
        (r#"{"name":"","value":1}"#, &["name", "empty"]),
        (&long, &["name", "256", "255"]),
        (&second, &["index 1", "value"]),
        ("\"text\"", &[]),
        ("\u{0}", &[]),
    ] {
        refused(&server, &server.post(body).await, 400, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_row_refuses_all_and_is_listed() {
    let server = Server::start().await;
    let lines = format!("{GOOD}\n{GOOD}\n{{\"name\":\"a\"}}\n");
    let answer = server.post_as("/v1/metrics", "application/x-ndjson", lines.as_bytes()).await;
    refused(&server, &answer, 400, &["line 3", "value"]);
    assert_eq!(answer.json()["errors"][0]["line"], 3);
    assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(1));

    let csv = b"timestamp,name,value\n2024-02-02,a,1\n2024-02-02,a,one\n";
    let answer = server.post_as("/v1/metrics", "text/csv", csv).await;
    refused(&server, &answer, 400, &["line 3", "value", "one"]);

    let array = format!(r#"[{GOOD},{{"name":"a","value":null}},{{"value":1}}]"#);
    let answer = server.post(&array).await;
    refused(&server, &answer, 400, &["index 1", "index 2"]);
    assert_eq!(answer.json()["errors"][1]["index"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_types_are_refused() {
    let server = Server::start().await;
    let form = server.post_as("/v1/metrics", "application/x-www-form-urlencoded", GOOD.as_bytes()).await;
    refused(&server, &form, 415, &["Content-Type: application/json"]);
    for kind in ["text/plain", "application/xml", "application/json; charset=utf-16"] {
        let answer = server.post_as("/v1/metrics", kind, GOOD.as_bytes()).await;
        refused(&server, &answer, 415, &["not supported"]);
    }
    let answer = server.send("POST", "/v1/metrics", &[("content-encoding", "br")], GOOD.as_bytes()).await;
    refused(&server, &answer, 415, &["br", "gzip"]);
    assert_eq!(answer.header("accept-encoding"), Some("gzip, deflate, zstd"));
    let answer = server.send("POST", "/v1/metrics", &[("content-encoding", "gzip")], GOOD.as_bytes()).await;
    refused(&server, &answer, 400, &["Content-Encoding"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_mean_nothing_are_refused() {
    let server = Server::start().await;
    let csv = b"timestamp,value\n2024-02-02,1\n";
    for (target, kind, body, word) in [
        ("/v1/metrics?precision=s", "text/csv", &csv[..], "precision"),
        ("/v1/metrics?name=a&name=b", "text/csv", csv, "twice"),
        ("/v1/metrics?name=", "text/csv", csv, "empty"),
        ("/v1/metrics", "text/csv", csv, "name"),
        ("/v1/metrics?name=a", "application/json", GOOD.as_bytes(), "CSV and Arrow"),
    ] {
        refused(&server, &server.post_as(target, kind, body).await, 400, &[word]);
    }
    let long = "k".repeat(129);
    for key in ["", long.as_str()] {
        let answer = server.send("POST", "/v1/metrics", &[("idempotency-key", key)], GOOD.as_bytes()).await;
        refused(&server, &answer, 400, &["Idempotency-Key"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_are_told_the_right_ones() {
    let server = Server::start().await;
    for (method, target, allow) in [
        ("DELETE", "/v1/metrics", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/metrics", "GET, HEAD, POST"),
        ("POST", "/v1/query?name=a", "GET, HEAD"),
        ("PUT", "/ping", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/v1/metrics/a/day/2024-02-02/2024-02-03", "GET, HEAD"),
    ] {
        let answer = server.send(method, target, &[], b"{}").await;
        refused(&server, &answer, 405, &[method, allow]);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_are_not_found() {
    let server = Server::start().await;
    for target in
        ["/v2/metrics", "/v1/metrics/", "/v1/metrics/a", "/page/none.js", "/page/..%2FCargo.toml", "/favicon.ico"]
    {
        refused(&server, &server.get(target).await, 404, &[]);
    }
    refused(&server, &server.send("POST", "/v1/write", &[], GOOD.as_bytes()).await, 404, &["/v1/write"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_are_refused_whole() {
    let server = Server::with(ServerOptions { body_limit_bytes: 1_000, ..ServerOptions::default() }).await;
    let large = format!("[{}]", vec![GOOD; 100].join(","));
    refused(&server, &server.post(&large).await, 413, &["1000 bytes"]);
    let chunks = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunked = [("transfer-encoding", "chunked")];
    let answer = server.send("POST", "/v1/metrics", &chunked, chunks.as_bytes()).await;
    refused(&server, &answer, 413, &["1000 bytes"]);
    let just = format!("{GOOD}{}", " ".repeat(1_000 - GOOD.len()));
    assert_eq!(server.post(&just).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_all_before_it_reads_sees_the_refusal() {
    let server = Server::start().await;
    let body = vec![b' '; 15 << 20];
    refused(&server, &server.send("POST", "/v1/metrics", &[], &body).await, 413, &["10485760 bytes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_refused() {
    let server = Server::start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![b' '; 64 << 20]).expect("a Vec takes everything");
    let gzip = gzip.finish().expect("a Vec takes everything");
    let zstd = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).expect("a Vec takes everything");
    for (coding, bomb) in [("gzip", gzip), ("zstd", zstd)] {
        assert!(bomb.len() < 100_000);
        let answer = server.send("POST", "/v1/metrics", &[("content-encoding", coding)], &bomb).await;
        refused(&server, &answer, 413, &["33554432 bytes after decompression"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_share_a_bounded_memory() {
    let (wire, plain) = (1 << 20, 64 << 10);
    let options = ServerOptions {
        body_limit_bytes: wire,
        inflated_limit_bytes: plain,
        body_memory_bytes: wire + plain,
        ..ServerOptions::default()
    };
    let server = Server::with(options).await;
    let mut first = server.connect().await;
    let length = wire.to_string();
    first.write(&request("POST", "/v1/metrics", &[("content-length", &length)], &vec![b' '; wire - 1])).await;
    let held = format!("\nmetrics_http_body_memory_bytes {wire}\n");
    let read = async { while !server.get("/metrics").await.text().contains(&held) {} };
    timeout(PATIENCE, read).await.expect("the server reads what was sent");
    let answer = server.post(&" ".repeat(2 * plain)).await;
    refused(&server, &answer, 503, &["memory"]);
    assert_eq!(answer.header("retry-after"), Some("1"));
    first.write(b" ").await;
    refused(&server, &first.answer(false).await, 413, &["65536 bytes after decompression"]);
    assert_eq!(server.post(GOOD).await.status, 201, "the memory came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_beyond_the_limit_are_refused_and_old_ones_go_on() {
    let store = Options { max_series: 2, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    assert_eq!(server.post(r#"[{"name":"a","value":1},{"name":"b","value":1}]"#).await.status, 201);
    let answer = server.post(r#"{"name":"c","value":1}"#).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.message().contains('2'), "{}", answer.message());
    assert_eq!(server.post(GOOD).await.status, 201);
    assert_eq!(server.points(), 3);
}
