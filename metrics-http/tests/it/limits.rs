//! Each bound, gone just over: the refusal has its status and names the option that moves it.

use std::io::Write;
use std::time::Duration;

use metrics_core::{Options, SqlLimits};
use metrics_http::ServerOptions;

use crate::harness::{Answer, Server};

const GOOD: &str = r#"{"name":"a","value":1}"#;

/// Refused with this status, by the name of this option.
fn assert_refused(answer: &Answer, status: u16, option: &str) {
    assert_eq!(answer.status, status, "{option}: {}", answer.text());
    assert!(answer.message().contains(option), "{option}: {}", answer.message());
    let comes_again = matches!(status, 503 | 507);
    assert_eq!(answer.header("retry-after").is_some(), comes_again, "{option}: {answer:?}");
}

fn points(count: usize) -> String {
    let point = |number| format!(r#"{{"timestamp":{number},"name":"m","value":1}}"#);
    format!("[{}]", (0..count).map(point).collect::<Vec<_>>().join(","))
}

/// A good body of so many bytes.
fn padded(bytes: usize) -> String {
    GOOD.to_owned() + &" ".repeat(bytes - GOOD.len())
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_their_bounds_name_the_option() {
    let options = ServerOptions {
        body_limit_bytes: 1_000,
        inflated_limit_bytes: 2_000,
        body_memory_bytes: 3_000,
        ..ServerOptions::default()
    };
    let server = Server::with(options).await;
    assert_eq!(server.post(&padded(1_000)).await.status, 201);
    assert_refused(&server.post(&padded(1_001)).await, 413, "--body-limit");
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    for (bytes, status) in [(2_000, 201), (2_001, 413)] {
        let body = gzip(padded(bytes).as_bytes());
        let answer = server.send("POST", "/v1/metrics", &headers, &body).await;
        match status {
            201 => assert_eq!(answer.status, 201, "{}", answer.text()),
            _ => assert_refused(&answer, status, "--inflated-limit"),
        }
    }
    assert_eq!(server.points(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bodies_of_all_requests_share_one_memory() {
    let options = ServerOptions {
        body_limit_bytes: 64 << 10,
        inflated_limit_bytes: 1 << 20,
        body_memory_bytes: (1 << 20) + (64 << 10),
        ..ServerOptions::default()
    };
    let server = Server::with(options).await;
    // A body under way holds a part of it.
    let mut under_way = server.connect().await;
    let head = [("content-type", "application/json"), ("content-length", "65536")];
    under_way.write(&crate::harness::request("POST", "/v1/metrics", &head, &[b' '; 60 << 10])).await;
    let memory = async || server.get("/metrics").await.text().contains("\nmetrics_http_body_memory_bytes 65536\n");
    while !memory().await {}
    let body = gzip(padded(1 << 20).as_bytes());
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_refused(&server.send("POST", "/v1/metrics", &headers, &body).await, 503, "--body-memory");
    drop(under_way);
    while memory().await {}
    assert_eq!(server.send("POST", "/v1/metrics", &headers, &body).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_over_the_store_s_bounds_name_the_option() {
    let store = Options { max_labels: 2, max_series: 3, batch_points: 10, max_keys: 1, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    assert_eq!(server.post(&points(10)).await.status, 201);
    assert_refused(&server.post(&points(11)).await, 413, "--batch-points");
    assert_eq!(server.post(r#"{"name":"a","value":1,"labels":{"x":"1","y":"1"}}"#).await.status, 201);
    let many = r#"{"name":"a","value":1,"labels":{"x":"1","y":"1","z":"1"}}"#;
    assert_refused(&server.post(many).await, 400, "--max-labels");
    assert_eq!(server.post(GOOD).await.status, 201);
    assert_refused(&server.post(r#"{"name":"b","value":1}"#).await, 429, "--max-series");
    assert_eq!(server.post(GOOD).await.status, 201, "a series that is there takes points all the same");
    let keyed =
        async |key: &str| server.send("POST", "/v1/metrics", &[("idempotency-key", key)], GOOD.as_bytes()).await;
    assert_eq!(keyed("one").await.status, 201);
    assert_refused(&keyed("two").await, 503, "--max-keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_over_their_bounds_name_the_option() {
    let store = Options { max_cells: 5, max_raw_rows: 50, max_promql_values: 20, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    assert_eq!(server.post(&points(10)).await.status, 201);
    let asked = "/v1/query?name=m&from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:10Z&per";
    assert_eq!(server.get(&format!("{asked}=2s")).await.status, 200);
    assert_refused(&server.get(&format!("{asked}=1s")).await, 400, "--max-windows");
    assert_eq!(server.post(&points(60)).await.status, 201);
    let all = "/v1/query?name=m&from=1970-01-01&to=1970-01-02&per=raw";
    assert_refused(&server.get(all).await, 400, "--max-points-per-query");
    let promql = "/api/v1/query_range?query=m%2B0&start=0&end=9&step=0.1";
    assert_refused(&server.get(promql).await, 422, "--max-promql-values");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_is_ended() {
    let store = Options { query_timeout: Duration::from_nanos(1), ..Options::default() };
    let options = ServerOptions { query_timeout: Duration::from_nanos(1), ..ServerOptions::default() };
    let server = Server::with_store(options, store).await;
    assert_eq!(server.post(&points(10)).await.status, 201);
    for target in ["/v1/query?name=m&from=1970-01-01&to=1970-01-02", "/api/v1/query?query=m&time=5"] {
        let answer = server.get(target).await;
        assert_eq!(answer.status, 503, "{target}: {}", answer.text());
        assert!(answer.message().contains("--query-timeout"), "{target}: {}", answer.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_over_their_bounds_name_the_option() {
    let sql = SqlLimits { timeout: Duration::from_millis(300), max_rows: 5, max_bytes: 50_000 };
    let options = ServerOptions { sql: Some(sql), ..ServerOptions::default() };
    let server = Server::with_store(options, Options { sql: true, ..Options::default() }).await;
    assert_eq!(server.post(&points(1_000)).await.status, 201);
    let ask = async |statement: &str| server.post_as("/v1/sql", "application/sql", statement.as_bytes()).await;
    assert_eq!(ask("SELECT value FROM points LIMIT 5").await.status, 200);
    assert_refused(&ask("SELECT value FROM points LIMIT 6").await, 400, "--sql-rows");
    assert_refused(&ask(&format!("SELECT '{}' FROM points LIMIT 5", "x".repeat(12_000))).await, 400, "--sql-memory");
    let slow = "SELECT sum(a.value * b.value * c.value) FROM points a, points b, points c";
    assert_refused(&ask(slow).await, 504, "--sql-timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_exports_over_their_number_name_the_option() {
    let options = ServerOptions { max_streams: 1, export_limit_bytes: 3_000, ..ServerOptions::default() };
    let server = Server::with(options).await;
    assert_eq!(server.post(&points(10)).await.status, 201);
    let mut first = server.connect().await;
    first.write(&crate::harness::request("GET", "/v1/stream?name=m", &[], b"")).await;
    assert_eq!(first.answer(true).await.status, 200);
    assert_refused(&server.get("/v1/stream?name=m").await, 503, "--max-streams 1");
    drop(first);
    let numbers: Vec<String> =
        (0..2_000).map(|n| format!(r#"{{"timestamp":{n},"name":"n","value":{}}}"#, n * n)).collect();
    assert_eq!(server.post(&format!("[{}]", numbers.join(","))).await.status, 201);
    assert_refused(&server.get("/v1/export.parquet?name=n").await, 400, "--export-limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_wait_for_a_disk_with_room_and_reads_do_not() {
    let store = Options { min_free_disk_bytes: u64::MAX / 2, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    let refused = server.post(GOOD).await;
    assert_refused(&refused, 507, "--min-free-disk");
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_refused(&server.post_as("/api/v2/write", "text/plain", b"m value=1").await, 507, "--min-free-disk");
    assert_refused(&server.get("/v1/export.parquet?name=m").await, 507, "--min-free-disk");
    for target in ["/v1/query?name=m", "/v1/series", "/health"] {
        assert_eq!(server.get(target).await.status, 200, "{target}");
    }
    let figures = server.get("/metrics").await;
    assert!(
        figures.text().contains("metrics_http_writes_rejected_total{reason=\"no_space\"} 2\n"),
        "{}",
        figures.text()
    );
    assert!(figures.text().contains("\nmetrics_store_disk_free_bytes "), "{}", figures.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn json_a_hundred_thousand_deep_is_refused_where_it_gets_too_deep() {
    let server = Server::start().await;
    for open in ["[", r#"{"labels":"#, r#"{"resourceMetrics":["#] {
        let body = open.repeat(100_000);
        let answer = server.post(&body).await;
        assert_eq!(answer.status, 400, "{open}: {}", answer.text());
        assert!(answer.body.len() < 1_000, "{}", answer.text());
    }
    assert_eq!(server.post(GOOD).await.status, 201);
}
