//! Queries and lists.

use serde_json::json;

use crate::harness::Server;

/// Four points of two hosts, and one of another metric.
async fn filled() -> Server {
    let server = Server::start().await;
    let csv = "timestamp,name,value,host\n\
        2024-02-02T10:00:00Z,load,1,a\n2024-02-02T10:30:00Z,load,2,a\n\
        2024-02-02T10:45:00Z,load,6,b\n2024-02-02T11:15:00Z,load,4.5,b\n2024-02-02T11:15:00Z,free,7,\n";
    assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
    server
}

const SPAN: &str = "from=2024-02-02T10:00:00Z&to=2024-02-02T12:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_query_answers_by_column() {
    let server = filled().await;
    let answer = server.get(&format!("/v1/query?name=load&{SPAN}&per=hour&agg=avg,count,max")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(
        answer.json(),
        json!({
            "from": "2024-02-02T10:00:00Z", "to": "2024-02-02T12:00:00Z", "per": "hour", "tz": "UTC",
            "series": [{
                "name": "load", "labels": {}, "time": ["2024-02-02T10:00:00Z", "2024-02-02T11:00:00Z"],
                "avg": [3, 4.5], "count": [3, 1], "max": [6, 4.5],
            }],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_groups_order_and_limit_reach_the_store() {
    let server = filled().await;
    let grouped = server.get(&format!("/v1/query?name=load&{SPAN}&per=hour&group_by=host")).await.json();
    assert_eq!(grouped["series"][0]["labels"], json!({"host": "a"}));
    assert_eq!((&grouped["series"][0]["avg"], &grouped["series"][1]["avg"]), (&json!([1.5]), &json!([6, 4.5])));
    let filtered = server.get(&format!("/v1/query?name=load&{SPAN}&per=hour&where=host%3Db&order=desc&limit=1")).await;
    assert_eq!(filtered.json()["series"][0]["time"], json!(["2024-02-02T11:00:00Z"]));
    let two = server.get(&format!("/v1/query?name=load&name=free&{SPAN}&per=day")).await.json();
    let names: Vec<_> = two["series"].as_array().expect("a list").iter().map(|series| series["name"].clone()).collect();
    assert_eq!(names, ["free", "load"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_points_have_the_column_value() {
    let server = filled().await;
    let answer = server.get(&format!("/v1/query?name=free&{SPAN}&per=raw&epoch=ms")).await.json();
    assert_eq!(
        answer["series"],
        json!([{"name": "free", "labels": {}, "time": [1_706_872_500_000_u64], "value": [7]}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_chooses_the_format() {
    let server = filled().await;
    let target = format!("/v1/query?name=load&{SPAN}&per=hour&agg=avg");
    let csv = server.send("GET", &target, &[("accept", "text/csv")], b"").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.text(), "time,name,avg\n2024-02-02T10:00:00Z,load,3\n2024-02-02T11:00:00Z,load,4.5\n");
    let lines = server.send("GET", &target, &[("accept", "application/x-ndjson")], b"").await;
    let rows: Vec<serde_json::Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows[1], json!({"time": "2024-02-02T11:00:00Z", "name": "load", "labels": {}, "avg": 4.5}));
    assert_eq!((lines.header("content-type"), rows.len()), (Some("application/x-ndjson"), 2));
    let none = server.send("GET", &target, &[("accept", "image/png")], b"").await;
    assert_eq!((none.status, none.message().contains("text/csv")), (406, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let server = filled().await;
    for (query, word) in [
        ("", "name"),
        ("name=load&per=fortnight", "per"),
        ("name=load&from=then", "from"),
        ("name=load&agg=mode", "agg"),
        ("name=load&where=host", "where"),
        ("name=load&epoch=s", "epoch"),
        ("name=load&epoch=ms&epoch=us", "epoch"),
        ("name=load&colour=red", "colour"),
        ("name=load&limit=0", "limit"),
        ("name=load&from=2024-02-03&to=2024-02-02", "before"),
    ] {
        let answer = server.get(&format!("/v1/query?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert!(answer.message().contains(word), "{query}: {}", answer.message());
    }
    for target in ["/v1/series?from=now", "/v1/latest?name=a&name=b", "/v1/series?where=x"] {
        assert_eq!(server.get(target).await.status, 400, "{target}");
    }
    let too_many = server.get("/v1/query?name=load&per=1us&from=2000-01-01&to=2025-01-01&fill=zero").await;
    assert_eq!((too_many.status, too_many.message().contains("windows")), (400, true), "{}", too_many.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn series_and_latest_values_are_listed() {
    let server = filled().await;
    assert_eq!(
        server.get("/v1/series?name=load").await.json(),
        json!([
            {"name": "load", "labels": {"host": "a"}, "first": "2024-02-02T10:00:00Z", "last": "2024-02-02T10:30:00Z", "last_value": 2, "count": 2},
            {"name": "load", "labels": {"host": "b"}, "first": "2024-02-02T10:45:00Z", "last": "2024-02-02T11:15:00Z", "last_value": 4.5, "count": 2},
        ])
    );
    assert_eq!(
        server.get("/v1/latest?where=host%21%3Da").await.json(),
        json!([
            {"name": "free", "labels": {}, "timestamp": "2024-02-02T11:15:00Z", "value": 7},
            {"name": "load", "labels": {"host": "b"}, "timestamp": "2024-02-02T11:15:00Z", "value": 4.5},
        ])
    );
    assert_eq!(server.get("/v1/series?name=none").await.text(), "[]");
    assert_eq!(server.get("/v1/labels").await.text(), r#"["host"]"#);
    assert_eq!(server.get("/v1/labels/host").await.text(), r#"["a","b"]"#);
    assert_eq!(server.get("/v1/labels/none").await.text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_figures_count_what_happened() {
    let server = filled().await;
    assert_eq!(server.post("nonsense").await.status, 400);
    assert_eq!(server.get("/nowhere").await.status, 404);
    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "metrics_store_points 5",
        "metrics_store_series 3",
        "metrics_http_points_accepted_total 5",
        "metrics_http_writes_rejected_total{reason=\"malformed\"} 1",
        "metrics_http_writes_rejected_total{reason=\"queue_full\"} 0",
        "metrics_http_requests_total{route=\"/v1/metrics\",status=\"201\"} 1",
        "metrics_http_requests_total{route=\"/v1/metrics\",status=\"400\"} 1",
        "metrics_http_requests_total{route=\"unknown\",status=\"404\"} 1",
        "metrics_http_request_duration_seconds_count{route=\"/v1/metrics\"} 2",
        "metrics_write_queue_points 0",
        "metrics_store_commit_duration_seconds_count 1",
        "metrics_store_commit_duration_seconds_bucket{le=\"+Inf\"} 1",
        "metrics_store_committed_points_total 5",
        "metrics_store_memory_points 5",
        "metrics_store_sealed_age_seconds 0",
        "metrics_http_streams 0",
        "# TYPE process_resident_memory_bytes gauge",
        "# TYPE metrics_store_wal_bytes gauge",
    ] {
        assert!(answer.text().lines().any(|given| given == line), "{line} is missing in\n{}", answer.text());
    }
    let families = answer.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")).count();
    assert_eq!(families, answer.text().matches("# HELP ").count());
}
