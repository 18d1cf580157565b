//! Clients that are slow or many.

use std::time::Duration;

use metrics_http::ServerOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use crate::harness::{PATIENCE, Server, request};

/// Short for a test, yet longer than a busy machine keeps an honest client waiting.
const SHORT: Duration = Duration::from_secs(1);
const GOOD: &[u8] = br#"{"name":"a","value":1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::with(ServerOptions { header_timeout: SHORT, ..ServerOptions::default() }).await;
    for start in ["", "GET /ping HT", "GET /ping HTTP/1.1\r\nhost: localhost\r\n"] {
        let mut client = server.connect().await;
        client.write(start.as_bytes()).await;
        assert!(client.closed().await.is_empty(), "after {start:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_trickles_is_not_waited_for() {
    let server = Server::with(ServerOptions { header_timeout: SHORT, ..ServerOptions::default() }).await;
    let mut client = server.connect().await;
    client.write(&request("GET", "/ping", &[], b"")).await;
    assert_eq!(client.answer(false).await.status, 200);
    let start = Instant::now();
    client.write(b"GET /ping HTTP/1.1\r\nx: ").await;
    let trickle = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if client.stream.write_all(b"y").await.is_err() {
                return;
            }
        }
    };
    timeout(PATIENCE, trickle).await.expect("the server closes the connection");
    assert!(start.elapsed() >= SHORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_in_its_time_and_no_sooner() {
    let options = ServerOptions { header_timeout: SHORT, idle_timeout: 2 * SHORT, ..ServerOptions::default() };
    let server = Server::with(options).await;
    let mut client = server.connect().await;
    client.write(&request("GET", "/ping", &[], b"")).await;
    assert_eq!(client.answer(false).await.status, 200);
    let start = Instant::now();
    assert!(client.closed().await.is_empty());
    assert!(start.elapsed() >= SHORT + SHORT / 2, "the time for a head does not run while none has begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let server = Server::with(ServerOptions { body_timeout: SHORT, ..ServerOptions::default() }).await;
    let mut client = server.connect().await;
    client.write(&request("POST", "/v1/metrics", &[("content-length", "100")], GOOD)).await;
    let answer = client.answer(false).await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert!(answer.message().contains("in time"), "{}", answer.message());
    assert!(client.closed().await.is_empty());
    assert_eq!(server.points(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_read_ends_the_connection() {
    let server = Server::with(ServerOptions { answer_timeout: SHORT, ..ServerOptions::default() }).await;
    let mut client = server.connect().await;
    let many = request("GET", "/", &[], b"").repeat(100);
    let flood = async { while client.stream.write_all(&many).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("the server closes the connection");
    assert_eq!(server.get("/ping").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_its_limit_is_refused() {
    let server = Server::start().await;
    let long = "x".repeat(40 << 10);
    for (target, headers, status) in
        [("/ping", vec![("x", long.as_str())], 431), (&*format!("/ping?{long}"), vec![], 414)]
    {
        let answer = server.send("GET", target, &headers, b"").await;
        assert_eq!(answer.status, status);
        assert!(answer.message().contains("32768 bytes (--header-limit)"), "{}", answer.message());
    }
    // Beyond what is read at all, there is no more than a status.
    let longer = "x".repeat(80 << 10);
    assert_eq!(server.send("GET", "/ping", &[("x", &longer)], b"").await.status, 431);
    let fits = "x".repeat(30 << 10);
    assert_eq!(server.send("GET", "/ping", &[("x", &fits)], b"").await.status, 200);
}

/// Sends a head and learns from `100 Continue` that the request has its place.
async fn in_flight(server: &Server) -> crate::harness::Client {
    let mut client = server.connect().await;
    let length = GOOD.len().to_string();
    let headers = [("expect", "100-continue"), ("content-length", length.as_str())];
    client.write(&request("POST", "/v1/metrics", &headers, b"")).await;
    assert_eq!(client.answer(false).await.status, 100);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_refused_and_checks_are_not() {
    let server = Server::with(ServerOptions { max_requests: 1, ..ServerOptions::default() }).await;
    let mut first = in_flight(&server).await;
    let second = server.get("/v1/metrics").await;
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    assert!(second.message().contains("too many requests at once (--max-requests 1)"), "{}", second.message());
    for target in ["/ping", "/health"] {
        assert_eq!(server.get(target).await.status, 200);
    }
    assert!(server.get("/metrics").await.text().contains("\nmetrics_http_requests_in_flight 1\n"));
    first.write(GOOD).await;
    assert_eq!(first.answer(false).await.status, 201);
    assert_eq!(server.get("/v1/metrics").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_refused() {
    let server = Server::with(ServerOptions { max_connections: 1, ..ServerOptions::default() }).await;
    let mut first = in_flight(&server).await;
    let mut second = server.connect().await;
    let refused = second.answer(false).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.message().contains("too many connections at once (--max-connections)"), "{}", refused.message());
    assert!(second.closed().await.is_empty());
    first.write(GOOD).await;
    assert_eq!(first.answer(false).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_takes_too_long_has_an_unknown_outcome() {
    let options = ServerOptions { commit_timeout: Duration::from_nanos(1), ..ServerOptions::default() };
    let server = Server::with(options).await;
    // Many points, so that even a fast disk takes longer than a tick of the timer, a millisecond.
    let points: Vec<String> = (0..100_000).map(|at| format!(r#"{{"timestamp":{at},"name":"m","value":1}}"#)).collect();
    let answer = server.send("POST", "/v1/metrics", &[], format!("[{}]", points.join(",")).as_bytes()).await;
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(answer.message().contains("Idempotency-Key"), "{}", answer.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_down_when_the_store_takes_too_long() {
    let options = ServerOptions { health_timeout: Duration::from_nanos(1), ..ServerOptions::default() };
    let server = Server::with(options).await;
    let answer = server.get("/health").await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("down")), "{}", answer.text());
    assert_eq!(answer.json()["resources"][0]["message"], "the store did not answer in time");
}
