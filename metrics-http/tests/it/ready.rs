//! Whether a server may be sent requests.

use std::time::Duration;

use metrics_core::Options;
use metrics_http::ServerOptions;
use tokio::time::Instant;

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_ready_until_its_store_is_not() {
    let server = Server::start().await;
    let ready = server.get("/ready").await;
    let up = |name: &str| format!(r#"{{"name":"{name}","status":"up","message":""}}"#);
    let all = [up("server"), up("database"), up("queue"), up("disk")].join(",");
    assert_eq!((ready.status, ready.text()), (200, format!(r#"{{"status":"up","resources":[{all}]}}"#).as_str()));
    server.engine.clone().close().expect("closes");
    let ready = server.get("/ready").await.json();
    assert_eq!((&ready["status"], &ready["resources"][1]["status"]), (&"down".into(), &"down".into()), "{ready}");
    assert_eq!(server.get("/ready").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_named() {
    // No disk has so much free.
    let store = Options { min_free_disk_bytes: 1 << 60, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    let ready = server.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["resources"][3]["message"]), (503, &"the disk is nearly full".into()));
    assert_eq!(server.post(r#"{"name":"a","value":1}"#).await.status, 507);
    assert_eq!(server.get("/health").await.status, 200, "queries go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_says_so_while_it_still_takes_requests() {
    let drain = Duration::from_secs(2);
    let mut server = Server::with(ServerOptions { drain, ..ServerOptions::default() }).await;
    let begun = Instant::now();
    server.ask_to_stop();
    let named = loop {
        let ready = server.get("/ready").await;
        if ready.status == 503 {
            break ready.json();
        }
    };
    assert_eq!(named["resources"][0]["message"], "the server is stopping", "{named}");
    assert_eq!(server.post(r#"{"name":"a","value":1}"#).await.status, 201, "who has not noticed yet is served");
    let engine = server.ended().await;
    assert!(begun.elapsed() >= drain, "{:?}", begun.elapsed());
    assert_eq!(engine.series(Some("a"), &[])[0].count, 1);
}
