//! The end of a server.

use std::time::Duration;

use metrics_http::ServerOptions;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{PATIENCE, Server, request};

const GOOD: &[u8] = br#"{"name":"a","value":1}"#;

/// Waits until nothing listens any more; every try is a question to the system, not a pause.
async fn refused(address: std::net::SocketAddr) {
    let asked = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(PATIENCE, asked).await.expect("the listener closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished() {
    let mut server = Server::start().await;
    let address = server.address;
    let mut client = server.connect().await;
    let length = GOOD.len().to_string();
    let headers = [("expect", "100-continue"), ("content-length", length.as_str())];
    client.write(&request("POST", "/v1/metrics", &headers, b"")).await;
    assert_eq!(client.answer(false).await.status, 100, "the request is being read");

    server.ask_to_stop();
    refused(address).await;
    client.write(GOOD).await;
    let answer = client.answer(false).await;
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    assert!(client.closed().await.is_empty());

    let engine = server.ended().await;
    assert_eq!(engine.series(Some("a"), &[])[0].count, 1);
    engine.close().expect("the caller closes the store");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_delay_the_end() {
    let mut server = Server::with(ServerOptions { grace: PATIENCE, ..ServerOptions::default() }).await;
    let silent = server.connect().await;
    let mut used = server.connect().await;
    used.write(&request("GET", "/ping", &[], b"")).await;
    assert_eq!(used.answer(false).await.status, 200);
    let start = Instant::now();
    server.ask_to_stop();
    server.ended().await;
    assert!(start.elapsed() < PATIENCE / 3, "{:?}", start.elapsed());
    assert!(used.closed().await.is_empty());
    assert!(silent.closed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_finish_is_dropped_after_the_grace() {
    let grace = Duration::from_millis(200);
    let options = ServerOptions { grace, body_timeout: PATIENCE, ..ServerOptions::default() };
    let mut server = Server::with(options).await;
    let mut client = server.connect().await;
    let headers = [("expect", "100-continue"), ("content-length", "10")];
    client.write(&request("POST", "/v1/metrics", &headers, b"")).await;
    assert_eq!(client.answer(false).await.status, 100);
    let start = Instant::now();
    server.ask_to_stop();
    let engine = server.ended().await;
    assert!((grace..PATIENCE / 3).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(client.closed().await.is_empty());
    assert!(engine.metric_names().is_empty());
}
