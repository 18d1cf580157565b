use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::model::{Labels, MetricName, Point, SeriesKey};
use crate::wire::error::Chunk;

fn now() -> Timestamp {
    Timestamp::parse("2024-02-02T12:00:00Z").expect("valid")
}

/// Each point as `series time value`.
fn points(batch: &Batch) -> Vec<String> {
    batch.points().map(|(key, timestamp, value)| format!("{key} {timestamp} {value}")).collect()
}

fn decoded(body: &str) -> Vec<String> {
    points(&decode(body.as_bytes(), now()).expect(body))
}

fn refusal(body: impl AsRef<[u8]>) -> String {
    decode(body.as_ref(), now()).expect_err("must be refused").to_string()
}

#[test]
fn a_point_of_the_seed_is_read() {
    assert_eq!(
        decoded(r#"{"timestamp":"2024-02-02T11:43:02.099Z","name":"temperature","value":30}"#),
        ["temperature 2024-02-02T11:43:02.099Z 30"]
    );
}

#[test]
fn times_are_text_or_epoch_integers_or_now() {
    assert_eq!(
        decoded(
            r#" [ {"name":"a","value":1}, {"value":-2.5e0,"timestamp":1706874182099,"name":"a","labels":{}},
            {"timestamp":-1,"name":"a","value":3},{"timestamp":"1706874182","name":"a","value":4},
            {"timestamp":"2024-02-02T12:43:02\u002b01:00","name":"a","value":5} ] "#
        ),
        [
            "a 2024-02-02T12:00:00Z 1",
            "a 2024-02-02T11:43:02.099Z -2.5",
            "a 1969-12-31T23:59:59Z 3",
            "a 2024-02-02T11:43:02Z 4",
            "a 2024-02-02T11:43:02Z 5"
        ]
    );
}

#[test]
fn labels_in_any_order_and_spelling_are_one_series() {
    let body = r#"[{"name":"a","value":1,"labels":{"x":"1","y":"2"}},{"name":"a","value":2,"labels":{"y":"2", "x":"1","z":""}},
        {"labels":{"x":"1","y":"2"},"na\u006de":"\u0061","value":3},{"name":"a","value":4},{"name":"a","value":5,"labels":{"x":"1","y":"2"}}]"#;
    let batch = decode(body.as_bytes(), now()).expect("valid");
    assert_eq!(batch.series().iter().map(ToString::to_string).collect::<Vec<_>>(), ["a{x=\"1\",y=\"2\"}", "a"]);
    assert_eq!(batch.samples().iter().map(|sample| sample.series.index()).collect::<Vec<_>>(), [0, 0, 0, 1, 0]);
}

#[test]
fn an_empty_array_holds_no_point_and_a_blank_body_is_refused() {
    assert_eq!(decoded("[]").len(), 0);
    for body in ["", " \r\n\t", "\u{feff}"] {
        assert!(matches!(decode(body.as_bytes(), now()), Err(DecodeError::Empty)), "{body:?}");
        assert!(matches!(decode_lines(body.as_bytes(), now()), Err(DecodeError::Empty)), "{body:?}");
    }
    assert_eq!(decoded("\u{feff}{\"name\":\"a\",\r\n\"value\":1}\r\n"), ["a 2024-02-02T12:00:00Z 1"]);
}

#[test]
fn bad_members_are_told_with_their_field() {
    for (members, expected) in [
        (r#""value":"NaN""#, r#"value is the text "NaN": a finite number is required"#),
        (r#""value":NaN"#, "value is NaN: a finite number is required"),
        (r#""value":-Infinity"#, "value is -Infinity: a finite number is required"),
        (r#""value":null"#, "value is null: a finite number is required"),
        (r#""value":true"#, "value is true: a finite number is required"),
        (r#""value":[1,{"a":[]}]"#, "value is an array: a finite number is required"),
        (r#""value":1e400"#, "value 1e400 is beyond the range of a 64-bit float, 1.8e308"),
        (
            r#""timestamp":null"#,
            "timestamp is null: RFC 3339 text or an integer of epoch seconds, ms, us or ns is required",
        ),
        (
            r#""timestamp":1.5"#,
            "timestamp is the number 1.5: RFC 3339 text or an integer of epoch seconds, ms, us or ns is required",
        ),
        (r#""timestamp":9223372036854775807000"#, "timestamp is the number 9223372036854775807000: RFC 3339"),
        (r#""timestamp":-99999999999999"#, "timestamp -99999999999999 is outside the years 1 to 9999"),
        (r#""timestamp":"2024-02-30T00:00:00Z""#, r#"timestamp: "2024-02-30T00:00:00Z" is not a time: use RFC 3339"#),
        (r#""timestamp":"""#, r#"timestamp: "" is not a time"#),
        (r#""timestamp":"\ud800""#, "timestamp holds half of a surrogate pair"),
        (r#""name":"""#, "name is empty: a metric name has 1 to 255 bytes"),
        (r#""name":7"#, "name is the number 7: a text is required"),
        (r#""name":"a\u0000b""#, "name holds the control character U+0000: only printable text is allowed"),
        (r#""name":"\udc00""#, "name holds half of a surrogate pair"),
        (r#""labels":null"#, r#"labels is null: an object of texts such as {"host":"a"} is required"#),
        (r#""labels":["a"]"#, r#"labels is an array: an object of texts such as {"host":"a"} is required"#),
        (r#""labels":{"host":1}"#, r#"labels: label "host" is a number: a text is required"#),
        (r#""labels":{"host":{"a":"b"}}"#, r#"labels: label "host" is an object: a text is required"#),
        (r#""labels":{"host":"a","h\u006fst":""}"#, r#"labels: label "h\\u006fst" is given twice"#),
        (r#""labels":{"":"a"}"#, "labels: a label name has 0 bytes: 1 to 255 are allowed"),
        (r#""labels":{"a":"\n"}"#, "labels: a holds the control character U+000A"),
        (r#""labels":{"a":"\ud800"}"#, r#"labels: label "a" holds half of a surrogate pair"#),
        (r#""vaule":1"#, "vaule: unknown field: a point has timestamp, name, value and labels"),
        (r#""\u0001":{"deep":[1,2]}"#, "\\\\u0001: unknown field"),
    ] {
        let rest = [r#""name":"a""#, r#""value":1"#].into_iter().filter(|rest| rest[..6] != members[..6]);
        let point = format!("{{{}}}", rest.chain([members]).collect::<Vec<_>>().join(","));
        let body = format!(r#"[{{"name":"good","value":1}},{point},{{"name":"good","value":2}}]"#);
        let text = refusal(&body);
        assert!(text.starts_with(&format!("index 1: {expected}")), "{members}: {text}");
        assert!(refusal(&point).starts_with(expected), "{members}: a single point has no index");
    }
}

#[test]
fn missing_and_repeated_members_are_refused() {
    let example = r#"an object such as {"timestamp":"2024-02-02T11:43:02Z","name":"temperature","value":21.5}"#;
    assert_eq!(refusal("{}"), format!("name is missing: a point is {example}"));
    assert_eq!(refusal(r#"[{"name":"a"}]"#), format!("index 0: value is missing: a point is {example}"));
    assert_eq!(refusal("[[1]]"), format!("index 0: an array is no point: {example} is required"));
    assert_eq!(refusal("7"), format!("a number is no point: {example} is required"));
    for (field, value) in [("name", "\"a\""), ("value", "1"), ("timestamp", "1"), ("labels", "{}")] {
        let body = format!(r#"{{"{field}":{value},"name":"a","value":1,"{field}":{value}}}"#);
        assert_eq!(refusal(&body), format!("{field} is given twice"));
    }
}

#[test]
fn bounds_of_names_and_labels_hold() {
    let name = |bytes: usize| format!(r#"{{"name":"{}","value":1}}"#, "a".repeat(bytes));
    assert_eq!(decoded(&name(255)).len(), 1);
    assert_eq!(refusal(name(256)), "name has 256 bytes: at most 255 are allowed");
    let labels = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|number| format!(r#""l{number}":"x""#)).collect();
        format!(r#"{{"name":"a","value":1,"labels":{{{}}}}}"#, pairs.join(","))
    };
    assert_eq!(decoded(&labels(32)).len(), 1);
    assert!(refusal(labels(33)).starts_with("labels: 33 labels: at most 32 are allowed"));
    assert!(refusal(labels(5_000)).starts_with("labels: 33 labels: at most 32 are allowed"));
}

#[test]
fn bytes_that_are_no_utf_8_are_the_fault_of_their_row() {
    assert_eq!(refusal(b"[{\"name\":\"a\xFF\",\"value\":1}]"), "index 0: name holds bytes that are no UTF-8");
    assert_eq!(
        refusal(b"[{\"name\":\"a\",\"value\":1,\"labels\":{\"h\":\"\xC3\"}}]"),
        "index 0: labels: label \"h\" holds bytes that are no UTF-8"
    );
    assert!(
        refusal(b"{\"timestamp\":\"\xFF\",\"name\":\"a\",\"value\":1}")
            .starts_with("timestamp: \"\u{FFFD}\" is not a time")
    );
    assert!(refusal(b"{\"\xFF\":1}").starts_with("\u{FFFD}: unknown field"));
    assert!(refusal(b"\xFF\xFE{\0").contains("UTF-16"));
}

#[test]
fn what_is_no_json_is_told_with_index_line_and_column() {
    for (body, expected) in [
        ("nonsense", "body: expected a JSON value, found \"n\" at line 1 column 1"),
        ("\0", "body: expected a JSON value, found \"\\0\" at line 1 column 1"),
        (
            "[{\"name\":\"a\",\"value\":1},\n{\"name\":\"a\" \"value\":1}]",
            "index 1: expected a comma or }, found \"\\\"\" at line 2 column 13",
        ),
        ("[{\"name\":\"a\",\"value\":1}", "index 1: expected a comma or ], found the end at line 1 column 24"),
        ("[{\"name\":\"a\",\"value\":1}] x", "body: expected the end after the array, found \"x\" at line 1 column 26"),
        (
            "{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\",\"value\":1}",
            "body: expected the end after one point (many points are an array, or one a line as application/x-ndjson), found \"{\" at line 2 column 1",
        ),
        ("{\"name\":\"a\",\"value\":.5}", "body: expected a JSON value, found \".\" at line 1 column 21"),
        (
            "{\"name\":\"a\0\",\"value\":5}",
            "body: expected an escape in place of a control character, found \"\\0\" at line 1 column 11",
        ),
    ] {
        assert!(matches!(decode(body.as_bytes(), now()), Err(DecodeError::Syntax { .. })), "{body}");
        assert_eq!(refusal(body), expected, "{body}");
    }
    let deep = format!("[{}", "[".repeat(1_000_000));
    assert_eq!(refusal(&deep), "index 0: expected at most 32 levels of nesting, found \"[\" at line 1 column 33");
    let deep = format!("{{\"name\":\"a\",\"value\":1,\"labels\":{}", "{\"a\":".repeat(100_000));
    assert!(refusal(&deep).contains("at most 32 levels of nesting"));
}

#[test]
fn huge_numbers_are_read_or_refused_but_never_wrong() {
    let value = |digits: &str| format!(r#"[{{"name":"a","value":{digits}}}]"#);
    assert!(refusal(value(&"9".repeat(100_000))).contains("… is beyond the range of a 64-bit float"));
    assert_eq!(decoded(&value(&format!("1.{}", "0".repeat(100_000)))), ["a 2024-02-02T12:00:00Z 1"]);
    assert_eq!(decoded(&value("1e-400")), ["a 2024-02-02T12:00:00Z 0"]);
}

#[test]
fn the_first_ten_bad_points_are_listed_and_all_are_counted() {
    let body = format!("[{}]", vec![r#"{"name":"a","value":1},{"name":"a","value":null}"#; 15].join(","));
    let error = decode(body.as_bytes(), now()).expect_err("bad points");
    let DecodeError::Rows { first, total } = &error else { panic!("{error:?}") };
    assert_eq!(
        (first.len(), *total, first[9].place, first[9].field.as_deref()),
        (10, 15, Place::Index(19), Some("value"))
    );
    assert!(error.to_string().ends_with("; and 5 more"));
}

#[test]
fn lines_are_points_and_blank_ones_are_passed_over() {
    let body = "\u{feff}{\"name\":\"a\",\"value\":1}\r\n\r\n \n{\"name\":\"a\",\"value\":2}";
    assert_eq!(
        points(&decode_lines(body.as_bytes(), now()).expect("valid")),
        ["a 2024-02-02T12:00:00Z 1", "a 2024-02-02T12:00:00Z 2"]
    );
    let body = "\n{\"name\":\"a\",\"value\":1} 2\n[]\n{\"name\":\"a\",\"value\":1}\n{\"value\":1}\n{\"name\":\"a\",\n\"value\":1}\n";
    let error = decode_lines(body.as_bytes(), now()).expect_err("bad lines");
    let DecodeError::Rows { first, total: 5 } = &error else { panic!("{error:?}") };
    let told: Vec<String> = first.iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "line 2: expected the end of the line after one point, found \"2\" at column 24");
    assert!(told[1].starts_with("line 3: an array is no point"), "{told:?}");
    assert!(told[2].starts_with("line 5: name is missing"), "{told:?}");
    assert_eq!(told[3], "line 6: expected a key in double quotes, found the end at column 13");
    assert_eq!(told[4], "line 7: expected the end of the line after one point, found \":\" at column 8");
}

#[test]
fn a_reader_gives_bad_lines_beside_good_ones_chunk_by_chunk() {
    let body = "\u{feff}{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\",\"value\":9} x\n\n{\"name\":\"b\",\"value\":2}\n{\"name\":\"a\",\"value\":3}\n";
    let mut reader = LinesReader::new(body.as_bytes(), now());
    let mut seen = Vec::new();
    while let Some(Chunk { batch, errors }) = reader.next_batch(2).expect("readable") {
        seen.push((points(&batch), errors.len()));
    }
    assert_eq!(seen[0], (vec!["a 2024-02-02T12:00:00Z 1".to_owned()], 1), "nothing of a bad line is kept");
    assert_eq!(seen[1], (vec!["b 2024-02-02T12:00:00Z 2".to_owned(), "a 2024-02-02T12:00:00Z 3".to_owned()], 0));
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_line_beyond_its_bound_is_passed_over_in_constant_memory() {
    let long = b"{\"name\":\"a\",\"value\":1}\n"
        .chain(std::io::repeat(b' ').take(5_000_000))
        .chain(&b"\n{\"name\":\"a\",\"value\":2}"[..]);
    let mut reader = LinesReader::new(std::io::BufReader::new(long), now());
    let chunk = reader.next_batch(100).expect("readable").expect("lines");
    assert_eq!(points(&chunk.batch), ["a 2024-02-02T12:00:00Z 1", "a 2024-02-02T12:00:00Z 2"]);
    assert_eq!(
        chunk.errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["line 2: longer than 1048576 bytes: one point a line is required"]
    );
}

#[test]
fn a_file_in_utf_16_is_refused_at_once() {
    let mut reader = LinesReader::new(&b"\xFF\xFE{\0\"\0\n\0"[..], now());
    assert_eq!(reader.next_batch(10).expect_err("UTF-16").to_string(), "body: the text is UTF-16: UTF-8 is required");
}

#[test]
fn a_value_that_is_not_finite_is_encoded_as_what_readers_refuse() {
    let mut batch = Batch::new();
    let series = batch.intern(SeriesKey::new(MetricName::new("a").expect("valid"), Labels::empty()));
    batch.push_any(series, Timestamp::EPOCH, f64::NAN);
    assert_eq!(refusal(encode(&batch)), "index 0: value is null: a finite number is required");
    assert_eq!(encode(&Batch::new()), b"[]");
}

prop_compose! {
    fn point()(
        name in "[^\\p{Cc}]{1,12}",
        micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
        value in any::<f64>().prop_filter("finite", |v| v.is_finite()),
        labels in prop::collection::btree_map("[a-c\"\\\\é]{1,3}", "[^\\p{Cc}]{0,8}", 0..4),
    ) -> Point {
        Point::new(&name, Timestamp::clamped(micros), value).and_then(|point| point.with_labels(labels)).expect("valid")
    }
}

fn all(batch: &Batch) -> Vec<(SeriesKey, Timestamp, u64)> {
    batch.points().map(|(key, timestamp, value)| (key.clone(), timestamp, value.to_bits())).collect()
}

proptest! {
    #![proptest_config(crate::wire::testing::cases(1_000))]

    #[test]
    fn prop_encoding_and_decoding_are_inverse(points in prop::collection::vec(point(), 0..20)) {
        let batch: Batch = points.into_iter().collect();
        let body = encode(&batch);
        prop_assert_eq!(all(&decode(&body, now()).expect("own encoding")), all(&batch));
        if !batch.is_empty() {
            let theirs: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            let lines: String = theirs.as_array().expect("an array").iter().map(|point| format!("{point}\n")).collect();
            prop_assert_eq!(decode_lines(lines.as_bytes(), now()).expect("own encoding").len(), batch.len());
        }
    }

    #[test]
    fn prop_no_change_of_a_body_makes_it_panic(
        points in prop::collection::vec(point(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\":,\\u0-e"[..])], any::<bool>()), 1..4),
    ) {
        let mut body = encode(&points.into_iter().collect());
        for (at, byte, insert) in changes {
            let at = at.index(body.len());
            if insert { body.insert(at, byte) } else { body[at] = byte }
        }
        for result in [decode(&body, now()), decode_lines(&body, now())] {
            if let Err(error) = result {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn prop_no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = (decode(&body, now()), decode_lines(&body, now()));
    }
}
