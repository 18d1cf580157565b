use proptest::prelude::*;

use super::*;
use crate::model::{Labels, MetricName};

fn now() -> Timestamp {
    Timestamp::parse("2024-02-02T12:00:00Z").expect("valid")
}

fn outcome(body: impl AsRef<[u8]>) -> LineOutcome {
    decode(body.as_ref(), &LineOptions { precision: Precision::Nanoseconds, now: now() })
}

/// Each point as `series time value`.
fn points(batch: &Batch) -> Vec<String> {
    batch.points().map(|(key, timestamp, value)| format!("{key} {timestamp} {value}")).collect()
}

/// The points of a body without a bad line.
fn decoded(body: &str) -> Vec<String> {
    let outcome = outcome(body);
    assert_eq!(outcome.errors, [], "{body}");
    points(&outcome.batch)
}

fn refusal(line: impl AsRef<[u8]>) -> String {
    let outcome = outcome(line);
    assert_eq!((outcome.error_count, outcome.batch.len(), outcome.batch.series().len()), (1, 0, 0));
    outcome.errors[0].to_string()
}

#[test]
fn numbers_and_booleans_are_metrics_and_texts_are_counted() {
    let outcome =
        outcome("m,host=a f=1.5,i=-2i,u=3u,yes=t,no=False,e=1e3,s=\"a, b=\\\"c\\\"\",value=7 1706874182099000999\n");
    assert_eq!(
        points(&outcome.batch),
        [
            "m_f{host=\"a\"} 2024-02-02T11:43:02.099Z 1.5",
            "m_i{host=\"a\"} 2024-02-02T11:43:02.099Z -2",
            "m_u{host=\"a\"} 2024-02-02T11:43:02.099Z 3",
            "m_yes{host=\"a\"} 2024-02-02T11:43:02.099Z 1",
            "m_no{host=\"a\"} 2024-02-02T11:43:02.099Z 0",
            "m_e{host=\"a\"} 2024-02-02T11:43:02.099Z 1000",
            "m{host=\"a\"} 2024-02-02T11:43:02.099Z 7",
        ]
    );
    assert_eq!((outcome.skipped_strings, outcome.error_count), (1, 0));
}

#[test]
fn timestamps_follow_the_precision_and_may_be_absent_or_negative() {
    for (precision, number, expected) in [
        (Precision::Nanoseconds, "1706874182099000000", "2024-02-02T11:43:02.099Z"),
        (Precision::Nanoseconds, "-1", "1969-12-31T23:59:59.999999Z"),
        (Precision::Microseconds, "1706874182099000", "2024-02-02T11:43:02.099Z"),
        (Precision::Milliseconds, "1706874182099", "2024-02-02T11:43:02.099Z"),
        (Precision::Seconds, "1706874182", "2024-02-02T11:43:02Z"),
        (Precision::Seconds, "5", "1970-01-01T00:00:05Z"),
        (Precision::Minutes, "28447903", "2024-02-02T11:43:00Z"),
        (Precision::Hours, "474131", "2024-02-02T11:00:00Z"),
        (Precision::Seconds, "", "2024-02-02T12:00:00Z"),
    ] {
        let outcome = decode(format!("m value=1 {number}").as_bytes(), &LineOptions { precision, now: now() });
        assert_eq!(points(&outcome.batch), [format!("m {expected} 1")], "{precision}");
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    for number in ["253402300800", "9223372036854775807"] {
        let options = LineOptions { precision: Precision::Seconds, now: now() };
        let errors = decode(format!("m value=1 {number}").as_bytes(), &options).errors;
        assert_eq!(errors[0].to_string(), format!("line 1: timestamp {number} s is outside the years 1 to 9999"));
    }
    assert_eq!(
        "d".parse::<Precision>().expect_err("days").to_string(),
        "\"d\" is not a precision: use ns, us, ms, s, m or h"
    );
    assert_eq!(("n".parse(), "u".parse()), (Ok(Precision::Nanoseconds), Ok(Precision::Microseconds)));
}

#[test]
fn escapes_stand_for_what_they_hide() {
    assert_eq!(
        decoded(r"my\ m\,x\=y,ta\ g\,k\=1=v\ a\,l\=2 fi\ e\,l\=d=1 0"),
        [r#"my m,x\=y_fi e,l=d{ta g,k=1="v a,l=2"} 1970-01-01T00:00:00Z 1"#],
        "an equals sign needs no escape in a measurement"
    );
    assert_eq!(decoded(r"m,path=C:\dir\\x\y value=1 0"), [r#"m{path="C:\\dir\\\\x\\y"} 1970-01-01T00:00:00Z 1"#]);
    assert_eq!(decoded("温度,場所=東京 値=1 0"), ["温度_値{場所=\"東京\"} 1970-01-01T00:00:00Z 1"]);
    assert_eq!(
        decoded("m,a=\"b\" \"c\"=1 0"),
        ["m_\"c\"{a=\"\\\"b\\\"\"} 1970-01-01T00:00:00Z 1"],
        "quotes in names are themselves"
    );
}

#[test]
fn comments_blank_lines_marks_and_crlf_are_taken() {
    let body = "\u{feff}# a comment, m value=1\r\n\r\n  \n m value=1 1000\r\n\t# another\nm value=2 \nm   value=3   2000   \r\n#";
    assert_eq!(
        decoded(body),
        ["m 1970-01-01T00:00:00.000001Z 1", "m 2024-02-02T12:00:00Z 2", "m 1970-01-01T00:00:00.000002Z 3"]
    );
    assert_eq!(decoded("").len(), 0);
}

#[test]
fn bad_lines_say_what_is_wrong() {
    for (line, expected) in [
        ("m", "no field: a line is measurement,tag=a field=1.5 timestamp"),
        ("m,host=a", "no field: a line is measurement,tag=a field=1.5 timestamp"),
        ("m 5", "the field \"5\" has no value: field=1.5 is required"),
        ("m a=1, b=2", "the field \"\" has no value: field=1.5 is required"),
        ("m a=1,", "the field \"\" has no value: field=1.5 is required"),
        ("m =1", "a field has no key: field=1.5 is required"),
        ("m a=", "a: the value is missing: a number, a boolean or a text in quotes is required"),
        ("m a=NaN", "a: \"NaN\" is no value: a finite number (1.5, 2i, 2u), a boolean or a text in quotes is required"),
        ("m a=-inf", "a: \"-inf\" is no value"),
        ("m a=1e400", "a: \"1e400\" is no value"),
        ("m a=1_0", "a: \"1_0\" is no value"),
        ("m a=i", "a: \"i\" is no value"),
        ("m a=1.5i", "a: \"1.5i\" is no value"),
        ("m a=-1u", "a: \"-1u\" is no value"),
        ("m a=9223372036854775808i", "a: \"9223372036854775808i\" is no value"),
        ("m a=tRUE", "a: \"tRUE\" is no value"),
        ("m a=1\0", "a: \"1\\0\" is no value"),
        ("m a=\"x", "a: the text is not closed by a quote"),
        ("m a=\"x\"y 1", "a comma or a blank is required behind a field, not \"y 1\""),
        ("m a=1 soon", "timestamp \"soon\" is not a whole number of 64 bits"),
        ("m a=1 1 2", "timestamp \"1 2\" is not a whole number of 64 bits"),
        ("m a=1 1.5", "timestamp \"1.5\" is not a whole number of 64 bits"),
        ("m a=1 99999999999999999999", "timestamp \"99999999999999999999\" is not a whole number of 64 bits"),
        (",host=a v=1", "the measurement is missing: a line is measurement,tag=a field=1.5 timestamp"),
        ("m,host v=1", "tags: the tag \"host\" is not of the form key=value"),
        ("m,host= v=1", "tags: the tag \"host=\" is not of the form key=value"),
        ("m,=a v=1", "tags: the tag \"=a\" is not of the form key=value"),
        ("m,a=b=c v=1", "tags: the tag \"a=b=c\" is not of the form key=value"),
        ("m, v=1", "tags: the tag \"\" is not of the form key=value"),
        ("m,a=1,a=2 v=1", "labels: label \"a\" is given twice"),
        ("m\0 v=1", "name holds the control character U+0000"),
        ("m,a=\t v=1", "labels: a holds the control character U+0009"),
    ] {
        let told = refusal(line);
        assert!(told.starts_with(&format!("line 1: {expected}")), "{line}: {told}");
    }
    assert_eq!(refusal(b"m\xFF v=1"), "line 1: the measurement \"m\u{FFFD}\" holds bytes that are no UTF-8");
    assert_eq!(refusal(b"m,a=\xFF v=1"), "line 1: the tag \"a=\u{FFFD}\" holds bytes that are no UTF-8");
    assert_eq!(refusal(b"m \xFF=1"), "line 1: the field \"\u{FFFD}\" holds bytes that are no UTF-8");
    assert_eq!(refusal(format!("{} f=1", "m".repeat(254))), "line 1: name has 256 bytes: at most 255 are allowed");
    let tags: String = (0..33).map(|number| format!(",t{number}=x")).collect();
    assert_eq!(refusal(format!("m{tags} v=1")), "line 1: labels: 33 labels: at most 32 are allowed");
}

#[test]
fn good_lines_are_kept_beside_bad_ones_and_nothing_of_a_bad_one() {
    let body = "a value=1 0\na value=2,other=3,bad=x 0\n\nb value=4 0\nc good=1,s=\"x\" never\na value=5 0\n";
    let outcome = outcome(body);
    assert_eq!(
        points(&outcome.batch),
        ["a 1970-01-01T00:00:00Z 1", "b 1970-01-01T00:00:00Z 4", "a 1970-01-01T00:00:00Z 5"]
    );
    assert_eq!(outcome.batch.series().len(), 2, "a bad line registers no series");
    assert_eq!(outcome.errors.iter().map(|error| error.place).collect::<Vec<_>>(), [Place::Line(2), Place::Line(5)]);
    assert_eq!((outcome.error_count, outcome.skipped_strings), (2, 0));
    assert_eq!(outcome.errors[0].field.as_deref(), Some("bad"));
}

#[test]
fn ten_bad_lines_are_listed_and_all_are_counted() {
    let outcome = outcome("m v=x\n".repeat(1_000));
    assert_eq!((outcome.errors.len(), outcome.error_count, outcome.errors[9].place), (10, 1_000, Place::Line(10)));
}

#[test]
fn texts_may_go_over_lines_and_lines_are_counted_through_them() {
    let outcome = outcome("m s=\"a\nb \\\" c\nd\",v=1 0\nbad\nm bad=x,s=\"e\nf v=1\"\nm v=2 0\nworse\n");
    assert_eq!(points(&outcome.batch), ["m_v 1970-01-01T00:00:00Z 1", "m_v 1970-01-01T00:00:00Z 2"]);
    assert_eq!(
        outcome.errors.iter().map(|error| error.place).collect::<Vec<_>>(),
        [Place::Line(4), Place::Line(5), Place::Line(8)]
    );
}

#[test]
fn a_quote_left_open_costs_only_its_own_line() {
    let outcome = outcome("m v=1 0\nm s=\"open 0\nm v=2 0\nm v=3 0");
    assert_eq!(points(&outcome.batch).len(), 3);
    assert_eq!(outcome.errors[0].to_string(), "line 2: s: the text is not closed by a quote");
    assert_eq!(outcome.error_count, 1);
}

#[test]
fn fields_in_any_order_and_number_find_their_series() {
    let mut body = String::new();
    for round in 0..3 {
        for host in ["a", "b"] {
            body.push_str(&format!(
                "cpu,host={host} user=1,idle=2,s=\"x\",wait={round} 0\ncpu,host={host} wait=3,user=4 0\n"
            ));
        }
    }
    let batch = outcome(&body).batch;
    assert_eq!(
        batch.series().iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "cpu_user{host=\"a\"}",
            "cpu_idle{host=\"a\"}",
            "cpu_wait{host=\"a\"}",
            "cpu_user{host=\"b\"}",
            "cpu_idle{host=\"b\"}",
            "cpu_wait{host=\"b\"}"
        ]
    );
    let of_line: Vec<usize> = batch.samples()[5..10].iter().map(|sample| sample.series.index()).collect();
    assert_eq!(of_line, [3, 4, 5, 5, 3]);
}

#[test]
fn one_series_has_one_entry_whatever_its_spelling() {
    let batch = outcome("m,a=1,b=2 v=1 0\nm,b=2,a=1 v=2 0\nm,a=1,b=2 v=3,v=4 0\nm_v,a=1,b=2 value=5 0").batch;
    assert_eq!((batch.series().len(), batch.len()), (1, 5));
}

#[test]
fn more_series_than_are_remembered_are_all_read() {
    let lines: String = (0..70_000).map(|number| format!("m,n={number} v=1 0\n")).collect();
    let outcome = outcome(lines.repeat(2));
    assert_eq!((outcome.batch.series().len(), outcome.batch.len(), outcome.error_count), (70_000, 140_000, 0));
    let fields: Vec<String> = (0..70_000).map(|number| format!("f{number}=1")).collect();
    let line = format!("m {} 0\nn value=1 0\n", fields.join(","));
    let outcome = super::decode(line.repeat(2).as_bytes(), &LineOptions { precision: Precision::Seconds, now: now() });
    assert_eq!((outcome.batch.series().len(), outcome.batch.len()), (70_001, 140_002));
}

/// Puts a backslash in front of what needs one.
fn escape(text: &str, special: &[char]) -> String {
    text.chars().flat_map(|c| special.contains(&c).then_some('\\').into_iter().chain([c])).collect()
}

/// A text without control characters that does not end in a backslash, which line protocol cannot say.
fn text(pattern: &'static str) -> impl Strategy<Value = String> {
    pattern.prop_map(|text| text.trim_end_matches('\\').to_owned() + "x")
}

proptest! {
    #![proptest_config(crate::wire::testing::cases(1_000))]

    #[test]
    fn prop_what_is_escaped_reads_back(
        measurement in text("[a-z ,=\\\\\"é]{0,10}"),
        tags in prop::collection::btree_map(text("[a-z ,=\\\\\"é]{0,6}"), text("[^\\p{Cc}]{0,10}"), 0..4),
        fields in prop::collection::btree_map(text("[a-z ,=\\\\\"é]{0,6}"), any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..4),
        micros in -9_000_000_000_000_000_i64..9_000_000_000_000_000,
        lines in 1..4_usize,
    ) {
        prop_assume!(!measurement.starts_with('#'));
        let measurement = format!("m{measurement}");
        let names = [',', '=', ' '];
        let tag_set: String = tags.iter().map(|(k, v)| format!(",{}={}", escape(k, &names), escape(v, &names))).collect();
        let field_set: Vec<String> = fields.iter().map(|(k, v)| format!("{}={v:?}", escape(k, &names))).collect();
        let line = format!("{}{tag_set} {} {}\n", escape(&measurement, &[',', ' ']), field_set.join(","), micros * 1_000);
        let outcome = outcome(line.repeat(lines));
        prop_assert_eq!(&outcome.errors, &[], "{}", line);
        let labels = Labels::new(&tags).expect("valid");
        let expected: Vec<_> = fields.iter().map(|(field, value)| {
            let name = MetricName::new(&format!("{measurement}_{field}")).expect("valid");
            (SeriesKey::new(name, labels.clone()), Timestamp::clamped(micros), value.to_bits())
        }).collect();
        let read: Vec<_> = outcome.batch.points().map(|(key, timestamp, value)| (key.clone(), timestamp, value.to_bits())).collect();
        prop_assert_eq!(read, vec![expected; lines].concat());
    }

    #[test]
    fn prop_any_text_is_passed_over_whole(meant in ".{0,20}", lines in 0..3_usize) {
        let text = format!("{}{}", meant.replace('\\', "\\\\").replace('"', "\\\""), "\n".repeat(lines));
        let outcome = outcome(format!("m s=\"{text}\",v=1 0\nbad\nm v=2 0"));
        prop_assert_eq!(points(&outcome.batch).len(), 2);
        let breaks = text.matches('\n').count();
        prop_assert_eq!(outcome.errors[0].place, Place::Line(2 + u64::try_from(breaks).expect("few")));
        prop_assert_eq!((outcome.skipped_strings, outcome.error_count), (1, 1));
    }

    #[test]
    fn prop_no_bytes_make_it_panic(
        body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"m ,=\\\"\n\r#1it"[..])], 0..96),
    ) {
        let outcome = outcome(&body);
        prop_assert!(outcome.errors.len() <= outcome.error_count && outcome.errors.len() <= 10);
        prop_assert!(outcome.batch.samples().iter().all(|sample| sample.value.is_finite()));
    }

    #[test]
    fn prop_no_change_of_a_body_makes_it_panic(changes in crate::wire::testing::changes(b" ,=\\\"\n\r#1it")) {
        let lines = "cpu,host=a,dc=eu\\ 1 user=1.5,idle=98i,up=t,s=\"a \\\"b\\\", c\nd\" 1706874182099000000\n# no\nmem free=2u\n";
        let body = crate::wire::testing::changed(lines.repeat(2).into_bytes(), &changes);
        let outcome = outcome(&body);
        prop_assert!(outcome.errors.len() <= outcome.error_count);
    }

    #[test]
    fn prop_every_series_of_a_batch_has_a_point(
        body in "(m|n|m,a=1|n,a=2)( |,|=)(a=1|b=2i|v=x|s=\"y\")(,a=2|,c=3)?( 1|\n| x)?\n(m a=1\n|m,a=1 b=2,c=3\n|z\n){0,4}",
    ) {
        let batch = outcome(&body).batch;
        for index in 0..batch.series().len() {
            prop_assert!(batch.samples().iter().any(|sample| sample.series.index() == index));
        }
    }
}
