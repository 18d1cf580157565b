//! Values come back bit for bit, from memory, from chunks and from a file that was opened again.

use metrics_core::{
    Aggregate, Batch, Engine, GroupBy, Labels, MetricName, Options, Per, QueryRequest, Resolution, SeriesKey, Timestamp,
};
use proptest::prelude::*;

/// Writes each series' values a second apart and reads them from every place where points can be.
fn assert_come_back(series: &[Vec<f64>]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let mut engine = Engine::open_with(&path, Options::default()).expect("opens");
    let mut batch = Batch::new();
    for (number, values) in series.iter().enumerate() {
        let labels = Labels::new([("number", format!("{number:04}"))]).expect("labels");
        let key = SeriesKey::new(MetricName::new("exact").expect("a name"), labels);
        let series = batch.intern(key);
        for (second, value) in (0..).zip(values) {
            batch.push_any(series, Timestamp::clamped(second * 1_000_000), *value);
        }
    }
    engine.write(batch).expect("takes a batch").wait().expect("commits");
    let mut request = QueryRequest::new(["exact"], Timestamp::MIN, Timestamp::MAX).expect("a name");
    (request.per, request.group_by) = (Per::Raw, GroupBy::Series);
    for place in ["memory", "a chunk", "a chunk after reopening"] {
        match place {
            "a chunk" => engine.compact().expect("compacts"),
            "a chunk after reopening" => {
                engine.close().expect("closes");
                engine = Engine::open(&path).expect("opens again");
            }
            _ => {}
        }
        let frame = engine.query(&request).expect("answers");
        assert_eq!(frame.series.len(), series.len());
        for (found, expected) in frame.series.iter().zip(series) {
            let bits = |value: f64| format!("{value:e} {:016x}", value.to_bits());
            let found: Vec<String> =
                found.columns[0].values.iter().map(|value| bits(value.expect("a value"))).collect();
            let expected: Vec<String> = expected.iter().map(|value| bits(*value)).collect();
            assert_eq!(found, expected, "from {place}");
        }
    }
}

/// Values at the edges of what whole numbers and doubles can hold.
fn edges() -> Vec<f64> {
    let whole = 9_007_199_254_740_992.0;
    let ends = [f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), f64::EPSILON, 0.0, 0.1, 1.0 / 3.0, 123_456.789];
    let integers = [whole, whole - 1.0, whole + 2.0, 9.223_372_036_854_775e18, 1.8e19, 1e15 + 0.5, 1e22, 1e300];
    ends.into_iter().chain(integers).flat_map(|value| [value, -value]).collect()
}

#[test]
fn values_at_the_edges_of_doubles_come_back_bit_for_bit() {
    assert_come_back(&[edges()]);
    let alone: Vec<Vec<f64>> = edges().into_iter().map(|value| vec![value; 3]).collect();
    assert_come_back(&alone);
    // A chunk chooses its encoding for all its values: each of these decides it once.
    edges().into_iter().step_by(2).for_each(|value| assert_come_back(&[vec![1.25, value, 2.5, 3.75]]));
}

/// What Prometheus and OpenTelemetry send besides numbers.
const NO_NUMBERS: [f64; 4] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::from_bits(0x7FF8_0000_0000_0001)];

#[test]
fn nan_and_the_infinities_come_back_bit_for_bit() {
    assert_come_back(&[NO_NUMBERS.to_vec()]);
    NO_NUMBERS.into_iter().for_each(|value| assert_come_back(&[vec![1.25, value, 2.5], vec![value; 3]]));
}

#[test]
fn nan_and_the_infinities_leave_rollups_that_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open(folder.path().join("m.duckdb")).expect("opens");
    let mut batch = Batch::new();
    for (number, odd) in NO_NUMBERS.into_iter().enumerate() {
        let labels = Labels::new([("number", number.to_string())]).expect("labels");
        let series = batch.intern(SeriesKey::new(MetricName::new("odd").expect("a name"), labels));
        // A value in ten, and an hour of nothing else.
        for second in 0..20_000 {
            let value = if second % 10 == 0 || (3_600..7_200).contains(&second) { odd } else { f64::from(second) };
            batch.push_any(series, Timestamp::clamped(i64::from(second) * 1_000_000), value);
        }
    }
    engine.write(batch).expect("takes a batch").wait().expect("commits");
    let mut request = QueryRequest::new(["odd"], Timestamp::MIN, Timestamp::MAX).expect("a name");
    (request.per, request.group_by) = (Per::Every(Resolution::Hour), GroupBy::Series);
    request.aggregates = vec![Aggregate::Min, Aggregate::Max, Aggregate::Count, Aggregate::Sum];
    let answer = || format!("{:?}", engine.query(&request).expect("answers").series);
    let from_memory = answer();
    engine.compact().expect("compacts");
    assert_eq!(answer(), from_memory, "rollups and points have one answer");
    let report = engine.check(false).expect("checks");
    assert!(report.buckets > 0);
    assert_eq!(report.differences, 0, "{report:?}");
}

#[test]
fn decimals_of_every_length_come_back_bit_for_bit() {
    let decimals = |places: i32| (0..300).map(move |number| f64::from(number * 7_919 % 100_003) / 10_f64.powi(places));
    let series: Vec<Vec<f64>> = (0..16).map(|places| decimals(places).collect()).collect();
    assert_come_back(&series);
    series.chunks(1).for_each(assert_come_back);
    let mixed: Vec<f64> = series.iter().map(|values| values[150]).collect();
    assert_come_back(&[mixed]);
}

proptest! {
    #![proptest_config(crate::properties::cases(4))]

    #[test]
    fn prop_any_finite_value_comes_back_bit_for_bit(
        series in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    any::<f64>().prop_filter("finite", |value| value.is_finite()),
                    any::<i64>().prop_map(|whole| whole as f64),
                    (any::<i32>(), 0_i32..12).prop_map(|(digits, places)| f64::from(digits) / 10_f64.powi(places)),
                ],
                1..60,
            ),
            1..4,
        ),
    ) {
        assert_come_back(&series);
    }
}
