use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::wire::testing::prompb::{Exemplar, Histogram, Label, Metadata, Sample, TimeSeries, WriteRequest};
use crate::wire::testing::{cases, changed, changes};

fn label(name: &str, value: &str) -> Label {
    Label { name: name.into(), value: value.into() }
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    TimeSeries {
        labels: labels.iter().map(|(name, value)| label(name, value)).collect(),
        samples: samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        ..TimeSeries::default()
    }
}

fn request(timeseries: Vec<TimeSeries>) -> Vec<u8> {
    WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec()
}

fn outcome(timeseries: Vec<TimeSeries>) -> RemoteWriteOutcome {
    decode(&request(timeseries)).expect("protobuf")
}

/// Each point as `series time value`.
fn points(batch: &Batch) -> Vec<String> {
    batch.points().map(|(key, timestamp, value)| format!("{key} {timestamp} {value}")).collect()
}

fn errors(outcome: &RemoteWriteOutcome) -> Vec<String> {
    outcome.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn samples_are_read_with_name_and_labels() {
    let found = outcome(vec![
        series(
            &[("__name__", "up"), ("instance", "a:1"), ("job", "x"), ("rack", "")],
            &[(1_706_874_182_099, 1.0), (-1, 0.0)],
        ),
        series(&[("job", "x"), ("__name__", "温度")], &[(0, f64::INFINITY)]),
    ]);
    assert_eq!(
        points(&found.batch),
        [
            "up{instance=\"a:1\",job=\"x\"} 2024-02-02T11:43:02.099Z 1",
            "up{instance=\"a:1\",job=\"x\"} 1969-12-31T23:59:59.999Z 0",
            "温度{job=\"x\"} 1970-01-01T00:00:00Z inf",
        ]
    );
    assert_eq!((found.error_count, found.stale_markers, found.exemplars), (0, 0, 0));
    assert!(decode(b"").expect("an empty request is one").batch.is_empty());
}

#[test]
fn one_series_in_many_pieces_or_spellings_is_one() {
    let pieces = (0..4).map(|at| series(&[("__name__", "m"), ("a", "1"), ("b", "2")], &[(at, at as f64)]));
    let mut all: Vec<TimeSeries> = pieces.collect();
    all.push(series(&[("b", "2"), ("a", "1"), ("__name__", "m")], &[(9, 9.0)]));
    let batch = outcome(all).batch;
    assert_eq!((batch.series().len(), batch.len()), (1, 5));
}

#[test]
fn staleness_markers_are_dropped_and_other_nans_are_values() {
    let stale = f64::from_bits(STALE_MARKER_BITS);
    let found = outcome(vec![
        series(&[("__name__", "a")], &[(1, 1.0), (2, stale), (3, f64::NAN), (4, f64::NEG_INFINITY)]),
        series(&[("__name__", "gone")], &[(1, stale)]),
        series(&[], &[(1, stale), (2, 5.0)]),
    ]);
    assert_eq!((found.stale_markers, found.error_count), (3, 1));
    let values: Vec<f64> = found.batch.samples().iter().map(|sample| sample.value).collect();
    assert!(values[0] == 1.0 && values[1].is_nan() && values[2] == f64::NEG_INFINITY, "{values:?}");
    assert_eq!(found.batch.series().len(), 1, "a series of which nothing is stored is none");
}

#[test]
fn what_has_no_place_is_counted() {
    let mut rich = series(&[("__name__", "m")], &[(1, 1.0)]);
    rich.exemplars = vec![Exemplar { value: 1.0 }; 2];
    rich.histograms = vec![Histogram { sum: 1.0 }; 3];
    let unnamed = TimeSeries { histograms: vec![Histogram { sum: 1.0 }], ..TimeSeries::default() };
    let metadata = vec![Metadata { kind: 1, metric_family_name: "m".into() }; 4];
    let found = decode(&WriteRequest { timeseries: vec![rich, unnamed], metadata }.encode_to_vec()).expect("protobuf");
    assert_eq!((found.batch.len(), found.error_count), (1, 0));
    assert_eq!((found.exemplars, found.native_histograms, found.metadata), (2, 4, 4));
}

#[test]
fn bad_series_and_samples_are_told_and_the_good_ones_kept() {
    let many: Vec<(String, &str)> = (0..33).map(|number| (format!("l{number}"), "x")).collect();
    let mut many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    many.push(("__name__", "m"));
    let long = "x".repeat(1_025);
    let found = outcome(vec![
        series(&[("__name__", "m")], &[(1, 1.0), (i64::MAX, 2.0), (3, 3.0)]),
        series(&[("job", "x")], &[(1, 1.0), (2, 2.0)]),
        series(&many, &[(1, 1.0)]),
        series(&[("__name__", "m"), ("a", "1"), ("a", "2")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("__name__", "n")], &[(1, 1.0)]),
        series(&[("__name__", ""), ("a", "1")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("", "1")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("a", "b\nc")], &[(1, 1.0)]),
        series(&[("__name__", "m"), ("a", &long)], &[(1, 1.0)]),
        series(&[("__name__", "late")], &[(i64::MIN, 1.0)]),
        series(&[("__name__", "m")], &[(5, 5.0)]),
    ]);
    assert_eq!(points(&found.batch).len(), 3);
    assert_eq!((found.batch.series().len(), found.error_count), (1, 11));
    assert_eq!(
        errors(&found),
        [
            "index 0: timestamp 9223372036854775807 ms is outside the years 1 to 9999",
            "index 1: name is missing: the label __name__ holds it",
            "index 2: labels: 33 labels: at most 32 are allowed",
            "index 3: labels: label \"a\" is given twice",
            "index 4: labels: label \"__name__\" is given twice",
            "index 5: name is empty: a metric name has 1 to 255 bytes",
            "index 6: labels: a label name has 0 bytes: 1 to 255 are allowed",
            "index 7: labels: a holds the control character U+000A: only printable text is allowed",
            "index 8: labels: label \"a\" has a value of 1025 bytes: at most 1024 are allowed",
            "index 9: timestamp -9223372036854775808 ms is outside the years 1 to 9999",
        ]
    );
}

#[test]
fn a_body_that_is_no_request_is_refused_whole() {
    let good = request(vec![series(&[("__name__", "m")], &[(1, 1.0)])]);
    assert!(matches!(decode(&good[..good.len() - 1]), Err(DecodeError::Syntax { place: Place::Body, .. })));
    let told = decode(b"{\"name\":\"m\"}").expect_err("JSON").to_string();
    assert_eq!(
        told,
        "body: no protobuf message of the kind that is expected here: a group or an unknown kind of field at byte 0"
    );
}

#[test]
fn fields_of_later_versions_and_other_orders_are_taken() {
    let labels = series(&[("__name__", "m"), ("a", "1")], &[]).encode_to_vec();
    let samples = series(&[], &[(1, 1.0)]).encode_to_vec();
    let inner = [samples, vec![0x98, 0x06, 1], labels].concat();
    let mut body = vec![0x9A, 0x06, 1, 0, 0x0A, inner.len() as u8];
    body.extend_from_slice(&inner);
    assert_eq!(points(&decode(&body).expect("protobuf").batch), ["m{a=\"1\"} 1970-01-01T00:00:00.001Z 1"]);
}

#[test]
fn empty_samples_by_the_million_are_bounded() {
    let named = series(&[("__name__", "m")], &[]).encode_to_vec();
    let body = |samples: usize| {
        let inner = [named.clone(), [0x12, 0].repeat(samples)].concat();
        let mut body = vec![0x0A];
        prost::encoding::encode_varint(inner.len() as u64, &mut body);
        [body, inner].concat()
    };
    assert_eq!(decode(&body(MAX_BATCH_POINTS)).expect("fits").batch.len(), MAX_BATCH_POINTS);
    let error = decode(&body(MAX_BATCH_POINTS + 1)).expect_err("one too many");
    assert_eq!(error.to_string(), "more than 4000000 points in one body: send it in parts");
}

fn any_series() -> impl Strategy<Value = TimeSeries> {
    let labels = prop::collection::btree_map("[a-c_]{1,3}", "[^\\p{Cc}]{1,8}", 0..4);
    // The other implementation leaves zeros out, and takes -0 for one.
    let value = any::<f64>().prop_map(|value| if value == 0.0 { 0.0 } else { value });
    let samples = prop::collection::vec((-9_000_000_000_000_i64..9_000_000_000_000, value), 0..4);
    ("[^\\p{Cc}]{1,6}", labels, samples).prop_map(|(name, labels, samples)| {
        let mut all = vec![label("__name__", &name)];
        all.extend(labels.iter().map(|(name, value)| label(name, value)));
        let samples = samples.into_iter().map(|(timestamp, value)| Sample { value, timestamp }).collect();
        TimeSeries { labels: all, samples, ..TimeSeries::default() }
    })
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn prop_what_another_implementation_writes_reads_back(timeseries in prop::collection::vec(any_series(), 0..6)) {
        let expected: Vec<_> = timeseries.iter().flat_map(|series| {
            let name = MetricName::new(&series.labels[0].value).expect("valid");
            let labels = series.labels[1..].iter().map(|label| (&label.name, &label.value));
            let key = SeriesKey::new(name, Labels::new(labels).expect("valid"));
            let real = series.samples.iter().filter(|sample| sample.value.to_bits() != STALE_MARKER_BITS);
            real.map(move |sample| (key.clone(), sample.timestamp * 1_000, sample.value.to_bits()))
        }).collect();
        let found = outcome(timeseries);
        let read: Vec<_> = found.batch.points().map(|(key, at, value)| (key.clone(), at.micros(), value.to_bits())).collect();
        prop_assert_eq!(read, expected);
        prop_assert_eq!(found.error_count, 0);
    }

    #[test]
    fn prop_no_change_of_a_request_makes_it_panic(
        timeseries in prop::collection::vec(any_series(), 1..4),
        changes in changes(b"\x0a\x12\x09\x10\x08\x01\x80\xFF"),
    ) {
        if let Ok(found) = decode(&changed(request(timeseries), &changes)) {
            let batch = &found.batch;
            prop_assert!(found.errors.len() <= found.error_count);
            for index in 0..batch.series().len() {
                prop_assert!(batch.samples().iter().any(|sample| sample.series.index() == index));
            }
        }
    }

    #[test]
    fn prop_no_bytes_make_it_panic(body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\x0a\x12\x09\x10\x02"[..])], 0..64)) {
        let _ = decode(&body);
    }
}
