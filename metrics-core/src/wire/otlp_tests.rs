use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::wire::testing::otlp::*;
use crate::wire::testing::{cases, changed, changes};

const AT_NS: u64 = 1_706_874_182_099_000_999;

fn now() -> Timestamp {
    Timestamp::parse("2024-02-02T12:00:00Z").expect("valid")
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::Text(value.into()))
}

fn number(attributes: Vec<KeyValue>, value: f64) -> Number {
    Number { attributes, time_unix_nano: AT_NS, value: Some(Value::Double(value)), ..Number::default() }
}

fn numbers(data_points: Vec<Number>, aggregation_temporality: i32) -> Numbers {
    Numbers { data_points, aggregation_temporality, is_monotonic: true }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric { name: name.into(), data: Some(data) }
}

fn request(resource: Vec<KeyValue>, metrics: Vec<Metric>) -> Vec<u8> {
    let resource = Some(Resource { attributes: resource });
    let scope_metrics = vec![ScopeMetrics { metrics }];
    Request { resource_metrics: vec![ResourceMetrics { resource, scope_metrics }] }.encode_to_vec()
}

fn protobuf(body: &[u8]) -> OtlpOutcome {
    decode(body, OtlpEncoding::Protobuf, now()).expect("protobuf")
}

fn json(body: &str) -> OtlpOutcome {
    decode(body.as_bytes(), OtlpEncoding::Json, now()).expect(body)
}

fn of(metrics: Vec<Metric>) -> OtlpOutcome {
    protobuf(&request(Vec::new(), metrics))
}

/// Each point as `series value`, and its time where it is not [`AT_NS`].
fn points(outcome: &OtlpOutcome) -> Vec<String> {
    let all = outcome.batch.points().map(|(key, at, value)| match at.to_string().as_str() {
        "2024-02-02T11:43:02.099Z" => format!("{key} {value}"),
        other => format!("{key} {value} at {other}"),
    });
    all.collect()
}

fn errors(outcome: &OtlpOutcome) -> Vec<String> {
    outcome.errors.iter().map(ToString::to_string).collect()
}

/// The same request in both encodings, every kind of metric in it.
fn every_kind() -> [OtlpOutcome; 2] {
    let attributes = || vec![text("http.method", "GET")];
    let histogram = HistogramPoint {
        attributes: attributes(),
        time_unix_nano: AT_NS,
        count: 6,
        sum: Some(12.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.5, 10.0],
        flags: 0,
    };
    let exponential =
        ExponentialPoint { attributes: attributes(), time_unix_nano: AT_NS, count: 4, sum: Some(2.0), scale: 3 };
    let summary = SummaryPoint {
        attributes: attributes(),
        time_unix_nano: AT_NS,
        count: 9,
        sum: 4.5,
        quantile_values: vec![Quantile { quantile: 0.5, value: 0.25 }, Quantile { quantile: 1.0, value: 2.0 }],
    };
    let mut whole = number(attributes(), 0.0);
    whole.value = Some(Value::Int(-7));
    whole.exemplars = vec![Exemplar { time_unix_nano: 1 }; 2];
    let body = request(
        vec![text("service.name", "shop"), text("telemetry.sdk.name", "opentelemetry")],
        vec![
            metric("queue.size", Data::Gauge(numbers(vec![whole], 0))),
            metric("requests", Data::Sum(numbers(vec![number(attributes(), 5.0)], 2))),
            metric("bytes", Data::Sum(numbers(vec![number(attributes(), 1.5)], 1))),
            metric("latency", Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: 2 })),
            metric(
                "sizes",
                Data::Exponential(Exponential { data_points: vec![exponential], aggregation_temporality: 1 }),
            ),
            metric("rpc", Data::Summary(Summary { data_points: vec![summary] })),
        ],
    );
    let point =
        r#""attributes":[{"key":"http.method","value":{"stringValue":"GET"}}],"timeUnixNano":"1706874182099000999""#;
    let text = format!(
        r#" {{"resourceMetrics":[{{"scopeMetrics":[{{"scope":{{"name":"x"}},"metrics":[
        {{"name":"queue.size","unit":"1","gauge":{{"dataPoints":[{{{point},"asInt":"-7","exemplars":[{{}},{{"a":[1]}}]}}]}}}},
        {{"sum":{{"dataPoints":[{{{point},"asDouble":5}}],"aggregationTemporality":2,"isMonotonic":true}},"name":"requests"}},
        {{"name":"bytes","sum":{{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{{{point},"asDouble":"1.5"}}]}}}},
        {{"name":"latency","histogram":{{"dataPoints":[{{{point},"count":"6","sum":12.5,"bucketCounts":["1",2,"3"],"explicitBounds":[0.5,10],"min":null}}],"aggregationTemporality":2}}}},
        {{"name":"sizes","exponentialHistogram":{{"dataPoints":[{{{point},"count":4,"sum":2,"scale":3,"positive":{{"offset":1,"bucketCounts":["4"]}}}}],"aggregationTemporality":1}}}},
        {{"name":"rpc","summary":{{"dataPoints":[{{{point},"count":"9","sum":4.5,"quantileValues":[{{"quantile":0.5,"value":0.25}},{{"quantile":1,"value":2}}]}}]}}}}
        ]}}],"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}},{{"key":"telemetry.sdk.name","value":{{"stringValue":"x"}}}}]}}}}],"unknown":{{"a":[null]}}}} "#
    );
    [protobuf(&body), json(&text)]
}

#[test]
fn every_kind_becomes_series_from_either_encoding() {
    for outcome in every_kind() {
        let labels = r#"http_method="GET""#;
        let service = r#"service_name="shop""#;
        assert_eq!(
            points(&outcome),
            [
                format!("queue_size{{{labels},{service}}} -7"),
                format!("requests{{{labels},{service}}} 5"),
                format!("bytes{{{labels},{service},temporality=\"delta\"}} 1.5"),
                format!("latency_bucket{{{labels},le=\"0.5\",{service}}} 1"),
                format!("latency_bucket{{{labels},le=\"10\",{service}}} 3"),
                format!("latency_bucket{{{labels},le=\"+Inf\",{service}}} 6"),
                format!("latency_sum{{{labels},{service}}} 12.5"),
                format!("latency_count{{{labels},{service}}} 6"),
                format!("sizes_sum{{{labels},{service},temporality=\"delta\"}} 2"),
                format!("sizes_count{{{labels},{service},temporality=\"delta\"}} 4"),
                format!("rpc{{{labels},quantile=\"0.5\",{service}}} 0.25"),
                format!("rpc{{{labels},quantile=\"1\",{service}}} 2"),
                format!("rpc_sum{{{labels},{service}}} 4.5"),
                format!("rpc_count{{{labels},{service}}} 9"),
            ]
        );
        assert_eq!((outcome.rejected, outcome.exemplars, outcome.exponential_histograms), (0, 2, 1));
    }
}

#[test]
fn a_point_without_a_time_is_of_now_and_one_without_a_record_is_none() {
    let mut timeless = number(Vec::new(), 1.0);
    timeless.time_unix_nano = 0;
    let mut far = number(Vec::new(), 2.0);
    far.time_unix_nano = u64::MAX;
    let mut gone = number(Vec::new(), 3.0);
    gone.flags = 1;
    gone.value = None;
    let outcome = of(vec![metric("m", Data::Gauge(numbers(vec![timeless, far, gone], 0)))]);
    assert_eq!(points(&outcome), ["m 1 at 2024-02-02T12:00:00Z", "m 2 at 2554-07-21T23:34:33.709551Z"]);
    assert_eq!((outcome.stale_markers, outcome.rejected), (1, 0));
    let of_json = json(
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"flags":1},{"asDouble":"NaN"},{"asDouble":"-Infinity"}]}}]}]}]}"#,
    );
    assert_eq!(points(&of_json), ["m NaN at 2024-02-02T12:00:00Z", "m -inf at 2024-02-02T12:00:00Z"]);
    assert_eq!(of_json.stale_markers, 1);
}

#[test]
fn attributes_of_every_type_are_texts() {
    let nested = Any::Map(Map { values: vec![text("k", "a\"b"), KeyValue { key: "none".into(), value: None }] });
    let list = Any::Array(Array {
        values: [Any::Int(1), Any::Bool(true), nested].into_iter().map(|any| AnyValue { value: Some(any) }).collect(),
    });
    let attributes = vec![
        attribute("bool", Any::Bool(false)),
        attribute("int", Any::Int(-3)),
        attribute("double", Any::Double(1.5)),
        attribute("bytes", Any::Bytes(b"fo".to_vec())),
        attribute("list", list),
        KeyValue { key: "none".into(), value: None },
        text("empty", ""),
    ];
    let expected =
        r#"m{bool="false",bytes="Zm8=",double="1.5",int="-3",list="[1,true,{\"k\":\"a\\\"b\",\"none\":null}]"} 1"#;
    assert_eq!(points(&of(vec![metric("m", Data::Gauge(numbers(vec![number(attributes, 1.0)], 0)))])), [expected]);
    let of_json = json(
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":1706874182099000999,"asInt":1,"attributes":[
        {"key":"bool","value":{"boolValue":false}},{"key":"int","value":{"intValue":"-3"}},{"key":"double","value":{"doubleValue":1.5}},
        {"key":"bytes","value":{"bytesValue":"Zm8="}},{"value":{},"key":"none"},{"key":"empty","value":{"stringValue":""}},
        {"key":"list","value":{"arrayValue":{"values":[{"intValue":1},{"boolValue":true},{"kvlistValue":{"values":[
          {"key":"k","value":{"stringValue":"a\"b"}},{"key":"none"}]}}]}}}]}]}}]}]}]}"#,
    );
    assert_eq!(points(&of_json), [expected]);
}

#[test]
fn a_list_inside_of_lists_without_end_costs_its_point_only() {
    let mut any = Any::Int(1);
    for _ in 0..20 {
        any = Any::Array(Array { values: vec![AnyValue { value: Some(any) }] });
    }
    let bad = number(vec![attribute("deep", any)], 1.0);
    let outcome = of(vec![metric("m", Data::Gauge(numbers(vec![bad, number(Vec::new(), 2.0)], 0)))]);
    assert_eq!((points(&outcome).len(), outcome.rejected), (1, 1));
    assert_eq!(errors(&outcome), ["m: labels: the attribute \"deep\" nests too deep"]);
    let deep = format!("{}1{}", r#"{"arrayValue":{"values":["#.repeat(20), "]}}".repeat(20));
    let body = format!(r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"a","value":{deep}}}]}}}}]}}"#);
    let error = decode(body.as_bytes(), OtlpEncoding::Json, now()).expect_err("too deep").to_string();
    assert!(error.contains("at most 32 levels of nesting"), "{error}");
}

#[test]
fn points_that_break_a_bound_are_rejected_and_told() {
    let histogram = |counts: &[u64], bounds: &[f64]| {
        let point = HistogramPoint {
            bucket_counts: counts.to_vec(),
            explicit_bounds: bounds.to_vec(),
            ..HistogramPoint::default()
        };
        Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 2 })
    };
    let many = (0..33).map(|number| text(&number.to_string(), "x")).collect();
    let empty = Number { time_unix_nano: AT_NS, ..Number::default() };
    let long = "x".repeat(1_025);
    let outcome = of(vec![
        metric("good", Data::Gauge(numbers(vec![number(Vec::new(), 1.0)], 0))),
        metric("many", Data::Gauge(numbers(vec![number(many, 1.0)], 0))),
        metric("long", Data::Gauge(numbers(vec![number(vec![text("a", &long)], 1.0)], 0))),
        metric("empty", Data::Gauge(numbers(vec![empty], 0))),
        metric("since", Data::Sum(numbers(vec![number(Vec::new(), 1.0)], 0))),
        metric("", Data::Gauge(numbers(vec![number(Vec::new(), 1.0)], 0))),
        metric("few", histogram(&[1], &[1.0, 2.0])),
        metric("falling", histogram(&[1, 1, 1], &[2.0, 1.0])),
        metric("wide", histogram(&vec![1; 1_026], &vec![1.0; 1_025])),
        metric(&"n".repeat(250), histogram(&[1], &[])),
        metric("none", histogram(&[], &[])),
    ]);
    assert_eq!(
        errors(&outcome),
        [
            "many: labels: 33 labels: at most 32 are allowed".to_owned(),
            "long: labels: label \"a\" has a value of 1025 bytes: at most 1024 are allowed".into(),
            "empty: a data point without a value".into(),
            "since: aggregation temporality 0: 1 (delta) or 2 (cumulative) is required".into(),
            "name is empty: a metric name has 1 to 255 bytes".into(),
            "few: 1 bucket counts and 2 bounds: there is one count more than bounds".into(),
            "falling: the bounds of the buckets do not ascend".into(),
            "wide: more than 1024 buckets or quantiles".into(),
            format!("{}: name has 257 bytes: at most 255 are allowed", "n".repeat(64)),
        ]
    );
    assert_eq!(outcome.rejected, 9);
    assert_eq!(points(&outcome), ["good 1", "none_count 0 at 2024-02-02T12:00:00Z"]);
    assert_eq!(outcome.batch.series().len(), 2, "a rejected point registers no series");
}

#[test]
fn long_labels_on_many_series_are_bounded_before_they_are_made() {
    let attributes: Vec<KeyValue> = (0..31).map(|at| text(&at.to_string(), &"x".repeat(1_000))).collect();
    let point = |round: usize| HistogramPoint {
        attributes: [attributes.clone(), vec![]].concat(),
        time_unix_nano: AT_NS,
        bucket_counts: vec![1; 1_001],
        explicit_bounds: (0..1_000).map(|at| (round * 1_000 + at) as f64).collect(),
        ..HistogramPoint::default()
    };
    let data_points = (0..12).map(point).collect();
    let outcome = of(vec![metric("m", Data::Histogram(Histogram { data_points, aggregation_temporality: 2 }))]);
    assert!((1..12).contains(&outcome.rejected), "{} of 12 rejected", outcome.rejected);
    assert_eq!(errors(&outcome)[0], "m: names and labels of more than 256 MiB in one body: send it in parts");
    let bytes: usize = outcome.batch.series().iter().map(crate::wire::intern::key_bytes).sum();
    assert!(bytes <= crate::wire::MAX_BATCH_SERIES_BYTES, "{bytes}");
}

#[test]
fn bodies_that_are_no_request_are_refused_whole() {
    let good = request(Vec::new(), vec![metric("m", Data::Gauge(numbers(vec![number(Vec::new(), 1.0)], 0)))]);
    assert!(decode(&good[..good.len() - 1], OtlpEncoding::Protobuf, now()).is_err());
    for (body, expected) in [
        (r#"{"resourceMetrics":{}}"#, "body: expected an array, found \"{\" at line 1 column 20"),
        (r#"{"resourceMetrics":[1]}"#, "body: expected an object, found \"1\" at line 1 column 21"),
        (r#"{"resourceMetrics":[]"#, "body: expected a comma or }, found the end at line 1 column 22"),
        (r#"{"resourceMetrics":[]} x"#, "body: expected the end after the request, found \"x\" at line 1 column 24"),
        (
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"x"}]}}]}]}]}"#,
            "body: expected a whole number of 64 bits, found \"\\\"\" at line 1 column 94",
        ),
        (
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[],"aggregationTemporality":"often"}}]}]}]}"#,
            "body: expected a whole number of 64 bits, found \"\\\"\" at line 1 column 110",
        ),
    ] {
        assert_eq!(decode(body.as_bytes(), OtlpEncoding::Json, now()).expect_err(body).to_string(), expected);
    }
}

#[test]
fn a_request_in_json_is_told_from_points_of_our_own() {
    for (body, expected) in [
        (r#"{"resourceMetrics":[]}"#, true),
        ("\u{feff} \n{ \"resourceMetrics\" : nonsense", true),
        (r#"{"other":[{"a":"resourceMetrics"}],"resourceMetrics":[]}"#, true),
        (r#"{"name":"resourceMetrics","value":1}"#, false),
        (r#"{"value":1,"resourceMetrics":[]}"#, false),
        (r#"[{"resourceMetrics":[]}]"#, false),
        (r#"{"other":1}"#, false),
        ("{", false),
        ("", false),
    ] {
        assert_eq!(is_json_export(body.as_bytes()), expected, "{body}");
    }
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let attributes = || prop::collection::vec(("[a-z.]{1,4}", "[^\\p{Cc}]{0,6}"), 0..3);
    let attributes =
        || attributes().prop_map(|pairs| pairs.iter().map(|(key, value)| text(key, value)).collect::<Vec<_>>());
    let gauge = (attributes(), any::<f64>())
        .prop_map(|(attributes, value)| Data::Gauge(numbers(vec![number(attributes, value)], 0)));
    let sum = (attributes(), any::<f64>(), 0..3)
        .prop_map(|(attributes, value, kind)| Data::Sum(numbers(vec![number(attributes, value)], kind)));
    let histogram =
        (attributes(), prop::collection::vec(any::<u64>(), 1..5)).prop_map(|(attributes, bucket_counts)| {
            let explicit_bounds = (1..bucket_counts.len()).map(|bound| bound as f64).collect();
            let point = HistogramPoint {
                attributes,
                bucket_counts,
                explicit_bounds,
                sum: Some(1.0),
                ..HistogramPoint::default()
            };
            Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 1 })
        });
    let summary = attributes().prop_map(|attributes| {
        let quantile_values = vec![Quantile { quantile: 0.5, value: 1.0 }];
        Data::Summary(Summary {
            data_points: vec![SummaryPoint { attributes, quantile_values, ..SummaryPoint::default() }],
        })
    });
    let data = prop_oneof![gauge, sum, histogram, summary];
    let metrics = prop::collection::vec(("[a-z.]{1,5}", data), 1..4);
    (attributes(), metrics).prop_map(|(resource, metrics)| {
        request(resource, metrics.into_iter().map(|(name, data)| metric(&name, data)).collect())
    })
}

/// A request in JSON, every kind of member in it.
const TEMPLATE: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"a\u00e9"}}]},"scopeMetrics":[{"metrics":[
{"name":"h","histogram":{"dataPoints":[{"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"},{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}]}}}],
"timeUnixNano":"1706874182099000999","count":"3","sum":-1.5e3,"bucketCounts":["1","2"],"explicitBounds":[0.5],"exemplars":[{}],"flags":0}],"aggregationTemporality":2}},
{"name":"s","summary":{"dataPoints":[{"count":1,"sum":2,"quantileValues":[{"quantile":0.5,"value":"NaN"}]}]}},
{"name":"g","gauge":{"dataPoints":[{"asInt":"9007199254740993","attributes":[{"key":"b","value":{"bytesValue":"AA=="}}]},{"asDouble":1}]}}]}]}]}"#;

/// What holds whatever a body was.
fn check(result: Result<OtlpOutcome, DecodeError>) -> Result<(), TestCaseError> {
    if let Ok(outcome) = result {
        prop_assert!(outcome.errors.len() <= outcome.rejected);
        for index in 0..outcome.batch.series().len() {
            prop_assert!(outcome.batch.samples().iter().any(|sample| sample.series.index() == index));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn prop_no_change_of_a_request_in_protobuf_makes_it_panic(
        request in any_request(),
        changes in changes(b"\x0a\x12\x09\x11\x19\x3a\x01\x80\xFF"),
    ) {
        check(decode(&changed(request, &changes), OtlpEncoding::Protobuf, now()))?;
    }

    #[test]
    fn prop_no_change_of_a_request_in_json_makes_it_panic(changes in changes(b"{}[]\":,\\u0-e.n1")) {
        let body = changed(TEMPLATE.as_bytes().to_vec(), &changes);
        is_json_export(&body);
        check(decode(&body, OtlpEncoding::Json, now()))?;
    }

    #[test]
    fn prop_no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        check(decode(&body, OtlpEncoding::Protobuf, now()))?;
        check(decode(&body, OtlpEncoding::Json, now()))?;
    }
}
