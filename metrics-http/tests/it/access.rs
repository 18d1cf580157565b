//! Names and origins that are not ours.

use metrics_http::ServerOptions;

use crate::harness::Server;

const GOOD: &[u8] = br#"{"name":"a","value":1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn other_host_names_are_refused_everywhere() {
    let server = Server::start().await;
    for target in ["/", "/ping", "/v1/metrics", "/metrics", "/nowhere"] {
        let answer = server.send("GET", target, &[("host", "rebound.example:8080")], b"").await;
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.message().contains("--allow-host rebound.example"), "{}", answer.message());
    }
    let answer = server.send("POST", "/v1/metrics", &[("host", "rebound.example")], GOOD).await;
    assert_eq!((answer.status, server.points()), (403, 0));
    let address = server.address.to_string();
    assert_eq!(server.send("GET", "/ping", &[("host", &address)], b"").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_host_is_served() {
    let options = ServerOptions { allow_hosts: vec!["metrics.example".into()], ..ServerOptions::default() };
    let server = Server::with(options).await;
    assert_eq!(server.send("GET", "/ping", &[("host", "metrics.example:443")], b"").await.status, 200);
    assert_eq!(server.send("GET", "/ping", &[("host", "other.example")], b"").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_can_neither_read_nor_write() {
    let server = Server::start().await;
    for header in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
        let answer = server.send("POST", "/v1/metrics", &[header], GOOD).await;
        assert_eq!((answer.status, server.points()), (403, 0), "{header:?}");
        assert!(answer.message().contains("--cors-origin"), "{}", answer.message());
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let answer = server.send("GET", "/v1/metrics", &[header], b"").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{header:?}");
    }
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(server.send("GET", "/", &link, b"").await.status, 200, "a link to here may be followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_origin_may_read_and_write() {
    let origin = ("origin", "http://localhost:3000");
    let options = ServerOptions { cors_origin: Some(origin.1.into()), ..ServerOptions::default() };
    let server = Server::with(options).await;
    let ask = [origin, ("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];
    let preflight = server.send("OPTIONS", "/v1/metrics", &ask, b"").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some(origin.1)));
    assert!(preflight.header("access-control-allow-headers").is_some_and(|list| list.contains("Content-Type")));
    let posted = server.send("POST", "/v1/metrics", &[origin], GOOD).await;
    assert_eq!((posted.status, posted.header("access-control-allow-origin")), (201, Some(origin.1)));
    let read = server.send("GET", "/v1/metrics", &[("origin", "http://evil.example")], b"").await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (403, None));
    assert_eq!(read.header("vary"), Some("Origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_browsers_careful() {
    let server = Server::start().await;
    for (method, target, status) in [
        ("GET", "/", 200),
        ("GET", "/ping", 200),
        ("GET", "/v1/metrics", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/ping", 405),
    ] {
        let answer = server.send(method, target, &[], b"").await;
        assert_eq!(answer.status, status, "{method} {target}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{method} {target}: {name}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{target}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{target}: {policy}");
        assert_eq!(answer.header("set-cookie"), None, "{target}");
    }
}
