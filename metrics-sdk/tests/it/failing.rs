//! Failures: each is told for what it is.

use std::io::ErrorKind;
use std::time::Duration;

use metrics_sdk::{Client, ClientError, QueryRequest, Retry, Timestamp};
use tokio::time::Instant;

use crate::server::{Answer, Server, batch, closed_port};

#[tokio::test]
async fn a_slow_answer_is_a_timeout() {
    let server = Server::start([Answer::Hang]).await;
    let after = Duration::from_millis(50);
    let error = server.builder().timeout(after).build().expect("valid").ping().await.expect_err("it hangs");
    assert_eq!(error, ClientError::Timeout { url: server.url.clone(), after });
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_servers_message_is_passed_on_and_not_retried() {
    let message = "point 3: value is NaN: a finite number is required";
    let server = Server::start([Answer::of(400, &format!(r#"{{"message":"{message}","more":1}}"#))]).await;
    let error = server.client().write(&batch(1)).await.expect_err("refused");
    assert_eq!(error, ClientError::Refused { status: 400, message: message.into(), retry_after: None });
    assert_eq!(error.to_string(), format!("the server answered 400: {message}"));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_not_json_is_passed_on_as_text() {
    let server = Server::start([Answer::of(500, "it broke\n"), Answer::of(404, "")]).await;
    let client = server.client();
    for expected in ["the server answered 500: it broke", "the server answered 404: Not Found"] {
        assert_eq!(client.ping().await.expect_err("refused").to_string(), expected);
    }
}

#[tokio::test]
async fn a_wait_beyond_the_timeout_is_not_begun() {
    let busy = Answer::Say(503, &[("retry-after", "3600")], r#"{"message":"starting"}"#.into());
    let server = Server::start([busy]).await;
    let error = server.client().write(&batch(1)).await.expect_err("an hour is too long");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3_600)));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let busy = Answer::Say(503, &[("retry-after", "1")], r#"{"message":"starting"}"#.into());
    let server = Server::start([busy, Answer::of(200, r#"{"status":"up"}"#)]).await;
    let start = Instant::now();
    server.client().ping().await.expect("up at the second attempt");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_closed_port_is_tried_again_and_then_no_connection() {
    let place = closed_port();
    let retry = Retry::default().attempts(3).first_delay(Duration::from_millis(40));
    let client = Client::builder(place.url()).retry(retry).build().expect("a good address");
    let start = Instant::now();
    let error = client.ping().await.expect_err("nobody listens");
    assert!(matches!(&error, ClientError::Connect { kind: ErrorKind::ConnectionRefused, .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("no connection to {}: Connection refused", place.url())), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(20 + 40), "two waits of at least half their length");
}

#[tokio::test]
async fn a_connection_that_breaks_is_interrupted() {
    let server = Server::start([Answer::Drop]).await;
    let client = server.builder().retry(Retry::none()).build().expect("valid");
    let error = client.ping().await.expect_err("dropped");
    assert!(matches!(&error, ClientError::Interrupted { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let names = format!("[\"{}\"]", "x".repeat(100));
    let server = Server::start([Answer::of(200, &names), Answer::of(200, &names)]).await;
    let limited = |bytes| server.builder().max_answer_bytes(bytes).build().expect("valid");
    let error = limited(names.len() - 1).metric_names().await.expect_err("one byte too many");
    assert_eq!(error, ClientError::TooLarge { call: "GET /v1/metrics", limit_bytes: names.len() - 1 });
    assert_eq!(limited(names.len()).metric_names().await.expect("it fits").len(), 1);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_told() {
    let server = Server::start([Answer::of(200, "<html>"), Answer::of(200, "[1]")]).await;
    let client = server.client();
    let request = QueryRequest::new(["cpu"], Timestamp::EPOCH, Timestamp::now());
    let frame = client.query(&request.expect("valid")).await.expect_err("markup is no frame");
    assert!(matches!(&frame, ClientError::Answer { call: "GET /v1/query", .. }), "{frame:?}");
    let names = client.metric_names().await.expect_err("a number is no name");
    assert!(matches!(&names, ClientError::Answer { call: "GET /v1/metrics", .. }), "{names:?}");
}

#[tokio::test]
async fn a_token_is_sent_and_never_shown() {
    let server = Server::start([Answer::of(200, "{}")]).await;
    let builder = server.builder().token("mtk_canary");
    assert!(!format!("{builder:?}").contains("canary"));
    let client = builder.build().expect("valid");
    client.ping().await.expect("up");
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer mtk_canary"));
    assert!(!format!("{client:?}").contains("canary"));
    for token in ["", "a b", "a\r\nHost: evil", "tökén"] {
        assert_eq!(server.builder().token(token).build().expect_err("not a token"), ClientError::Token);
    }
}

#[test]
fn a_client_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&Client::new("http://localhost").expect("valid"));
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<ClientError>();
}
