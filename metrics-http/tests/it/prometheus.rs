//! Prometheus' query API: the shape of answers and refusals, where parameters may stand, and bounds.
//! What expressions are worth, `client_promql.py` compares with a Prometheus.

use std::time::Duration;

use metrics_core::Options;
use metrics_http::ServerOptions;
use serde_json::{Value, json};

use crate::harness::{Answer, Server};

const FORM: &str = "application/x-www-form-urlencoded";

async fn fill(server: &Server) {
    let csv = "timestamp,name,value,host\n\
        2024-02-02T10:00:00Z,load,1,a\n2024-02-02T10:01:00Z,load,2.5,a\n\
        2024-02-02T10:01:00Z,load,6,b\n2024-02-02T10:01:00Z,free,7e-9,\n";
    assert_eq!(server.post_as("/v1/metrics", "text/csv", csv.as_bytes()).await.status, 201);
}

async fn filled() -> Server {
    let server = Server::start().await;
    fill(&server).await;
    server
}

fn data(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    let body = answer.json();
    assert_eq!(body["status"], "success");
    body["data"].clone()
}

/// Status, kind and text of a refusal, which is told in Prometheus' words and in ours.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    assert_eq!((&body["status"], &body["error"]), (&json!("error"), &json!(answer.message())));
    (answer.status, body["errorType"].as_str().expect("a kind").to_owned(), answer.message())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_is_answered_by_get_and_by_form() {
    let server = filled().await;
    let expected = json!({"resultType": "vector", "result": [
        {"metric": {"__name__": "load", "host": "a"}, "value": [1_706_868_061.5, "2.5"]},
        {"metric": {"__name__": "load", "host": "b"}, "value": [1_706_868_061.5, "6"]},
    ]});
    assert_eq!(data(&server.get("/api/v1/query?query=load&time=1706868061.5").await), expected);
    assert_eq!(data(&server.get("/api/v1/query?query=load&time=2024-02-02T10:01:01.500Z").await), expected);
    for (target, form) in [
        ("/api/v1/query", "query=load&time=1706868061.5"),
        ("/api/v1/query?time=1706868061.5", "query=load"),
        ("/api/v1/query?time=1&query=free", "query=load&time=1706868061.5"),
    ] {
        assert_eq!(data(&server.post_as(target, FORM, form.as_bytes()).await), expected, "{target}");
    }
    let other = server.post_as("/api/v1/query?query=1%2B1&time=4", "text/plain", b"query=load").await;
    assert_eq!(other.text(), r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#);
    assert_eq!(data(&server.get("/api/v1/query?query=%22a%22&time=4").await)["result"], json!([4, "a"]));
    let now = data(&server.get("/api/v1/query?query=time()").await)["result"][0].as_f64().expect("seconds");
    assert!(now > 1_700_000_000.0, "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_has_a_value_at_each_step() {
    let server = filled().await;
    let span = "start=2024-02-02T09:59:30Z&end=1706868180";
    let answer = server.get(&format!("/api/v1/query_range?query=load%7Bhost%3D%22b%22%7D&{span}&step=30")).await;
    assert_eq!(
        data(&answer),
        json!({"resultType": "matrix", "result": [{
            "metric": {"__name__": "load", "host": "b"},
            "values": [[1_706_868_060, "6"], [1_706_868_090, "6"], [1_706_868_120, "6"], [1_706_868_150, "6"], [1_706_868_180, "6"]],
        }]})
    );
    let minutes = server.get(&format!("/api/v1/query_range?query=count(load)&{span}&step=1m")).await;
    assert_eq!(data(&minutes)["result"][0]["values"].as_array().map(Vec::len), Some(3), "half past each minute");
    let small = data(&server.get("/api/v1/query?query=free&time=1706868061").await);
    assert_eq!(small["result"][0], json!({"metric": {"__name__": "free"}, "value": [1_706_868_061, "7e-9"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_cuts_off_and_says_so() {
    let server = filled().await;
    for target in ["query?query=load&time=1706868061", "series?match[]=load", "label/host/values?"] {
        let whole = server.get(&format!("/api/v1/{target}&limit=2")).await.json();
        assert_eq!(whole.get("warnings"), None, "{target}");
        let cut = server.get(&format!("/api/v1/{target}&limit=1")).await.json();
        assert_eq!(cut["warnings"], json!(["results truncated due to limit"]), "{target}");
    }
    assert_eq!(data(&server.get("/api/v1/labels?limit=0").await), json!(["__name__", "host"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn series_and_labels_are_told_by_selector_and_time() {
    let server = filled().await;
    let both = json!([{"__name__": "load", "host": "a"}, {"__name__": "load", "host": "b"}]);
    assert_eq!(data(&server.get("/api/v1/series?match[]=load").await), both);
    assert_eq!(data(&server.post_as("/api/v1/series", FORM, b"match%5B%5D=load&match[]=none").await), both);
    let early = "start=2024-02-02T10:00:00Z&end=2024-02-02T10:00:30Z";
    assert_eq!(data(&server.get(&format!("/api/v1/series?match[]=load&{early}")).await), json!([both[0]]));
    assert_eq!(data(&server.get("/api/v1/labels").await), json!(["__name__", "host"]));
    assert_eq!(data(&server.get("/api/v1/labels?match[]=free").await), json!(["__name__"]));
    assert_eq!(data(&server.get("/api/v1/label/__name__/values").await), json!(["free", "load"]));
    assert_eq!(data(&server.get(&format!("/api/v1/label/__name__/values?{early}")).await), json!(["load"]));
    assert_eq!(data(&server.get("/api/v1/label/host/values?match[]=load{host!=%22a%22}").await), json!(["b"]));
    assert_eq!(data(&server.get("/api/v1/label/none/values").await), json!([]));
    let metadata = data(&server.get("/api/v1/metadata?limit=1").await);
    assert_eq!(metadata, json!({"free": [{"type": "unknown", "help": "", "unit": ""}]}));
    assert_eq!(data(&server.get("/api/v1/metadata?metric=load").await).as_object().map(|all| all.len()), Some(1));
    assert_eq!(data(&server.get("/api/v1/rules").await), json!({"groups": []}));
    assert_eq!(data(&server.post_as("/api/v1/query_exemplars", FORM, b"query=load").await), json!([]));
    let info = data(&server.get("/api/v1/status/buildinfo").await);
    assert_eq!((info["version"].as_str(), info.get("features")), (Some("3.0.0"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_of_any_characters_has_values() {
    let server = Server::start().await;
    let point = r#"{"timestamp":1706868060,"name":"m","value":1,"labels":{"http.status_code":"200"}}"#;
    assert_eq!(server.post(point).await.status, 201);
    for name in ["http.status_code", "U__http_2e_status__code"] {
        assert_eq!(data(&server.get(&format!("/api/v1/label/{name}/values")).await), json!(["200"]), "{name}");
    }
    let quoted = "/api/v1/query?time=1706868061&query=%7B%22m%22%2C%22http.status_code%22%3D%22200%22%7D";
    assert_eq!(data(&server.get(quoted).await)["result"][0]["value"], json!([1_706_868_061, "1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_status_and_the_kind_of_prometheus() {
    let server = filled().await;
    let range = "start=0&end=3600&step=60";
    for (target, status, kind, words) in [
        ("query".to_owned(), 400, "bad_data", "\"query\""),
        ("query?query=load%5B5m".into(), 400, "bad_data", "unexpected end of input inside brackets"),
        ("query?query=mad_over_time(load%5B5m%5D)".into(), 400, "bad_data", "the function \"mad_over_time\""),
        ("query?query=load&time=now".into(), 400, "bad_data", "invalid parameter \"time\""),
        ("query?query=load&timeout=x".into(), 400, "bad_data", "invalid parameter \"timeout\""),
        ("query?query=load&limit=-1".into(), 400, "bad_data", "invalid parameter \"limit\""),
        (format!("query_range?query=load%5B5m%5D&{range}"), 400, "bad_data", "\"range vector\""),
        ("query_range?query=load&start=0&end=1".into(), 400, "bad_data", "\"step\""),
        ("query_range?query=load&start=0&end=1&step=0s".into(), 400, "bad_data", "\"step\""),
        ("query_range?query=load&start=0&end=1&step=0".into(), 400, "bad_data", "zero or negative"),
        ("query_range?query=load&start=0&end=12000&step=1".into(), 400, "bad_data", "11000 points"),
        ("query_range?query=load&start=1&end=0&step=1".into(), 400, "bad_data", "must not be before"),
        ("series".into(), 400, "bad_data", "no match[] parameter provided"),
        ("series?match[]=load%2B1".into(), 400, "bad_data", "invalid parameter \"match[]\""),
        ("labels?start=2&end=1".into(), 400, "bad_data", "must not be before"),
        ("query?query=load*on()load&time=1706868061".into(), 422, "execution", "many-to-many matching not allowed"),
        ("query?query=load&time=1706868061&timeout=0.000001".into(), 503, "timeout", "timed out"),
    ] {
        let (found, found_kind, message) = refusal(&server.get(&format!("/api/v1/{target}")).await);
        assert_eq!((found, &*found_kind), (status, kind), "{target}: {message}");
        assert!(message.contains(words), "{target}: {message}");
    }
    let put = server.send("PUT", "/api/v1/query", &[], b"").await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD, POST")));
    assert_eq!(server.send("POST", "/api/v1/metadata", &[], b"").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_bounds_hold_whatever_a_query_allows() {
    let options = ServerOptions { query_timeout: Duration::from_nanos(1), ..ServerOptions::default() };
    let server = Server::with_store(options, Options::default()).await;
    fill(&server).await;
    let late = refusal(&server.get("/api/v1/query?query=load&time=1706868061&timeout=1h").await);
    assert_eq!((late.0, &*late.1), (503, "timeout"));

    let store = Options { max_raw_rows: 2, ..Options::default() };
    let server = Server::with_store(ServerOptions::default(), store).await;
    fill(&server).await;
    let many = refusal(&server.get("/api/v1/query?query=rate(load%5B5m%5D)&time=1706868061").await);
    assert_eq!((many.0, &*many.1), (422, "execution"));
    assert!(many.2.contains("more than 2 points"), "{}", many.2);
    let figures = server.get("/metrics").await;
    let line = "\nmetrics_http_requests_total{route=\"/api/v1/query\",status=\"422\"} 1\n";
    assert!(figures.text().contains(line), "{}", figures.text());
}
