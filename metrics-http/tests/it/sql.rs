//! Statements over HTTP.

use metrics_core::{Options, SqlLimits};
use metrics_http::ServerOptions;
use serde_json::json;

use crate::harness::{Answer, Server};

async fn open() -> Server {
    let options =
        ServerOptions { sql: Some(SqlLimits { max_rows: 100, ..SqlLimits::default() }), ..ServerOptions::default() };
    let server = Server::with_store(options, Options { sql: true, ..Options::default() }).await;
    let csv = "timestamp,name,value,host\n2024-02-02T10:00:00Z,load,1,a\n2024-02-02T11:00:00Z,load,2.5,b\n";
    assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
    server
}

async fn ask(server: &Server, sql: &str, accept: &str) -> Answer {
    let headers = [("content-type", "application/sql"), ("accept", accept)];
    server.send("POST", "/v1/sql", &headers, sql.as_bytes()).await
}

const SELECT: &str = "SELECT timestamp, labels->>'host' AS host, value FROM points ORDER BY timestamp";

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_answered_in_the_format_that_is_liked() {
    let server = open().await;
    let body = json!({"sql": SELECT}).to_string();
    let answer = server.post_as("/v1/sql", "application/json", body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let columns = answer.json()["columns"].clone();
    assert_eq!(columns[0]["values"], json!(["2024-02-02T10:00:00Z", "2024-02-02T11:00:00Z"]));
    assert_eq!((&columns[1]["name"], &columns[1]["values"]), (&json!("host"), &json!(["a", "b"])));
    assert_eq!((&columns[2]["values"], &answer.json()["rows"]), (&json!([1, 2.5]), &json!(2)));
    let csv = ask(&server, SELECT, "text/csv").await;
    let expected = "timestamp,host,value\n2024-02-02T10:00:00Z,a,1\n2024-02-02T11:00:00Z,b,2.5\n";
    assert_eq!((csv.status, csv.text()), (200, expected));
    let lines = ask(&server, "SELECT count(*) AS n FROM points", "application/x-ndjson").await;
    assert_eq!(lines.text(), "{\"n\":2}\n");
    let arrow =
        ask(&server, "SELECT timestamp, name, labels, value FROM points", "application/vnd.apache.arrow.stream").await;
    assert_eq!(metrics_core::wire::arrow::decode(&arrow.body, None, 1 << 20).expect("points").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_run_is_refused_with_the_reason() {
    let server = open().await;
    for (sql, status, words) in [
        ("DROP VIEW points", 403, "only one SELECT"),
        ("SELECT * FROM read_text('/etc/passwd')", 403, "read_text"),
        ("SELECT * FROM idempotency", 403, "idempotency"),
        ("SELECT valeu FROM points", 400, "valeu"),
        ("SELECT * FROM range(101)", 400, "more than 100 rows"),
        ("", 403, "empty"),
    ] {
        let answer = ask(&server, sql, "*/*").await;
        assert_eq!(answer.status, status, "{sql}: {:?}", answer.json());
        assert!(answer.json()["message"].as_str().expect("a message").contains(words), "{sql}: {:?}", answer.json());
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(server.post_as("/v1/sql", content_type, b"SELECT 1").await.status, 415, "{content_type}");
    }
    assert_eq!(server.post_as("/v1/sql", "application/json", b"SELECT 1").await.status, 400);
    assert_eq!(server.get("/v1/sql").await.header("allow"), Some("POST"));
    assert_eq!(ask(&server, SELECT, "image/png").await.status, 406);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_is_off_unless_it_was_asked_for() {
    let server = Server::start().await;
    let answer = ask(&server, "SELECT 1", "*/*").await;
    assert_eq!(answer.status, 403);
    assert!(answer.json()["message"].as_str().expect("a message").contains("--allow-sql"), "{:?}", answer.json());
}
