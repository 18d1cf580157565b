//! What is taken, in which forms.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use metrics_core::Timestamp;

use crate::harness::{Server, request};

const ARRAY: &str = r#"[{"timestamp":1706874182,"name":"a","value":1},{"timestamp":1706874183,"name":"b","value":2}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn arrays_lines_and_csv_are_taken() {
    let server = Server::start().await;
    for (target, kind, body, points) in [
        ("/v1/metrics", "application/json", ARRAY, 2),
        ("/v1/metrics", "application/json; charset=utf-8", r#"{"name":"c","value":-1.5e3,"labels":{"host":"a"}}"#, 1),
        ("/v1/metrics", "application/x-ndjson", "{\"name\":\"a\",\"value\":1}\n\n{\"name\":\"a\",\"value\":2}", 2),
        ("/v1/metrics", "text/csv", "timestamp,name,value,host\n2024-02-02 11:43:02,a,1,x\n2024-02-02,b,2,\n", 2),
        ("/v1/metrics?name=d%20e", "text/csv", "timestamp,value\n2024-02-02,1\n", 1),
    ] {
        let before = server.points();
        let answer = server.post_as(target, kind, body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{kind}: {}", answer.text());
        assert_eq!(answer.text(), format!(r#"{{"status":"success","points":{points}}}"#));
        assert_eq!(server.points(), before + points, "{kind}");
    }
    let names = server.get("/v1/metrics").await;
    assert_eq!(names.text(), r#"["a","b","c","d e"]"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_content_type_means_json() {
    let server = Server::start().await;
    assert_eq!(server.send("POST", "/v1/metrics", &[], ARRAY.as_bytes()).await.status, 201);
    assert_eq!(server.points(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_timestamp_is_now() {
    let server = Server::start().await;
    let before = Timestamp::now();
    assert_eq!(server.post(r#"{"name":"a","value":1}"#).await.status, 201);
    let stored = server.engine.series(Some("a"), &[])[0].last;
    assert!((before..=Timestamp::now()).contains(&stored), "{before} {stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_and_chunked_bodies_are_taken() {
    let server = Server::start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(ARRAY.as_bytes()).expect("a Vec takes everything");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(ARRAY.as_bytes()).expect("a Vec takes everything");
    let bodies = [
        ("gzip", gzip.finish().expect("a Vec takes everything")),
        ("deflate", zlib.finish().expect("a Vec takes everything")),
        ("zstd", zstd::encode_all(ARRAY.as_bytes(), 3).expect("a Vec takes everything")),
        ("identity", ARRAY.into()),
    ];
    for (at, (coding, body)) in bodies.into_iter().enumerate() {
        let answer = server.send("POST", "/v1/metrics", &[("content-encoding", coding)], &body).await;
        assert_eq!(answer.status, 201, "{coding}: {}", answer.text());
        assert_eq!(server.points(), 2 * (at as u64 + 1));
    }
    let (first, second) = ARRAY.split_at(10);
    let chunks = format!("a\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
    let answer = server.send("POST", "/v1/metrics", &[("transfer-encoding", "chunked")], chunks.as_bytes()).await;
    assert_eq!((answer.status, server.points()), (201, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_request_with_a_key_changes_nothing_and_has_the_same_answer() {
    let server = Server::start().await;
    let key = [("idempotency-key", "run-1/batch-7")];
    let first = server.send("POST", "/v1/metrics", &key, ARRAY.as_bytes()).await;
    let second = server.send("POST", "/v1/metrics", &key, ARRAY.as_bytes()).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.text(), second.text());
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), (None, Some("true")));
    assert_eq!(server.points(), 2);
    let other = server.send("POST", "/v1/metrics", &[("idempotency-key", "run-1/batch-8")], ARRAY.as_bytes()).await;
    assert_eq!((other.status, server.points()), (201, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let both = [request("POST", "/v1/metrics", &[], ARRAY.as_bytes()), request("GET", "/v1/metrics", &[], b"")];
    for _ in 0..3 {
        client.write(&both.concat()).await;
        assert_eq!(client.answer(false).await.status, 201);
        assert_eq!(client.answer(false).await.text(), r#"["a","b"]"#);
    }
    assert_eq!(server.points(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_taken_whole() {
    let server = Server::start().await;
    let mut body = String::from("timestamp,name,value\n");
    for at in 0..200_000 {
        body.push_str(&format!("{},load,{}\n", 1_706_874_182 + at, at % 7));
    }
    let answer = server.post_as("/v1/metrics", "text/csv", body.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["points"].as_u64()), (201, Some(200_000)));
    let query = "/v1/query?name=load&from=2024-02-01&to=2024-03-01&per=month&agg=count,sum";
    let series = &server.get(query).await.json()["series"][0];
    let sum: u64 = (0..200_000).map(|at| at % 7).sum();
    assert_eq!((series["count"][0].as_u64(), series["sum"][0].as_u64()), (Some(200_000), Some(sum)));
}
