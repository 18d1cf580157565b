use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::wire::error::{Chunk, Place, RowError};

fn named(name: &str) -> CsvOptions {
    CsvOptions { name: Some(MetricName::new(name).expect(name)), labels: Labels::empty() }
}

/// Each point as `series time value`.
fn points(batch: &Batch) -> Vec<String> {
    batch.points().map(|(key, timestamp, value)| format!("{key} {timestamp} {value}")).collect()
}

fn decoded(body: &str) -> Vec<String> {
    points(&decode(body.as_bytes(), &CsvOptions::default()).expect(body))
}

fn refusal(body: &[u8]) -> String {
    decode(body, &CsvOptions::default()).expect_err("must be refused").to_string()
}

#[test]
fn other_columns_are_labels_and_empty_cells_are_none() {
    assert_eq!(
        decoded("value, timestamp ,host,name,dc\n1.5,2024-02-02 11:43:02,a,cpu,\n-2,1706874182,b,cpu,eu\n"),
        ["cpu{host=\"a\"} 2024-02-02T11:43:02Z 1.5", "cpu{dc=\"eu\",host=\"b\"} 2024-02-02T11:43:02Z -2"]
    );
}

#[test]
fn the_option_names_the_metric_and_adds_labels() {
    let options = CsvOptions { labels: Labels::new([("host", "a")]).expect("valid"), ..named("cpu") };
    let batch = decode(b"timestamp,value,dc\n2024-02-02T11:43:02.099Z,30,eu\n", &options).expect("valid");
    assert_eq!(points(&batch), ["cpu{dc=\"eu\",host=\"a\"} 2024-02-02T11:43:02.099Z 30"]);
}

#[test]
fn quotes_enclose_commas_quotes_and_names_in_any_script() {
    assert_eq!(
        decoded("timestamp,name,value,host\n\"2024-02-02\",\"a,b\",\"1\",\"x\"\"y\"\n2024-02-02,温度,2,é\n"),
        ["a,b{host=\"x\\\"y\"} 2024-02-02T00:00:00Z 1", "温度{host=\"é\"} 2024-02-02T00:00:00Z 2"]
    );
}

#[test]
fn marks_crlf_blank_lines_and_a_missing_last_line_end_are_taken() {
    let expected = ["a 2024-02-02T00:00:00Z 1", "b 2024-02-02T00:00:00Z 2"];
    for body in [
        "timestamp,value,name\n2024-02-02,1,a\n2024-02-02,2,b",
        "\u{feff}timestamp,value,name\r\n\r\n2024-02-02,1,a\r\n\r\n\r\n2024-02-02,2,b\r\n\r\n",
        "\n\ntimestamp,value,name\n\n2024-02-02,1,a\n \n2024-02-02,2,\"b\"\r\n",
    ] {
        assert_eq!(decoded(body), expected, "{body:?}");
    }
}

#[test]
fn a_header_alone_is_no_point_and_nothing_is_empty() {
    assert_eq!(decoded("timestamp,name,value\n").len(), 0);
    for body in [&b""[..], b"\r\n \n", b"\xEF\xBB\xBF"] {
        assert!(matches!(decode(body, &CsvOptions::default()), Err(DecodeError::Empty)), "{body:?}");
    }
}

#[test]
fn headers_that_cannot_be_used_say_why() {
    for (body, options, expected) in [
        (
            "time,name,value\n",
            CsvOptions::default(),
            "header: no column \"timestamp\" in \"time,name,value\": a header such as timestamp,name,value with commas between is required",
        ),
        (
            "timestamp;name;value\n",
            CsvOptions::default(),
            "header: no column \"timestamp\" in \"timestamp;name;value\": a header such as timestamp,name,value with commas between is required",
        ),
        (
            "timestamp,value\n",
            CsvOptions::default(),
            "header: no column \"name\" in \"timestamp,value\": add it, or give the metric's name as an option",
        ),
        (
            "timestamp,name,value\n",
            named("cpu"),
            "header: the metric's name is given as an option and as the column \"name\": use only one",
        ),
        ("timestamp,name,value,host,host\n", CsvOptions::default(), "header: column \"host\" stands twice"),
        ("timestamp,name,value,\n", CsvOptions::default(), "header: a label name has 0 bytes: 1 to 255 are allowed"),
        (
            "timestamp,value,host\n",
            CsvOptions { labels: Labels::new([("host", "a")]).expect("valid"), ..named("cpu") },
            "header: label \"host\" is given as an option and as a column: use only one",
        ),
    ] {
        let error = decode(body.as_bytes(), &options).expect_err(body);
        assert!(matches!(error, DecodeError::Header(_)), "{error:?}");
        assert_eq!(error.to_string(), expected, "{body}");
    }
    assert_eq!(refusal(b"timestamp,name,value,h\xFF\n"), "header: column \"h\u{FFFD}\" holds bytes that are no UTF-8");
    let wide = format!("timestamp,name,value{}\n", (0..300).map(|n| format!(",l{n}")).collect::<String>());
    assert_eq!(refusal(wide.as_bytes()), "header: 303 columns: at most 256 are allowed");
    assert_eq!(refusal(b"\xFF\xFEt\0i\0"), "body: the text is UTF-16: UTF-8 is required");
}

#[test]
fn bad_cells_are_told_with_line_and_column() {
    for (row, expected) in [
        ("2024-02-02,cpu,NaN,a", "line 2: value \"NaN\": a finite number is required"),
        ("2024-02-02,cpu,-inf,a", "line 2: value \"-inf\": a finite number is required"),
        ("2024-02-02,cpu,1e400,a", "line 2: value \"1e400\" is beyond the range of a 64-bit float, 1.8e308"),
        ("2024-02-02,cpu,,a", "line 2: value is empty: a finite number is required"),
        ("2024-02-02,cpu,1_0,a", "line 2: value \"1_0\" is not a number"),
        ("2024-02-02,cpu,1\0,a", "line 2: value \"1\\0\" is not a number"),
        (",cpu,1,a", "line 2: timestamp is empty: RFC 3339 such as 2024-02-02T11:43:02Z is required"),
        ("2024-02-30,cpu,1,a", "line 2: timestamp: \"2024-02-30\" is not a time"),
        ("2024-02-02,,1,a", "line 2: name is empty: a metric name has 1 to 255 bytes"),
        ("2024-02-02,a\0b,1,a", "line 2: name holds the control character U+0000"),
        ("2024-02-02,cpu,1,a\tb", "line 2: labels: host holds the control character U+0009"),
        ("2024-02-02,cpu,1", "line 2: 3 cells: the header has 4 columns"),
        ("2024-02-02,cpu,1,5,a", "line 2: 5 cells: the header has 4 columns"),
        ("2024-02-02,cpu,\"1,a", "line 2: 3 cells: the header has 4 columns"),
        ("2024-02-02,cpu,1,\"a", "line 2: labels: host holds the control character U+000A"),
    ] {
        let text = refusal(format!("timestamp,name,value,host\n{row}").as_bytes());
        assert!(text.starts_with(expected), "{row}: {text}");
    }
    assert_eq!(refusal(b"timestamp,value,name\n2024-02-02,1,\xFF\n"), "line 2: name holds bytes that are no UTF-8");
    assert_eq!(refusal(b"timestamp,value,name,h\n2024-02-02,1,a,\xFF\n"), "line 2: h holds bytes that are no UTF-8");
    assert_eq!(
        refusal(b"name,value,timestamp\na,5,\"2024-02-02\n"),
        "line 2: timestamp \"2024-02-02\\n\" holds a line break: is a quote left open?"
    );
    assert_eq!(
        refusal(b"timestamp,name,value\n2024-02-02,a,\"5\n"),
        "line 2: value \"5\\n\" holds a line break: is a quote left open?"
    );
}

#[test]
fn lines_are_counted_through_blank_ones_crlf_and_breaks_inside_quotes() {
    for body in [
        "timestamp,name,value\n\n2024-02-02,\"a\nb\",1\n\n2024-02-02,a,x\n2024-02-02,a,1\n2024-02-02,a,y",
        "timestamp,name,value\r\n\r\n2024-02-02,\"a\r\nb\",1\r\n\r\n2024-02-02,a,x\r\n2024-02-02,a,1\r\n2024-02-02,a,y\r\n",
    ] {
        let Err(DecodeError::Rows { first, total }) = decode(body.as_bytes(), &CsvOptions::default()) else {
            panic!("{body:?} must be refused");
        };
        assert_eq!(
            first.iter().map(|error| error.place).collect::<Vec<_>>(),
            [Place::Line(3), Place::Line(6), Place::Line(8)]
        );
        assert_eq!(total, 3);
    }
}

#[test]
fn the_first_ten_bad_rows_are_listed_and_all_are_counted() {
    let rows: String = (0..40).map(|row| format!("2024-02-02,a,{}\n", if row % 2 == 0 { "x" } else { "1" })).collect();
    let error =
        decode(format!("timestamp,name,value\n{rows}").as_bytes(), &CsvOptions::default()).expect_err("bad rows");
    let DecodeError::Rows { first, total } = error else { panic!("{error:?}") };
    assert_eq!((first.len(), total, first[9].place), (10, 20, Place::Line(20)));
    assert_eq!(first[0].field.as_deref(), Some("value"));
}

#[test]
fn series_that_differ_only_in_where_their_text_stands_are_told_apart() {
    let body = "timestamp,value,name,h,i\n1,1,a,b,\n1,2,a,,b\n1,3,a,b,\n";
    assert_eq!(
        decoded(body),
        ["a{h=\"b\"} 1970-01-01T00:00:01Z 1", "a{i=\"b\"} 1970-01-01T00:00:01Z 2", "a{h=\"b\"} 1970-01-01T00:00:01Z 3"]
    );
    let mixed = b"timestamp,value,name,h\n1,1,a,b\n1,2,a\xFFb,\n";
    assert_eq!(refusal(mixed), "line 3: name holds bytes that are no UTF-8");
}

#[test]
fn a_reader_gives_bad_rows_beside_good_ones_chunk_by_chunk() {
    let body = "timestamp,name,value\n1,a,1\n2,b,x\n3,a,3\n4,b,4\n5,a,5\n";
    let mut reader = CsvReader::new(body.as_bytes(), CsvOptions::default()).expect("a header");
    let mut seen = Vec::new();
    while let Some(Chunk { batch, errors }) = reader.next_batch(2).expect("readable") {
        seen.push((points(&batch), errors.iter().map(RowError::to_string).collect::<Vec<_>>()));
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(
        seen[0],
        (vec!["a 1970-01-01T00:00:01Z 1".to_owned()], vec!["line 3: value \"x\" is not a number".to_owned()])
    );
    assert_eq!(seen[1].0, ["a 1970-01-01T00:00:03Z 3", "b 1970-01-01T00:00:04Z 4"]);
    assert_eq!(seen[2], (vec!["a 1970-01-01T00:00:05Z 5".to_owned()], Vec::new()));
}

#[test]
fn an_open_quote_does_not_take_the_whole_file_into_memory() {
    let start = &b"timestamp,name,value\n1,a,1\n2,\"b,2\n"[..];
    let mut reader = CsvReader::new(start.chain(std::io::repeat(b'x')), CsvOptions::default()).expect("a header");
    assert_eq!(reader.next_batch(1).expect("a row").expect("a row").batch.len(), 1);
    assert_eq!(
        reader.next_batch(1).expect_err("endless").to_string(),
        "line 3: a row is longer than 1048576 bytes: is a quote left open?"
    );
}

#[test]
fn a_failing_file_tells_how_far_it_was_read() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk gone"))
        }
    }
    let mut reader =
        CsvReader::new((&b"timestamp,name,value\n1,a,1\n"[..]).chain(Failing), CsvOptions::default()).expect("header");
    assert_eq!(reader.next_batch(1).expect("a row").expect("a row").batch.len(), 1);
    assert_eq!(reader.next_batch(1).expect_err("fails").to_string(), "reading failed after line 2: disk gone");
}

#[test]
fn a_bad_row_registers_no_series() {
    let mut reader =
        CsvReader::new(&b"timestamp,name,value\n1,a,x\nx,b,1\n1,c,1\n"[..], CsvOptions::default()).expect("header");
    let chunk = reader.next_batch(10).expect("readable").expect("rows");
    assert_eq!((chunk.errors.len(), chunk.batch.series().len()), (2, 1));
}

proptest! {
    #![proptest_config(crate::wire::testing::cases(1_000))]

    #[test]
    fn prop_no_bytes_make_it_panic(
        head in prop_oneof![Just(&b""[..]), Just(&b"timestamp,name,value,h\n"[..]), Just(&b"\"timestamp\",value,name\r\n"[..])],
        body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b",,\"\"\n\r12."[..])], 0..64),
    ) {
        let _ = decode(&[head, &body].concat(), &CsvOptions::default());
    }

    #[test]
    fn prop_no_change_of_a_body_makes_it_panic(changes in crate::wire::testing::changes(b",,\"\"\n\r12.")) {
        let rows = "timestamp,name,value,host\n2024-02-02T11:43:02Z,cpu,1.5,a\n1706874182,\"m\"\"x\",-2e3,\r\n";
        let _ = decode(&crate::wire::testing::changed(rows.into(), &changes), &CsvOptions::default());
    }

    #[test]
    fn prop_what_a_writer_writes_reads_back(
        rows in prop::collection::vec(("[^\\p{Cc}]{1,12}", "[^\\p{Cc}]{0,12}", any::<i32>(), any::<f64>().prop_filter("finite", |v| v.is_finite())), 1..20),
        crlf in any::<bool>(),
    ) {
        let terminator = if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
        let mut writer = ::csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["name", "host", "timestamp", "value"]).expect("memory");
        let mut expected = Vec::new();
        for (name, host, seconds, value) in &rows {
            let timestamp = crate::model::Timestamp::from_epoch(i64::from(*seconds)).expect("in range");
            writer.write_record([name, host, &timestamp.to_string(), &format!("{value:?}")]).expect("memory");
            let labels = Labels::new([("host", host)]).expect("valid");
            expected.push((crate::model::SeriesKey::new(MetricName::new(name).expect("valid"), labels), timestamp, value.to_bits()));
        }
        let batch = decode(&writer.into_inner().expect("memory"), &CsvOptions::default()).expect("valid");
        let read: Vec<_> = batch.points().map(|(key, timestamp, value)| (key.clone(), timestamp, value.to_bits())).collect();
        prop_assert_eq!(read, expected);
    }
}
