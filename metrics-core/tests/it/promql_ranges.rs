//! Functions over ranges answered from rollups: the same as from the points, and really from rollups.

use std::time::Duration;

use metrics_core::promql::{Answer, PromqlError, Query};
use metrics_core::{Batch, MICROS_PER_DAY, MICROS_PER_HOUR, Options, QueryError, Timestamp};
use proptest::prelude::*;

use crate::promql::{Store, point, time};
use crate::properties::cases;

const START: f64 = 1_700_006_400.0;
const HOUR: f64 = 3_600.0;
const FUNCTIONS: [&str; 9] = [
    "sum_over_time",
    "count_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "last_over_time",
    "stddev_over_time",
    "first_over_time",
    "present_over_time",
];

/// Two days of two hosts, a point each ten seconds; those of `a` on the clock, those of `b` beside it.
fn two_days(options: Options) -> Store {
    let store = Store::new(options);
    let points = (0..17_280).flat_map(|tick| {
        let (at, value) = (START + f64::from(tick) * 10.0, f64::from(tick * 7 % 1_013));
        [point("x", "a", at, value), point("x", "b", at + 3.7, value * 2.0)]
    });
    let batch: Batch = points.collect();
    store.engine.write(batch).expect("takes a batch").wait().expect("commits");
    store.engine.compact().expect("compacts");
    store
}

fn samples(store: &Store, expression: &str, step: u64) -> Vec<(String, Vec<(f64, f64)>)> {
    store.over(expression, START + 6.0 * HOUR, START + 44.0 * HOUR, step)
}

#[test]
fn ranges_on_the_clock_are_answered_from_rollups_as_from_points() {
    let store = two_days(Options::default());
    for (range, step) in [("1h", 3_600), ("3h", 3_600), ("1h", 7_200), ("12h", 43_200), ("30m", 900)] {
        for function in FUNCTIONS {
            let rolled = samples(&store, &format!("{function}(x[{range}])"), step);
            // What `@` pins is read as points.
            let pinned = rolled[0].1.last().expect("a sample").0;
            let of_points = samples(&store, &format!("{function}(x[{range}] @ {pinned})"), step);
            assert_eq!((rolled.len(), of_points.len()), (2, 2));
            for ((name, values), (expected_name, expected)) in rolled.iter().zip(&of_points) {
                let (value, expected) = (values.last().expect("a sample").1, expected[0].1);
                assert_eq!(name, expected_name);
                assert!(
                    (value - expected).abs() <= 1e-9 * expected.abs(),
                    "{function} {range} {name}: {value} {expected}"
                );
            }
        }
    }
}

#[test]
fn long_ranges_are_answered_though_their_points_are_more_than_may_be_read() {
    let store = two_days(Options { max_raw_rows: 15_000, ..Options::default() });
    let rolled = samples(&store, "count_over_time(x{host=\"b\"}[1h])", 3_600);
    assert!(rolled[0].1.iter().all(|(_, count)| *count == 360.0), "{rolled:?}");
    let on_clock = samples(&store, "count_over_time(x[6h])", 21_600);
    assert!(on_clock.iter().all(|(_, values)| values.iter().all(|(_, count)| *count == 2_160.0)), "{on_clock:?}");
    let points = Query::range("rate(x[1h])", time(START), time(START + 44.0 * HOUR), Duration::from_secs(3_600));
    let refused = store.engine.promql(&points);
    assert!(matches!(refused, Err(PromqlError::Read(QueryError::TooManyRows { limit: 15_000 }))), "{refused:?}");
}

#[test]
fn points_exactly_on_a_border_belong_to_the_range_that_ends_there() {
    let store = Store::new(Options::default());
    let mut points: Vec<_> = (0..2_000).map(|i| point("x", "a", START + f64::from(i) * 10.0 + 1.0, 0.0)).collect();
    points.push(point("x", "a", START + HOUR, 100.0));
    points.push(point("x", "a", START + 2.0 * HOUR, 10.0));
    let batch: Batch = points.into_iter().collect();
    store.engine.write(batch).expect("takes a batch").wait().expect("commits");
    let asked = |store: &Store| store.over("max_over_time(x[1h])", START + HOUR, START + 3.0 * HOUR, 3_600);
    let from_memory = asked(&store);
    assert_eq!(from_memory[0].1.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [100.0, 10.0, 0.0]);
    store.engine.compact().expect("compacts");
    assert_eq!(asked(&store), from_memory);
}

proptest! {
    #![proptest_config(cases(12))]

    /// Points on and beside borders, in chunks and in memory, late ones too; ranges on the clock.
    #[test]
    fn prop_ranges_hold_what_lies_in_them(
        seconds in proptest::collection::vec((0_i64..86_400 / 450, 0_i64..3), 1..400),
        late in proptest::collection::vec(0_i64..86_400 / 450, 0..40),
        range in 1_i64..9,
        step in 1_i64..9,
    ) {
        let at = |tick: i64, beside: i64| START as i64 * 1_000_000 + tick * 450_000_000 + beside;
        let mut all: Vec<(i64, f64)> = Vec::new();
        let store = Store::new(Options::default());
        let dense = (0..8_640).map(|tick| at(0, 0) + tick * 10_000_000 + 5);
        let early = seconds.iter().map(|(tick, beside)| at(*tick, *beside)).chain(dense);
        for (compacts, times) in [(true, early.collect::<Vec<_>>()), (false, late.iter().map(|tick| at(*tick, 0)).collect())] {
            if times.is_empty() { continue }
            let new: Vec<(i64, f64)> = times.iter().enumerate().map(|(i, at)| (*at, (i * 31 % 97) as f64)).collect();
            let batch: Batch = new.iter().map(|(at, value)| point("x", "a", *at as f64 / 1e6, *value)).collect();
            prop_assert!(store.engine.write(batch).expect("takes a batch").wait().is_ok());
            if compacts { store.engine.compact().expect("compacts") }
            // As the store has them: to the microsecond that a double of seconds keeps.
            all.extend(new.iter().map(|(at, value)| (time(*at as f64 / 1e6).micros(), *value)));
        }
        let (range, step) = (range * MICROS_PER_HOUR / 4, step * MICROS_PER_HOUR / 4);
        let start = START as i64 * 1_000_000;
        for function in ["count", "sum", "min", "max", "last"] {
            let expression = format!("{function}_over_time(x[{}s])", range / 1_000_000);
            let span = (Timestamp::clamped(start), Timestamp::clamped(start + MICROS_PER_DAY));
            let query = Query::range(expression, span.0, span.1, Duration::from_micros(step as u64));
            let Answer::Matrix(series) = store.engine.promql(&query).expect("answers") else { panic!("a matrix") };
            let mut expected = Vec::new();
            for end in (start..=start + MICROS_PER_DAY).step_by(step as usize) {
                let mut inside: Vec<(i64, f64)> =
                    all.iter().copied().filter(|(at, _)| (end - range + 1..=end).contains(at)).collect();
                inside.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
                let values = || inside.iter().map(|(_, value)| *value);
                let value = match function {
                    "count" => inside.len() as f64,
                    "sum" => values().sum(),
                    "min" => values().fold(f64::NAN, f64::min),
                    "max" => values().fold(f64::NAN, f64::max),
                    _ => values().next_back().unwrap_or(f64::NAN),
                };
                if !inside.is_empty() { expected.push((end, value)) }
            }
            let found: Vec<(i64, f64)> = series[0].samples.iter().map(|(at, value)| (at.micros(), *value)).collect();
            prop_assert_eq!(found, expected, "{} {} {}", function, range, step);
        }
    }
}
