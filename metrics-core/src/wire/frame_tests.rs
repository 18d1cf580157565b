use proptest::prelude::*;

use super::*;
use crate::encode::{self, EncodeOptions, fixture};

fn refusal(text: &str) -> String {
    decode(text.as_bytes()).expect_err(text).to_string()
}

/// A frame around one series.
fn around(series: &str) -> String {
    format!(r#"{{"from":0,"to":1,"per":"hour","tz":"UTC","series":[{series}]}}"#)
}

#[test]
fn the_fixture_reads_back() {
    let frame = fixture::frame();
    assert_eq!(decode(&encode::json::frame(&frame, &EncodeOptions::default())), Ok(frame));
}

#[test]
fn small_epoch_times_keep_their_unit() {
    let mut frame = fixture::frame();
    (frame.from, frame.to) = (Timestamp::clamped(-5_000_000), Timestamp::clamped(7_000));
    let text = encode::json::frame(&frame, &EncodeOptions { epoch: EpochUnit::Micros });
    assert_eq!(decode(&text), Ok(frame));
    let frame = decode(around("").as_bytes()).expect("a frame without a unit");
    assert_eq!((frame.from, frame.to), (Timestamp::EPOCH, Timestamp::clamped(1_000_000)));
}

#[test]
fn what_a_newer_server_adds_is_passed_over() {
    let text = concat!(
        r#"{"version":[2,{"a":null}],"from":"1970-01-01","to":"1970-01-02","per":"raw","tz":"UTC","series":["#,
        r#"{"name":"a","kind":"gauge","time":["1970-01-01T00:00:00Z"],"value":[1],"entropy":[{"x":1}]}],"#,
        r#""explain":{"tiers":[{"tier":"week","rows":1,"bytes":7}],"pages":3}}"#
    );
    let frame = decode(text.as_bytes()).expect("readable");
    assert_eq!(frame.series[0].column_of(ColumnKind::Value), Some(&[Some(1.0)][..]));
    assert_eq!(frame.series[0].columns.len(), 1);
    let explain = frame.explain.expect("explained");
    assert_eq!(explain.tiers, [TierUse { tier: "other", rows: 1, chunks: 0 }]);
}

#[test]
fn what_is_no_frame_says_why() {
    for (text, expected) in [
        ("<html>".to_owned(), "expected a JSON value, found \"<\" at line 1 column 1"),
        ("[]".to_owned(), "the body is an array: an object is required"),
        (r#"{"message":"no"}"#.to_owned(), "\"from\" is missing"),
        (around("") + "x", "expected the end, found \"x\" at line 1 column 54"),
        (around(r#"{"time":[]}"#), "\"name\" is missing"),
        (around(r#"{"name":"a"}"#), "\"time\" is missing"),
        (around(r#"{"name":"","time":[]}"#), "name name is empty: a metric name has 1 to 255 bytes"),
        (around(r#"{"name":"a","time":[0],"avg":[]}"#), "column avg has 0 values, its series 1 times"),
        (around(r#"{"name":"a","time":[0],"avg":["1"]}"#), "avg is a text: a number is required"),
        (around(r#"{"name":"a","time":[0],"avg":[1e999]}"#), "avg holds \"1e999\", beyond a 64-bit float"),
        (around(r#"{"name":"a","time":["then"]}"#), "time is wrong: \"then\" is not a time"),
        (around(r#"{"name":"a","time":[0.5]}"#), "time holds \"0.5\": no time of the years 1 to 9999"),
        (
            around(r#"{"name":"a","time":[],"quantiles":{"p95":"guess"}}"#),
            "quantiles says \"guess\": exact or sketch is required",
        ),
        (around(r#"{"name":"a","time":[],"labels":{"a":1}}"#), "labels is a number: a text is required"),
        (around("").replace("UTC", "Mars"), "tz is \"Mars\": an IANA zone is required"),
        (
            around("").replace("{\"from", "{\"epoch\":\"s\",\"from"),
            "epoch is wrong: \"s\" is not a unit of epoch times",
        ),
        (around("").replace("]}", "],\"explain\":{\"series\":-1}}"), "series is \"-1\": a count is required"),
    ] {
        let told = refusal(&text);
        assert!(told.starts_with(&format!("the answer is no frame: {expected}")), "{text}: {told}");
    }
}

fn aggregate() -> impl Strategy<Value = ColumnKind> {
    prop::sample::select(&["avg", "min", "count", "stddev", "median", "p95", "p99.9", "rate"][..])
        .prop_map(|word| ColumnKind::Aggregate(word.parse().expect(word)))
}

prop_compose! {
    fn column(rows: usize)(
        kind in prop_oneof![1 => Just(ColumnKind::Value), 4 => aggregate()],
        values in prop::collection::vec(prop::option::of(any::<f64>().prop_filter("finite", |v| v.is_finite())), rows),
        sketch in any::<bool>(),
    ) -> Column {
        let quantile = matches!(kind, ColumnKind::Aggregate(aggregate) if aggregate.quantile().is_some());
        Column { kind, values, exactness: if sketch && quantile { Exactness::Sketch } else { Exactness::Exact } }
    }
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).prop_map(Timestamp::clamped)
}

fn series() -> impl Strategy<Value = FrameSeries> {
    (0..5_usize).prop_flat_map(|rows| {
        (
            "[^\\p{Cc}]{1,8}",
            prop::collection::btree_map("[^\\p{Cc}]{1,4}", "[^\\p{Cc}]{0,8}", 0..3),
            prop::collection::vec(timestamp(), rows),
            prop::collection::vec(column(rows), 0..4),
        )
            .prop_map(|(name, labels, time, mut columns)| {
                let mut seen = Vec::new();
                columns.retain(|column| {
                    !seen.contains(&column.kind) && {
                        seen.push(column.kind);
                        true
                    }
                });
                FrameSeries {
                    name: MetricName::new(&name).expect("valid"),
                    labels: Labels::new(labels).expect("valid"),
                    time,
                    columns,
                }
            })
    })
}

prop_compose! {
    fn frame()(
        (from, to) in (timestamp(), timestamp()),
        per in "[a-z0-9]{0,8}",
        zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        series in prop::collection::vec(series(), 0..4),
        explain in prop::option::of((prop::collection::vec((0..6_usize, any::<u64>(), any::<u64>()), 0..3), any::<u64>(), any::<u64>())),
    ) -> Frame {
        let explain = explain.map(|(tiers, series, elapsed_us)| Explain {
            tiers: tiers.into_iter().map(|(tier, rows, chunks)| TierUse { tier: TIERS[tier], rows, chunks }).collect(),
            series,
            elapsed_us,
        });
        Frame { from, to, per, zone, series, explain }
    }
}

proptest! {
    #[test]
    fn prop_encoding_and_decoding_are_inverse(frame in frame(), micros in any::<bool>()) {
        let epoch = if micros { EpochUnit::Micros } else { EpochUnit::Rfc3339 };
        let text = encode::json::frame(&frame, &EncodeOptions { epoch });
        prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok(), "{}", String::from_utf8_lossy(&text));
        prop_assert_eq!(decode(&text), Ok(frame));
    }

    #[test]
    fn prop_no_change_of_a_text_makes_it_panic(
        frame in frame(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\":,\\n-"[..])],
    ) {
        let mut text = encode::json::frame(&frame, &EncodeOptions::default());
        let at = at.index(text.len());
        text[at] = byte;
        let _ = decode(&text);
    }
}
