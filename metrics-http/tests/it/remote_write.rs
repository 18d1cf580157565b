//! Prometheus and its agents write here.

use metrics_core::{Options, Per, QueryRequest, Timestamp};
use metrics_http::ServerOptions;
use prost::Message as _;
use serde_json::json;

use crate::harness::{Answer, Server};

const TARGET: &str = "/api/v1/write";
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// `prometheus.WriteRequest`, as another implementation writes it.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    TimeSeries {
        labels: labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect(),
        samples: samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
    }
}

fn snappy(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    let plain = WriteRequest { timeseries }.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&plain).expect("short enough")
}

/// As Prometheus sends it.
async fn write(server: &Server, body: &[u8]) -> Answer {
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
        ("user-agent", "Prometheus/2.42.0"),
    ];
    server.send("POST", TARGET, &headers, body).await
}

fn up(value: f64) -> Vec<u8> {
    snappy(vec![series(&[("__name__", "up"), ("job", "a")], &[(1_000, value)])])
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_stored_with_204() {
    let server = Server::start().await;
    let body = snappy(vec![
        series(
            &[("__name__", "up"), ("instance", "h:1"), ("job", "a")],
            &[(1_706_874_182_099, 1.0), (1_706_874_197_099, 0.0)],
        ),
        series(&[("__name__", "gone"), ("job", "a")], &[(1_706_874_182_099, STALE)]),
    ]);
    let answer = write(&server, &body).await;
    assert_eq!((answer.status, answer.header("content-type")), (204, None));
    let found = server.engine.series(None, &[]);
    let found: Vec<String> =
        found.iter().map(|info| format!("{} {} {} {}", info.key, info.last, info.last_value, info.count)).collect();
    assert_eq!(found, ["up{instance=\"h:1\",job=\"a\"} 2024-02-02T11:43:17.099Z 0 2"]);
    let figures = server.get("/metrics").await;
    for line in ["metrics_http_stale_markers_dropped_total 1", "metrics_http_points_accepted_total 2"] {
        assert!(figures.text().contains(&format!("\n{line}\n")), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_no_numbers_come_back_from_memory_and_from_chunks() {
    let server = Server::start().await;
    let samples = [(1_000, 1.0), (2_000, f64::NAN), (3_000, f64::INFINITY), (4_000, f64::NEG_INFINITY)];
    let body = snappy(vec![series(&[("__name__", "odd")], &samples), series(&[("__name__", "even")], &[(1_000, 3.0)])]);
    assert_eq!(write(&server, &body).await.status, 204);
    let mut request = QueryRequest::new(["odd"], Timestamp::EPOCH, Timestamp::MAX).expect("a name");
    request.per = Per::Raw;
    for place in ["memory", "a chunk"] {
        let frame = server.engine.query(&request).expect("answers");
        let values: Vec<String> = frame.series[0].columns[0].values.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(values, ["1", "NaN", "inf", "-inf"], "{place}");
        server.engine.compact().expect("compacts");
    }
    let report = server.engine.check(false).expect("checks");
    assert_eq!(report.differences, 0, "{report:?}");
    let query = "/v1/query?from=0&to=10&per=minute&agg=max,count&name=";
    assert_eq!(server.get(&format!("{query}even")).await.json()["series"][0]["max"], json!([3]));
    let odd = server.get(&format!("{query}odd")).await;
    assert_eq!((odd.status, &odd.json()["series"][0]["count"]), (200, &json!([4])), "{}", odd.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn good_samples_are_stored_beside_bad_ones_and_these_told_with_400() {
    let server = Server::start().await;
    let body = snappy(vec![
        series(&[("__name__", "a")], &[(1_000, 1.0)]),
        series(&[("job", "x")], &[(1_000, 1.0), (2_000, 2.0)]),
        series(&[("__name__", "b")], &[(i64::MAX, 1.0), (1_000, 2.0)]),
    ]);
    let answer = write(&server, &body).await;
    assert_eq!((answer.status, server.points()), (400, 2));
    let message = answer.message();
    assert!(
        message.starts_with("partial write: the good samples are stored; bad ones: 3 samples: index 1: name"),
        "{message}"
    );
    assert_eq!(answer.json()["errors"][1]["index"], 2);
    let alone = write(&server, &snappy(vec![series(&[], &[(1, 1.0)])])).await;
    assert_eq!((alone.status, server.points()), (400, 2));
    assert!(alone.message().starts_with("no sample is stored: "), "{}", alone.message());
    let figures = server.get("/metrics").await;
    for line in [
        "metrics_http_remote_write_samples_rejected_total 4",
        "metrics_http_writes_rejected_total{reason=\"partial\"} 1",
        "metrics_http_writes_rejected_total{reason=\"malformed\"} 1",
    ] {
        assert!(figures.text().contains(&format!("\n{line}\n")), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_is_refused_with_415_so_that_senders_fall_back() {
    let server = Server::start().await;
    for (kind, version, status) in [
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0", 415),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "0.1.0", 415),
        ("application/x-protobuf", "2.0.0", 415),
        ("application/json", "0.1.0", 415),
        ("application/x-protobuf; proto=\"prometheus.WriteRequest\"", "1.0.0", 204),
        ("Application/X-Protobuf", "0.1.0", 204),
        ("", "0.1.0", 204),
    ] {
        let headers =
            [("content-type", kind), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", version)];
        let answer = server.send("POST", TARGET, &headers, &up(1.0)).await;
        assert_eq!(answer.status, status, "{kind} {version}");
        if status == 415 {
            assert!(answer.message().contains("proto=prometheus.WriteRequest"), "{}", answer.message());
        }
    }
    assert_eq!(server.points(), 3);
    let get = server.get(TARGET).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codings_are_taken_and_what_is_damaged_is_refused_for_good() {
    let server = Server::start().await;
    let plain = WriteRequest { timeseries: vec![series(&[("__name__", "up")], &[(1_000, 1.0)])] }.encode_to_vec();
    let zstd = zstd::encode_all(&plain[..], 3).expect("a Vec takes everything");
    for (coding, body, status) in [
        ("zstd", &zstd[..], 204),
        ("identity", &plain, 204),
        ("snappy", b"", 204),
        ("snappy", &plain, 400),
        ("snappy", b"\x04\x0cabcd", 400),
        ("br", &plain, 415),
    ] {
        let answer = server.send("POST", TARGET, &[("content-encoding", coding)], body).await;
        assert_eq!(answer.status, status, "{coding} {body:?}: {}", answer.text());
    }
    assert_eq!(server.points(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_in_any_coding_is_answered_with_413() {
    let options = ServerOptions { inflated_limit_bytes: 1 << 20, ..ServerOptions::default() };
    let server = Server::with(options).await;
    let zeros = vec![0; 8 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &zeros).expect("a Vec takes everything");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zlib, &zeros).expect("a Vec takes everything");
    for (coding, body) in [
        ("snappy", snap::raw::Encoder::new().compress_vec(&zeros).expect("short enough")),
        ("gzip", gzip.finish().expect("a Vec takes everything")),
        ("deflate", zlib.finish().expect("a Vec takes everything")),
        ("zstd", zstd::encode_all(&zeros[..], 3).expect("a Vec takes everything")),
    ] {
        let answer = server.send("POST", TARGET, &[("content-encoding", coding)], &body).await;
        assert_eq!(answer.status, 413, "{coding}");
        assert!(answer.message().contains("larger than 1048576 bytes after decompression"), "{}", answer.message());
    }
    let figures = server.get("/metrics").await;
    assert!(figures.text().contains("\nmetrics_http_body_memory_bytes 0\n"), "all memory came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_retry_can_mend_is_answered_with_5xx() {
    let store = Options { max_series: 1, queue_points: 1, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    let two = snappy(vec![series(&[("__name__", "a")], &[(1, 1.0)]), series(&[("__name__", "b")], &[(1, 1.0)])]);
    assert_eq!(write(&server, &two).await.status, 429, "more series than are allowed");
    let mut full = None;
    for _ in 0..50 {
        let many: Vec<(i64, f64)> = (0..50_000).map(|at| (at, 1.0)).collect();
        let body = snappy(vec![series(&[("__name__", "a")], &many)]);
        let answers =
            tokio::join!(write(&server, &body), write(&server, &body), write(&server, &body), write(&server, &body));
        full = [answers.0, answers.1, answers.2, answers.3].into_iter().find(|answer| answer.status == 503);
        if full.is_some() {
            break;
        }
    }
    let full = full.expect("four large writes at once do not all fit into the queue");
    assert!(full.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_stores_nothing() {
    let server = Server::start().await;
    for replayed in [None, Some("true")] {
        let answer = server.send("POST", TARGET, &[("idempotency-key", "k")], &up(1.0)).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (204, replayed));
    }
    assert_eq!(server.points(), 1);
}
