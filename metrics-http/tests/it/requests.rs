//! Names of requests: in every answer, and in what is the server's fault.

use metrics_http::ServerOptions;

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let server = Server::start().await;
    let mut seen = Vec::new();
    for (method, target) in [
        ("GET", "/ping"),
        ("HEAD", "/v1/series"),
        ("GET", "/nowhere"),
        ("DELETE", "/v1/query"),
        ("GET", "/v1/query"),
        ("POST", "/v1/metrics"),
        ("GET", "/"),
    ] {
        let own = server.send(method, target, &[], b"").await;
        seen.push(own.header("x-request-id").unwrap_or_else(|| panic!("{method} {target}: {own:?}")).to_owned());
        let named = server.send(method, target, &[("x-request-id", "client-7/b")], b"").await;
        assert_eq!(named.header("x-request-id"), Some("client-7/b"), "{method} {target}");
        let odd = server.send(method, target, &[("x-request-id", "two words")], b"").await;
        assert_ne!(odd.header("x-request-id"), Some("two words"), "{method} {target}");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 7, "each has a name of its own: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_server_s_fault_says_its_name_in_the_body_too() {
    let server = Server::with(ServerOptions::default()).await;
    server.engine.clone().close().expect("closes");
    let headers = [("content-type", "application/json"), ("x-request-id", "q-1")];
    let answer = server.send("POST", "/v1/metrics", &headers, br#"{"name":"a","value":1}"#).await;
    assert_eq!((answer.status, answer.json()["request_id"].as_str()), (503, Some("q-1")), "{}", answer.text());
    let wrong = server.send("GET", "/v1/query", &[("x-request-id", "q-2")], b"").await;
    assert_eq!((wrong.status, wrong.json().get("request_id")), (400, None), "{}", wrong.text());
}
