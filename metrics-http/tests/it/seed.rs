//! The first API, byte for byte.

use crate::harness::Server;

const POINT: &str = r#"{"timestamp":"2024-02-02T11:43:02.099Z","name":"temperature","value":30}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_point_is_in_its_average() {
    let server = Server::start().await;
    let posted = server.post(POINT).await;
    assert_eq!((posted.status, posted.text()), (201, r#"{"status":"success","points":1}"#));
    assert_eq!(posted.header("content-type"), Some("application/json"));

    let read = server.get("/v1/metrics/temperature/minute/2024-02-02/2024-02-03").await;
    assert_eq!(read.status, 200);
    assert_eq!(
        read.text(),
        concat!(
            r#"{"metricName":"temperature","granularity":"minute","startTime":"2024-02-02T00:00:00Z","#,
            r#""endTime":"2024-02-03T00:00:00Z","data":[{"timeFrame":"2024-02-02T11:43:00Z","avg":30}]}"#
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn averages_are_newest_first_over_all_labels_and_both_ends() {
    let server = Server::start().await;
    let body = r#"[
        {"timestamp":"2024-02-02T10:00:00Z","name":"load","value":1,"labels":{"host":"a"}},
        {"timestamp":"2024-02-02T10:30:00Z","name":"load","value":2,"labels":{"host":"b"}},
        {"timestamp":"2024-02-02T12:00:00Z","name":"load","value":0.25},
        {"timestamp":"2024-02-02T12:00:00.000001Z","name":"load","value":100}
    ]"#;
    assert_eq!(server.post(body).await.status, 201);
    let read = server.get("/v1/metrics/load/hour/2024-02-02T10:00:00Z/2024-02-02T12:00:00Z").await;
    assert_eq!(
        read.text(),
        concat!(
            r#"{"metricName":"load","granularity":"hour","startTime":"2024-02-02T10:00:00Z","#,
            r#""endTime":"2024-02-02T12:00:00Z","data":[{"timeFrame":"2024-02-02T12:00:00Z","avg":0.25},"#,
            r#"{"timeFrame":"2024-02-02T10:00:00Z","avg":1.5}]}"#
        )
    );
    let instant = server.get("/v1/metrics/load/1s/2024-02-02T10:30:00Z/2024-02-02T10:30:00Z").await;
    assert_eq!(instant.json()["data"], serde_json::json!([{"timeFrame": "2024-02-02T10:30:00Z", "avg": 2}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_granularity_of_the_contract_is_served() {
    let server = Server::start().await;
    assert_eq!(server.post(POINT).await.status, 201);
    for (granularity, start) in [
        ("minute", "2024-02-02T11:43:00Z"),
        ("hour", "2024-02-02T11:00:00Z"),
        ("day", "2024-02-02T00:00:00Z"),
        ("week", "2024-01-29T00:00:00Z"),
        ("month", "2024-02-01T00:00:00Z"),
        ("5m", "2024-02-02T11:40:00Z"),
    ] {
        let read = server.get(&format!("/v1/metrics/temperature/{granularity}/2024-01-01/2024-12-31")).await;
        assert_eq!(read.json()["data"], serde_json::json!([{"timeFrame": start, "avg": 30}]), "{granularity}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_listed_once_and_ascending() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/metrics").await.text(), "[]");
    for name in ["temperature", "humidity", "temperature"] {
        assert_eq!(server.post(&format!(r#"{{"name":"{name}","value":1}}"#)).await.status, 201);
    }
    let read = server.get("/v1/metrics").await;
    assert_eq!((read.status, read.text()), (200, r#"["humidity","temperature"]"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_path_are_percent_decoded() {
    let server = Server::start().await;
    let body = r#"{"timestamp":"2024-02-02T11:43:02Z","name":"disk/é <b>","value":1}"#;
    assert_eq!(server.post(body).await.status, 201);
    let read = server.get("/v1/metrics/disk%2F%C3%A9%20%3Cb%3E/day/2024-02-02/2024-02-02T23:59:59Z").await;
    assert_eq!(read.json()["metricName"], "disk/é <b>");
    assert_eq!(read.json()["data"][0]["avg"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_has_no_data() {
    let server = Server::start().await;
    let read = server.get("/v1/metrics/nothing/day/2024-02-02/2024-02-03").await;
    assert_eq!(
        (read.status, read.text()),
        (
            200,
            concat!(
                r#"{"metricName":"nothing","granularity":"day","startTime":"2024-02-02T00:00:00Z","#,
                r#""endTime":"2024-02-03T00:00:00Z","data":[]}"#
            )
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_date_or_granularity_is_named() {
    let server = Server::start().await;
    for (path, word) in [
        ("/v1/metrics/t/fortnight/2024-02-02/2024-02-03", "granularity"),
        ("/v1/metrics/t/0s/2024-02-02/2024-02-03", "granularity"),
        ("/v1/metrics/t/day/2024-02-30/2024-03-03", "start \"2024-02-30\""),
        ("/v1/metrics/t/day/2024-02-02/tomorrow", "end \"tomorrow\""),
        ("/v1/metrics/t/day/1706874182/2024-02-03", "start \"1706874182\""),
        ("/v1/metrics/t/day/2024-02-04/2024-02-03", "must not be after"),
        ("/v1/metrics/%00/day/2024-02-02/2024-02-03", "control character"),
        ("/v1/metrics/%FF/day/2024-02-02/2024-02-03", "UTF-8"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.message().contains(word), "{path}: {}", answer.message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_and_health_say_up() {
    let server = Server::start().await;
    let ping = server.get("/ping").await;
    assert_eq!((ping.status, ping.text()), (200, r#"{"status":"up"}"#));
    let health = server.get("/health").await;
    let up = r#"{"status":"up","resources":[{"name":"database","status":"up","message":""}]}"#;
    assert_eq!((health.status, health.text()), (200, up));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_down_when_the_store_is_closed() {
    let server = Server::start().await;
    server.engine.clone().close().expect("closes");
    let health = server.get("/health").await;
    assert_eq!((health.status, health.json()["status"].as_str()), (503, Some("down")));
    assert_eq!(health.json()["resources"][0]["status"], "down");
    let posted = server.post(POINT).await;
    assert_eq!((posted.status, posted.header("retry-after")), (503, Some("1")), "{}", posted.message());
    assert_eq!(server.get("/ping").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_like_get_without_a_body() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for target in ["/ping", "/health", "/v1/metrics", "/metrics", "/"] {
        client.write(&crate::harness::request("HEAD", target, &[], b"")).await;
        let head = client.answer(true).await;
        assert_eq!(head.status, 200, "{target}");
        assert_ne!(head.header("content-length"), Some("0"), "{target}");
    }
    client.write(&crate::harness::request("GET", "/ping", &[], b"")).await;
    assert_eq!(client.answer(false).await.text(), r#"{"status":"up"}"#, "nothing was left over in between");
}
