//! InfluxDB's clients write here: line protocol, partial writes, the statement that they send first.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use metrics_core::{Options, Timestamp};
use metrics_http::ServerOptions;
use serde_json::json;

use crate::harness::{Answer, Server};

const BOTH: [&str; 2] = ["/write?db=d", "/api/v2/write?org=o&bucket=b"];
const PLAIN: &str = "text/plain; charset=utf-8";

/// Each series with its latest time and value and its number of points.
fn stored(server: &Server) -> Vec<String> {
    let series = server.engine.series(None, &[]);
    series.iter().map(|info| format!("{} {} {} {}", info.key, info.last, info.last_value, info.count)).collect()
}

async fn write(server: &Server, target: &str, lines: &str) -> Answer {
    server.post_as(target, PLAIN, lines.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_are_answered_with_204_by_both_calls() {
    for target in BOTH {
        let server = Server::start().await;
        let answer =
            write(&server, target, "cpu,host=a user=1.5,idle=98i,up=t,state=\"ok\" 1706874182099000000\n").await;
        assert_eq!((answer.status, answer.header("content-type")), (204, None), "{target}");
        assert_eq!(
            stored(&server),
            [
                "cpu_idle{host=\"a\"} 2024-02-02T11:43:02.099Z 98 1",
                "cpu_up{host=\"a\"} 2024-02-02T11:43:02.099Z 1 1",
                "cpu_user{host=\"a\"} 2024-02-02T11:43:02.099Z 1.5 1",
            ]
        );
        let figures = server.get("/metrics").await;
        for line in ["metrics_http_string_fields_skipped_total 1", "metrics_http_points_accepted_total 3"] {
            assert!(figures.text().contains(&format!("\n{line}\n")), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_have_the_precision_that_is_named() {
    let server = Server::start().await;
    for (at, (parameter, number)) in [
        ("", "1706874182099000000"),
        ("&precision=", "1706874182099000000"),
        ("&precision=ns", "1706874182099000000"),
        ("&precision=n", "1706874182099000000"),
        ("&precision=us", "1706874182099000"),
        ("&precision=u", "1706874182099000"),
        ("&precision=ms", "1706874182099"),
        ("&precision=s", "1706874182"),
    ]
    .into_iter()
    .enumerate()
    {
        for target in BOTH {
            let answer = write(&server, &format!("{target}{parameter}"), &format!("m{at} value=1 {number}")).await;
            assert_eq!(answer.status, 204, "{target}{parameter}: {}", answer.text());
        }
        let last = server.engine.series(Some(&format!("m{at}")), &[])[0].last.to_string();
        let second = "2024-02-02T11:43:02";
        assert_eq!(last, if number.len() == 10 { format!("{second}Z") } else { format!("{second}.099Z") });
    }
    for (unit, number, expected) in [("m", "28447903", "2024-02-02T11:43:00Z"), ("h", "474131", "2024-02-02T11:00:00Z")]
    {
        let answer = write(&server, &format!("/write?precision={unit}"), &format!("in_{unit} value=1 {number}")).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(server.engine.series(Some(&format!("in_{unit}")), &[])[0].last.to_string(), expected);
    }
    let before = Timestamp::now();
    assert_eq!(write(&server, BOTH[0], "now value=1").await.status, 204);
    let at = server.engine.series(Some("now"), &[])[0].last;
    assert!((before..=Timestamp::now()).contains(&at), "{before} {at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_each_version_are_taken_and_others_named() {
    let server = Server::start().await;
    for target in [
        "/write",
        "/write?db=d&rp=autogen&u=me&p=secret&consistency=one&precision=s",
        "/api/v2/write",
        "/api/v2/write?org=o&orgID=0&bucket=b%2Fc&precision=s",
    ] {
        assert_eq!(write(&server, target, "m value=1 1706874182").await.status, 204, "{target}");
    }
    for (target, words) in [
        ("/write?precision=d", "\"d\" is not a precision: use ns, us, ms, s, m or h"),
        ("/api/v2/write?precision=h", "\"h\" is one of /write only: use ns, us, ms or s"),
        ("/write?precision=s&precision=s", "twice"),
        ("/write?bucket=b", "unknown parameter \"bucket\": use precision, db, rp, u, p and consistency"),
        ("/api/v2/write?db=d", "unknown parameter \"db\": use precision, org, orgID and bucket"),
    ] {
        let answer = write(&server, target, "m value=1 1706874182").await;
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.message().contains(words), "{}", answer.message());
    }
    assert_eq!(server.points(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_write_stores_the_good_lines_and_lists_the_bad_ones() {
    for target in BOTH {
        let server = Server::start().await;
        let lines = "a value=1 1000\na value=2,other=x 1000\n\n# a comment\nb value=3 1000\nc 5\n";
        let answer = write(&server, target, lines).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{target}");
        assert_eq!(stored(&server), ["a 1970-01-01T00:00:00.000001Z 1 1", "b 1970-01-01T00:00:00.000001Z 3 1"]);
        let body = answer.json();
        let message = answer.message();
        assert!(
            message.starts_with("partial write: the good lines are stored; unable to parse 2 lines: "),
            "{message}"
        );
        assert!(message.contains("line 2: other: \"x\" is no value") && message.contains("line 6: "), "{message}");
        let lines: Vec<_> = body["errors"].as_array().expect("a list").iter().map(|row| &row["line"]).collect();
        assert_eq!((lines, &body["errors"][0]["field"]), (vec![&json!(2), &json!(6)], &json!("other")));
        if target == BOTH[0] {
            assert_eq!((&body["error"], body.get("code")), (&body["message"], None));
        } else {
            assert_eq!((body.get("error"), &body["code"]), (None, &json!("invalid")));
        }
        let figures = server.get("/metrics").await;
        for line in [
            "metrics_http_points_accepted_total 2",
            "metrics_http_lines_rejected_total 2",
            "metrics_http_writes_rejected_total{reason=\"partial\"} 1",
            "metrics_http_writes_rejected_total{reason=\"malformed\"} 0",
        ] {
            assert!(figures.text().contains(&format!("\n{line}\n")), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_bad_lines_are_listed_and_the_others_counted() {
    let server = Server::start().await;
    let answer = write(&server, BOTH[0], &"m value=x\n".repeat(12)).await;
    assert_eq!((answer.status, server.points()), (400, 0));
    let message = answer.message();
    assert!(
        message.starts_with("unable to parse 12 lines: line 1: ") && message.ends_with("; and 2 more"),
        "{message}"
    );
    assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(10));
    let figures = server.get("/metrics").await;
    assert!(figures.text().contains("\nmetrics_http_lines_rejected_total 12\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_are_undone() {
    let server = Server::start().await;
    let line = r#"my\ disk,pa\ th=/mnt/a\,b,k\=1=C:\dir fr\ ee=2,text="a \"b\", c=1 2" 1000"#;
    assert_eq!(write(&server, BOTH[1], line).await.status, 204);
    assert_eq!(stored(&server), [r#"my disk_fr ee{k=1="C:\\dir",pa th="/mnt/a,b"} 1970-01-01T00:00:00.000001Z 2 1"#]);
    assert_eq!(server.get("/v1/labels/pa%20th").await.json(), json!(["/mnt/a,b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_and_any_content_type_but_that_of_forms_are_taken() {
    let server = Server::start().await;
    let line = b"m value=1 1000\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(line).expect("a Vec takes everything");
    let gzip = gzip.finish().expect("a Vec takes everything");
    let headers = [("content-type", PLAIN), ("content-encoding", "gzip")];
    assert_eq!(server.send("POST", BOTH[1], &headers, &gzip).await.status, 204);
    for kind in ["text/plain", "application/octet-stream", "application/vnd.influx.line", ""] {
        assert_eq!(server.post_as(BOTH[0], kind, line).await.status, 204, "{kind}");
    }
    assert_eq!(server.send("POST", BOTH[0], &[], line).await.status, 204, "no content type");
    assert_eq!(server.points(), 6);
    let form = server.post_as(BOTH[0], "application/x-www-form-urlencoded", line).await;
    assert_eq!((form.status, server.points()), (415, 6));
    assert!(form.message().contains("-H 'Content-Type: text/plain'"), "{}", form.message());
    assert_eq!(form.json()["error"], form.json()["message"]);
    assert_eq!(server.post_as(BOTH[0], "text/plain; charset=utf-16", line).await.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_points_is_answered_with_204() {
    let server = Server::start().await;
    for lines in ["", "\n\n", "# only a comment", "m text=\"no number\" 1000"] {
        assert_eq!(write(&server, BOTH[0], lines).await.status, 204, "{lines}");
    }
    assert_eq!(server.points(), 0);
    assert!(server.engine.metric_names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_stores_nothing_and_has_the_same_answer() {
    let server = Server::start().await;
    for (key, lines, status) in [("one", "m value=1 1000", 204), ("two", "m value=2 2000\nm value=", 400)] {
        let headers = [("idempotency-key", key), ("content-type", PLAIN)];
        let before = server.points();
        let first = server.send("POST", BOTH[0], &headers, lines.as_bytes()).await;
        let second = server.send("POST", BOTH[0], &headers, lines.as_bytes()).await;
        assert_eq!((first.status, second.status), (status, status), "{key}");
        assert_eq!((first.text(), first.header("idempotency-replayed")), (second.text(), None), "{key}");
        assert_eq!(second.header("idempotency-replayed"), Some("true"), "{key}");
        assert_eq!(server.points(), before + 1, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_lines_that_were_all_bad_is_free_for_the_right_ones() {
    let server = Server::start().await;
    let key = [("idempotency-key", "k")];
    assert_eq!(server.send("POST", BOTH[0], &key, b"m value=").await.status, 400);
    assert_eq!(server.send("POST", BOTH[0], &key, b"m value=1").await.status, 204);
    assert_eq!(server.points(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_refused_whole_in_the_shape_of_the_call() {
    let options = ServerOptions { body_limit_bytes: 100, ..ServerOptions::default() };
    let server = Server::with_store(options, Options { max_series: 1, ..Options::default() }).await;
    for (lines, status, code) in [
        ("m value=1\n".repeat(20), 413, "request too large"),
        ("m a=1,b=2\nm a=x\n".to_owned(), 429, "too many requests"),
    ] {
        let answer = write(&server, BOTH[1], &lines).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
        let answer = write(&server, BOTH[0], &lines).await;
        assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(answer.message())));
    }
    assert_eq!(server.points(), 0);
    let get = server.get("/write").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[tokio::test(flavor = "multi_thread")]
async fn megabytes_of_open_quotes_are_answered_in_time() {
    let server = Server::start().await;
    let lines = "m\" s=\"\n".repeat(300_000);
    let answer = write(&server, BOTH[0], &lines).await;
    assert_eq!(answer.status, 400);
    assert_eq!(server.points(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_created_by_doing_nothing() {
    let server = Server::start().await;
    let create = "CREATE%20DATABASE%20%22telegraf%22";
    let target = format!("/query?q={create}&db=telegraf");
    let done = r#"{"results":[{"statement_id":0}]}"#;
    for method in ["GET", "POST"] {
        let answer = server.send(method, &target, &[], b"").await;
        assert_eq!((answer.status, answer.text()), (200, done), "{method}");
    }
    let form = "application/x-www-form-urlencoded";
    let posted = server.post_as("/query", form, b"q=CREATE+DATABASE+%22telegraf%22").await;
    assert_eq!((posted.status, posted.text()), (200, done));

    for (target, words) in [
        (
            "/query?q=SHOW%20DATABASES",
            "\"SHOW DATABASES\" is not supported: of InfluxDB's queries only CREATE DATABASE",
        ),
        ("/query?q=CREATE%20DATABASE%20a%3BDROP%20DATABASE%20b", "not supported"),
        ("/query", "\"q\""),
    ] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!(answer.message())), "{target}");
        assert!(answer.message().contains(words), "{}", answer.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_tells_a_version_of_influxdb() {
    let server = Server::start().await;
    for method in ["GET", "HEAD"] {
        let answer = server.send(method, "/ping", &[], b"").await;
        assert_eq!((answer.status, answer.header("x-influxdb-version")), (200, Some("1.8.0")), "{method}");
    }
    // The client `influxdb` from PyPI takes no JSON here and wants what InfluxDB answers.
    let answer = server.send("GET", "/ping", &[("accept", "application/x-msgpack")], b"").await;
    assert_eq!((answer.status, answer.header("x-influxdb-version")), (204, Some("1.8.0")));
    for accept in ["*/*", "text/html, application/json;q=0.1"] {
        let answer = server.send("GET", "/ping", &[("accept", accept)], b"").await;
        assert_eq!((answer.status, answer.text()), (200, r#"{"status":"up"}"#), "{accept}");
    }
}
