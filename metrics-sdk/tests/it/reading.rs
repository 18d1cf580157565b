//! Reads: what is asked and how answers are understood.

use metrics_sdk::{Aggregate, GroupBy, Per, QueryRequest, Resolution, Timestamp};

use crate::server::{Answer, Server};

#[tokio::test]
async fn a_query_is_asked_in_full_and_its_frame_is_typed() {
    let body = r#"{"from":"2024-02-02T00:00:00Z","to":"2024-02-02T03:00:00Z","per":"hour","tz":"UTC","series":[
        {"name":"cpu","labels":{"host":"a"},"time":["2024-02-02T00:00:00Z","2024-02-02T01:00:00Z"],"avg":[1.5,null],"count":[2,0]}]}"#;
    let server = Server::start([Answer::of(200, body)]).await;
    let (from, to) = (Timestamp::parse("2024-02-02"), Timestamp::parse("2024-02-02T03:00:00Z"));
    let mut request = QueryRequest::new(["cpu"], from.expect("valid"), to.expect("valid")).expect("valid");
    request.per = Per::Every(Resolution::Hour);
    request.aggregates = vec![Aggregate::Avg, Aggregate::Count];
    request.filters = vec!["host=~a|b c".parse().expect("a filter")];
    request.group_by = GroupBy::Labels(vec!["host".into()]);

    let frame = server.client().query(&request).await.expect("answered");
    assert_eq!((frame.from, frame.to, frame.per.as_str()), (request.from, request.to, "hour"));
    let series = &frame.series[0];
    assert_eq!((series.name.as_str(), series.labels.get("host")), ("cpu", Some("a")));
    assert_eq!(series.time[1].to_string(), "2024-02-02T01:00:00Z");
    assert_eq!(series.column(Aggregate::Avg), Some(&[Some(1.5), None][..]));
    assert_eq!(series.column(Aggregate::Count), Some(&[Some(2.0), Some(0.0)][..]));

    let asked = server.asked();
    let (path, query) = asked[0].target.split_once('?').expect("parameters");
    assert_eq!((asked[0].method.as_str(), path), ("GET", "/v1/query"));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (key, value) in [
        ("name", "cpu"),
        ("from", "2024-02-02T00:00:00Z"),
        ("to", "2024-02-02T03:00:00Z"),
        ("per", "hour"),
        ("agg", "avg,count"),
        ("where", "host=~a|b c"),
        ("group_by", "host"),
    ] {
        assert!(pairs.contains(&(key.to_owned(), value.to_owned())), "{key}={value} is missing in {pairs:?}");
    }
}

#[tokio::test]
async fn names_series_and_latest_points_are_listed() {
    let series = r#"[{"name":"cpu","labels":{"host":"a"},"first":"2024-02-02T00:00:00Z","last":"2024-02-03T00:00:00Z","count":9}]"#;
    let latest = r#"[{"name":"cpu","labels":{"host":"a"},"timestamp":"2024-02-03T00:00:00Z","value":2.5}]"#;
    let names = r#"["cpu","humidity"]"#;
    let server = Server::start([names, series, latest, latest].map(|body| Answer::of(200, body))).await;
    let client = server.client();

    let names = client.metric_names().await.expect("answered");
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["cpu", "humidity"]);

    let filters = ["host=a".parse().expect("a filter"), "dc!=eu".parse().expect("a filter")];
    let all = client.series(Some("cpu"), &filters).await.expect("answered");
    assert_eq!((all.len(), all[0].key.to_string().as_str(), all[0].count), (1, "cpu{host=\"a\"}", 9));
    assert!(all[0].last_value.is_nan(), "a list of series does not tell it");

    let points = client.latest(Some("cpu"), &[]).await.expect("answered");
    assert_eq!((points[0].value, points[0].timestamp), (2.5, all[0].last));
    client.latest(None, &[]).await.expect("answered");

    let targets: Vec<String> = server.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(
        targets,
        ["/v1/metrics", "/v1/series?name=cpu&where=host%3Da&where=dc%21%3Deu", "/v1/latest?name=cpu", "/v1/latest"]
    );
}

#[cfg(feature = "arrow")]
#[tokio::test]
async fn an_answer_in_arrow_is_asked_for_and_read() {
    use std::sync::Arc;

    use arrow::array::{Float64Array, RecordBatch};
    use arrow::ipc::writer::StreamWriter;

    let column = Arc::new(Float64Array::from(vec![Some(1.5), None])) as arrow::array::ArrayRef;
    let batch = RecordBatch::try_from_iter([("avg", column)]).expect("a batch");
    let mut body = Vec::new();
    let mut writer = StreamWriter::try_new(&mut body, &batch.schema()).expect("a stream");
    writer.write(&batch).and_then(|()| writer.finish()).expect("written");
    let cut = body[..body.len() / 2].to_vec();

    let server = Server::start([Answer::Bytes(body), Answer::Bytes(cut)]).await;
    let request = QueryRequest::new(["cpu"], Timestamp::EPOCH, Timestamp::now()).expect("valid");
    assert_eq!(server.client().query_arrow(&request).await.expect("answered"), [batch]);
    let asked = server.asked();
    assert_eq!(asked[0].header("accept"), Some("application/vnd.apache.arrow.stream"));
    let error = server.client().query_arrow(&request).await.expect_err("half an answer");
    assert!(matches!(&error, metrics_sdk::ClientError::Answer { call: "GET /v1/query", .. }), "{error:?}");
}
