use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array,
    LargeStringArray, MapBuilder, NullArray, StringArray, StringBuilder, StringViewArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Int8Type, UInt32Type};

use super::*;

type Column = (&'static str, ArrayRef);

fn texts(words: &[&'static str]) -> ArrayRef {
    Arc::new(StringArray::from(words.to_vec()))
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn read(columns: Vec<Column>, name: Option<&str>) -> Result<(Vec<String>, Vec<String>), DecodeError> {
    let table = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let table = table.expect("columns of one length");
    let name = name.map(|name| MetricName::new(name).expect("valid"));
    let mut reader = TableReader::new(&table.schema(), name)?;
    reader.came(1_000);
    let mut errors = Vec::new();
    reader.read(&table, |error| errors.push(error.to_string()))?;
    let batch = reader.take_batch();
    Ok((batch.points().map(|(key, at, value)| format!("{key} {at} {value}")).collect(), errors))
}

fn good(columns: Vec<Column>, name: Option<&str>) -> Vec<String> {
    let (points, errors) = read(columns, name).expect("a schema that is taken");
    assert!(errors.is_empty(), "{errors:?}");
    points
}

fn refused(columns: Vec<Column>, name: Option<&str>) -> String {
    read(columns, name).map(|_| ()).expect_err("a schema that is not taken").to_string()
}

#[test]
fn times_of_every_type_are_read() {
    let second = 1_706_874_182_i64;
    let times: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from(vec![second])),
        Arc::new(TimestampMillisecondArray::from(vec![second * 1_000]).with_timezone("Europe/Berlin")),
        Arc::new(TimestampNanosecondArray::from(vec![second * 1_000_000_000]).with_timezone("UTC")),
        Arc::new(Int64Array::from(vec![second * 1_000])),
        Arc::new(UInt64Array::from(vec![second as u64])),
        texts(&["2024-02-02T12:43:02+01:00"]),
        Arc::new(vec!["2024-02-02 11:43:02"].into_iter().collect::<DictionaryArray<Int8Type>>()),
    ];
    for time in times {
        let of = time.data_type().to_string();
        for column in ["timestamp", "time"] {
            let points = good(vec![(column, time.clone()), ("value", numbers(&[1.0]))], Some("a"));
            assert_eq!(points, ["a 2024-02-02T11:43:02Z 1"], "{of}");
        }
    }
    let day: ArrayRef = Arc::new(Date32Array::from(vec![-1]));
    assert_eq!(good(vec![("time", day), ("value", numbers(&[1.0]))], Some("a")), ["a 1969-12-31T00:00:00Z 1"]);
    let before: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1]));
    assert_eq!(
        good(vec![("time", before), ("value", numbers(&[1.0]))], Some("a")),
        ["a 1969-12-31T23:59:59.999999Z 1"]
    );
}

#[test]
fn values_of_every_type_are_read() {
    let decimal = Decimal128Array::from(vec![-1_250]).with_precision_and_scale(10, 2).expect("valid");
    let values: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Int8Array::from(vec![-7])), "-7"),
        (Arc::new(UInt64Array::from(vec![1 << 53])), "9007199254740992"),
        (Arc::new(Float32Array::from(vec![0.5])), "0.5"),
        (Arc::new(decimal), "-12.5"),
    ];
    for (value, expected) in values {
        let points = good(vec![("timestamp", texts(&["2024-02-02"])), ("value", value)], Some("a"));
        assert_eq!(points, [format!("a 2024-02-02T00:00:00Z {expected}")]);
    }
}

#[test]
fn texts_of_every_type_are_names_and_labels() {
    let hosts: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("x"), None, Some("")])),
        Arc::new(LargeStringArray::from(vec![Some("x"), None, Some("")])),
        Arc::new(StringViewArray::from(vec![Some("x"), None, Some("")])),
        Arc::new(vec![Some("x"), None, Some("")].into_iter().collect::<DictionaryArray<UInt32Type>>()),
    ];
    for host in hosts {
        let columns = vec![
            ("timestamp", texts(&["2024-02-02"; 3])),
            ("name", texts(&["a", "a", "b"])),
            ("host", host),
            ("never", Arc::new(NullArray::new(3)) as ArrayRef),
            ("__index_level_0__", Arc::new(Int8Array::from(vec![0, 1, 2]))),
            ("value", numbers(&[1.0, 2.0, 3.0])),
        ];
        let at = "2024-02-02T00:00:00Z";
        assert_eq!(good(columns, None), [format!("a{{host=\"x\"}} {at} 1"), format!("a {at} 2"), format!("b {at} 3")]);
    }
}

#[test]
fn all_labels_of_a_row_may_stand_in_one_column() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (name, value) in [("host", Some("x")), ("rack", None)] {
        map.keys().append_value(name);
        map.values().append_option(value);
    }
    map.append(true).expect("two entries");
    map.append(false).expect("none");
    map.append(true).expect("none");
    let json = texts(&["{\"host\":\"x\",\"rack\":\"\"}", "", "{}"]);
    let words = vec!["{\"host\":\"x\"}", "", "{}"].into_iter().collect::<DictionaryArray<Int8Type>>();
    for labels in [Arc::new(map.finish()) as ArrayRef, json, Arc::new(words)] {
        let columns = vec![
            ("timestamp", texts(&["2024-02-02"; 3])),
            ("value", numbers(&[1.0, 2.0, 3.0])),
            ("labels", labels),
            ("dc", texts(&["eu", "", "us"])),
        ];
        let at = "2024-02-02T00:00:00Z";
        let expected =
            [format!("a{{dc=\"eu\",host=\"x\"}} {at} 1"), format!("a {at} 2"), format!("a{{dc=\"us\"}} {at} 3")];
        assert_eq!(good(columns, Some("a")), expected);
    }
}

#[test]
fn bad_rows_are_named_by_their_index_and_field() {
    let columns = vec![
        ("timestamp", Arc::new(StringArray::from(vec![Some("never"), None, Some("0"), Some("0"), Some("0")])) as _),
        ("value", Arc::new(Float64Array::from(vec![Some(1.0), Some(1.0), None, Some(f64::NAN), Some(1.0)])) as _),
        ("labels", texts(&["", "", "", "", "{\"a\":1}"])),
    ];
    let (points, errors) = read(columns, Some("a")).expect("a schema that is taken");
    assert!(points.is_empty(), "{points:?}");
    let starts = [
        "index 0: timestamp: \"never\" ",
        "index 1: timestamp is null",
        "index 2: value is null",
        "index 3: value is NaN",
        "index 4: labels: label \"a\" is a number",
    ];
    assert_eq!(errors.len(), starts.len(), "{errors:?}");
    for (error, start) in errors.iter().zip(starts) {
        assert!(error.starts_with(start), "{error}");
    }
}

/// One row of a type that is no part of a point.
fn pairs() -> ArrayRef {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.append(true).expect("no entries");
    Arc::new(map.finish())
}

#[test]
fn schemas_that_make_no_points_are_refused_with_the_column_to_change() {
    let (time, value) = (("timestamp", texts(&["0"])), ("value", numbers(&[1.0])));
    let count: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for (columns, name, words) in [
        (vec![value.clone()], Some("a"), "no column \"timestamp\" in \"value\""),
        (vec![time.clone()], Some("a"), "no column \"value\""),
        (vec![time.clone(), value.clone()], None, "no column \"name\""),
        (vec![time.clone(), value.clone(), ("name", texts(&["a"]))], Some("a"), "use only one"),
        (vec![time.clone(), ("value", texts(&["1"]))], Some("a"), "column \"value\" has the type Utf8: a number"),
        (vec![("timestamp", numbers(&[1.0])), value.clone()], Some("a"), "column \"timestamp\" has the type Float64"),
        (vec![time.clone(), value.clone(), ("n", count.clone())], Some("a"), "column \"n\" has the type Int64"),
        (vec![time.clone(), value.clone(), ("labels", count)], Some("a"), "column \"labels\" has the type Int64"),
        (
            vec![time.clone(), value.clone(), ("__index_level_0__", pairs())],
            Some("a"),
            "an index is passed over where it holds numbers",
        ),
        (vec![time, value, ("label.label.a", texts(&["x"])), ("x", texts(&[""]))], Some("a"), ""),
    ] {
        if words.is_empty() {
            assert_eq!(good(columns, name), ["a{label.a=\"x\"} 1970-01-01T00:00:00Z 1"]);
        } else {
            let message = refused(columns, name);
            assert!(message.starts_with("schema: ") && message.contains(words), "{message}");
        }
    }
}

#[test]
fn texts_that_share_their_bytes_are_not_repeated_without_bound() {
    let rows = 300_000;
    let mut views = arrow::array::StringViewBuilder::new();
    let block = views.append_block(format!("{{\"a\":\"{}\"}}", "x".repeat(1_000)).into_bytes().into());
    for _ in 0..rows {
        views.try_append_view(block, 0, 1_008).expect("inside the block");
    }
    let columns = vec![
        ("timestamp", Arc::new(Int64Array::from(vec![0; rows])) as ArrayRef),
        ("value", numbers(&vec![0.5; rows])),
        ("labels", Arc::new(views.finish())),
    ];
    let message = refused(columns, Some("a"));
    assert!(message.contains("64 times as long"), "{message}");
}
