//! Pictures, and the description of the interface.

use serde_json::Value;

use crate::harness::Server;

const SPAN: &str = "from=2024-02-02T10:00:00Z&to=2024-02-02T12:00:00Z";

async fn filled() -> Server {
    let server = Server::start().await;
    let csv = "timestamp,name,value,host\n2024-02-02T10:00:00Z,load,1,a\n2024-02-02T10:30:00Z,load,2,<b>\n";
    assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_a_picture_that_may_run_nothing() {
    let server = filled().await;
    let answer =
        server.get(&format!("/v1/chart.svg?name=load&{SPAN}&per=1m&group_by=host&width=600&title=%3Cx%3E")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/svg+xml")));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("script"), "{policy}");
    let text = answer.text();
    assert!(text.starts_with("<svg ") && text.contains("width=\"600\"") && text.contains("&lt;x&gt;"), "{text}");
    assert!(text.contains("host=&lt;b&gt;") && !text.contains("<b>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_picture_can_be_is_refused_by_name() {
    let server = filled().await;
    for (query, word) in [
        ("", "name"),
        ("name=load&width=9", "width"),
        ("name=load&height=9999", "height"),
        ("name=load&theme=blue", "theme"),
        ("name=load&theme=dark&theme=dark", "twice"),
        ("name=load&nosuch=1", "nosuch"),
        ("name=load&epoch=s", "epoch"),
        ("name=load&fill=x", "fill"),
    ] {
        let answer = server.get(&format!("/v1/chart.svg?{query}")).await;
        assert_eq!((answer.status, answer.message().contains(word)), (400, true), "{query}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_describes_itself() {
    let server = Server::start().await;
    let answer = server.get("/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    // Every parameter that is told is one that the server knows, and one that is not told is refused by name.
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let Some(params) = methods["get"]["parameters"].as_array() else { continue };
        let queries = params.iter().filter(|param| param["in"] == "query");
        let names: Vec<&str> = queries.filter_map(|param| param["name"].as_str()).collect();
        // As in Prometheus and InfluxDB, what these do not know says nothing.
        if names.is_empty() || path == "/query" || path.starts_with("/api/v1/") {
            continue;
        }
        let refused = server.get(&format!("{path}?nosuch=1")).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.message().contains("unknown parameter \"nosuch\""), "{path}: {}", refused.message());
        for name in names {
            let answer = server.send("HEAD", &format!("{path}?name=a&{name}="), &[], b"").await;
            assert!([200, 400].contains(&answer.status), "{path} {name}: {}", answer.status);
            let answer = server.get(&format!("{path}?{name}=%01")).await;
            let message: Value = if answer.status == 400 { answer.json() } else { Value::Null };
            assert!(!message.to_string().contains("unknown parameter"), "{path} {name}: {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_is_a_page_without_scripts() {
    let server = Server::start().await;
    let page = server.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("script-src"));
    for file in ["/page/docs.css", "/page/theme.css"] {
        assert!(page.text().contains(file), "{file}");
        assert_eq!(server.get(file).await.status, 200);
    }
}
