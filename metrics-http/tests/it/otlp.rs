//! What OpenTelemetry's exporters send to the same address as points of our own.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use metrics_core::Options;
use metrics_http::ServerOptions;
use serde_json::json;

use crate::harness::{Answer, Server};

const TARGET: &str = "/v1/metrics";
const PROTOBUF: &str = "application/x-protobuf";

/// A field of protobuf that holds bytes.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    assert!(number < 16 && bytes.len() < 128);
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// A request with one gauge; `points` are its data points.
fn gauge(name: &str, points: &[Vec<u8>]) -> Vec<u8> {
    let data: Vec<u8> = points.iter().flat_map(|point| field(1, point)).collect();
    let metric = [field(1, name), field(5, data)].concat();
    field(1, field(2, field(2, metric)))
}

/// A data point at a second of 1970.
fn point(second: u64, value: f64) -> Vec<u8> {
    [&[0x19][..], &(second * 1_000_000_000).to_le_bytes(), &[0x21], &value.to_le_bytes()].concat()
}

fn stored(server: &Server) -> Vec<String> {
    let series = server.engine.series(None, &[]);
    series.iter().map(|info| format!("{} {} {}", info.key, info.last, info.last_value)).collect()
}

async fn export(server: &Server, body: &[u8]) -> Answer {
    server.post_as(TARGET, PROTOBUF, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_is_answered_in_protobuf_and_json_in_json() {
    let server = Server::start().await;
    let answer = export(&server, &gauge("queue.size", &[point(1, 3.0)])).await;
    assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (200, Some(PROTOBUF), 0));
    let body = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeMetrics":[{"metrics":[{"name":"sold","sum":{"aggregationTemporality":2,"isMonotonic":true,
        "dataPoints":[{"timeUnixNano":"2000000000","asInt":"7"}]}}]}]}]}"#;
    let answer = server.post(body).await;
    assert_eq!((answer.status, answer.header("content-type"), answer.text()), (200, Some("application/json"), "{}"));
    assert_eq!(
        stored(&server),
        ["queue_size 1970-01-01T00:00:01Z 3", "sold{service_name=\"shop\"} 1970-01-01T00:00:02Z 7"]
    );
    assert_eq!(server.post(r#"{"name":"own","value":1}"#).await.status, 201, "points of our own are still taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_points_are_counted_in_a_partial_success() {
    let server = Server::start().await;
    let bad = [&[0x19][..], &1_000_000_000_u64.to_le_bytes()].concat();
    let answer = export(&server, &gauge("m", &[point(1, 1.0), bad.clone(), bad])).await;
    assert_eq!((answer.status, server.points()), (200, 1));
    let message = b"2 data points: m: a data point without a value; m: a data point without a value";
    let expected = field(1, [&[0x08, 2][..], &field(2, message)].concat());
    assert_eq!(answer.body, expected);
    let body =
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":1}]}}]}]}]}"#;
    let answer = server.post(body).await;
    let told = "m: aggregation temporality 0: 1 (delta) or 2 (cumulative) is required";
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"partialSuccess": {"rejectedDataPoints": "1", "errorMessage": told}}));
    let figures = server.get("/metrics").await;
    assert!(figures.text().contains("\nmetrics_http_otlp_points_rejected_total 3\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_a_status_in_the_encoding_of_the_request() {
    let options = ServerOptions { body_limit_bytes: 1_000, ..ServerOptions::default() };
    let server = Server::with_store(options, Options { max_series: 1, ..Options::default() }).await;
    for (body, status, code) in [
        (&b"\x0a\xFF"[..], 400, 3),
        (&[0; 1_001], 413, 3),
        (&[gauge("a", &[point(1, 1.0)]), gauge("b", &[point(1, 1.0)])].concat(), 429, 8),
    ] {
        let answer = export(&server, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, Some(PROTOBUF)));
        assert_eq!(answer.body[..3], [0x08, code, 0x12], "{answer:?}");
    }
    let answer = server.post(r#"{"resourceMetrics":[{"scopeMetrics":3}]}"#).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(3)));
    assert!(answer.message().contains("expected an array"), "{}", answer.message());
    assert_eq!(server.points(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_requests_and_keys_work_as_for_other_points() {
    let server = Server::start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&gauge("m", &[point(1, 1.0)])).expect("a Vec takes everything");
    let body = gzip.finish().expect("a Vec takes everything");
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip"), ("idempotency-key", "k")];
    for replayed in [None, Some("true")] {
        let answer = server.send("POST", TARGET, &headers, &body).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, replayed));
    }
    assert_eq!(server.points(), 1);
    let empty = export(&server, b"").await;
    assert_eq!((empty.status, empty.body.len()), (200, 0), "an export of nothing is one");
}
