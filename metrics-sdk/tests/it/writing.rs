//! Writes: keys, retries, receipts.

use std::time::Duration;

use metrics_sdk::{Batch, Client, ClientError, IdempotencyKey, Retry};

use crate::server::{Answer, Server, batch, closed_port};

const SUCCESS: &str = r#"{"status":"success","points":2}"#;

#[tokio::test]
async fn a_busy_server_is_asked_again_under_the_same_key() {
    let busy = || Answer::of(503, r#"{"message":"the write queue is full"}"#);
    let slow_down = Answer::of(429, r#"{"message":"too many requests"}"#);
    let unsure = Answer::of(504, r#"{"message":"repeat it with the same Idempotency-Key"}"#);
    let server = Server::start([busy(), slow_down, unsure, Answer::of(201, SUCCESS)]).await;
    let receipt = server.client().write(&batch(2)).await.expect("the fourth attempt is answered");
    assert_eq!((receipt.points, receipt.replayed), (2, false));

    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    let key = asked[0].header("idempotency-key").expect("every write has a key").to_owned();
    assert!(key.len() > 32, "{key}");
    for request in &asked {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/metrics"));
        assert_eq!(request.header("idempotency-key"), Some(key.as_str()));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, asked[0].body);
    }
}

#[tokio::test]
async fn the_body_is_the_points_as_json() {
    let server = Server::start([Answer::of(201, SUCCESS)]).await;
    server.client().write(&batch(2)).await.expect("accepted");
    let body: serde_json::Value = serde_json::from_slice(&server.asked()[0].body).expect("JSON");
    assert_eq!(body.as_array().map(Vec::len), Some(2));
    assert_eq!(body[1]["timestamp"], "2024-02-02T00:00:01Z");
    assert_eq!((&body[1]["name"], body[1]["value"].as_f64()), (&"cpu".into(), Some(1.0)));
    assert_eq!(body[1]["labels"]["host"], "a");
}

#[tokio::test]
async fn two_writes_have_two_keys_and_share_a_connection() {
    let server = Server::start([Answer::of(201, SUCCESS), Answer::of(201, SUCCESS)]).await;
    let client = server.client();
    client.write(&batch(2)).await.expect("accepted");
    client.clone().write(&batch(2)).await.expect("accepted");
    let asked = server.asked();
    assert_ne!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_given_key_is_sent_and_a_replay_is_told() {
    let server = Server::start([Answer::Say(201, &[("idempotency-replayed", "true")], SUCCESS.into())]).await;
    let key = IdempotencyKey::new("import.csv:0").expect("a key");
    let receipt = server.client().write_keyed(&batch(2), &key).await.expect("accepted");
    assert_eq!((receipt.points, receipt.replayed), (2, true));
    assert_eq!(server.asked()[0].header("idempotency-key"), Some("import.csv:0"));
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_made_again_under_the_same_key() {
    let server = Server::start([Answer::Drop, Answer::of(201, SUCCESS)]).await;
    server.client().write(&batch(2)).await.expect("the second attempt is answered");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"));
}

#[tokio::test]
async fn a_server_that_starts_late_is_reached() {
    let place = closed_port();
    let patient =
        Retry::default().attempts(200).first_delay(Duration::from_millis(2)).max_delay(Duration::from_millis(50));
    let client = Client::builder(place.url()).retry(patient).build().expect("a good address");
    let writing = tokio::spawn(async move { client.write(&batch(2)).await });
    tokio::task::yield_now().await;
    let server = Server::on(place.open(), [Answer::of(201, SUCCESS)]);
    assert_eq!(writing.await.expect("no panic").expect("accepted").points, 2);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_refusal_is_told() {
    let busy = (0..5).map(|i| Answer::of(503, &format!(r#"{{"message":"busy {i}"}}"#)));
    let server = Server::start(busy).await;
    let error = server.client().write(&batch(1)).await.expect_err("five refusals");
    assert_eq!(error, ClientError::Refused { status: 503, message: "busy 4".into(), retry_after: None });
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn an_empty_batch_asks_nothing() {
    let server = Server::start([]).await;
    let receipt = server.client().write(&Batch::new()).await.expect("nothing to do");
    assert_eq!((receipt.points, server.asked().len()), (0, 0));
}
