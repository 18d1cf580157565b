//! Averages of five-minute measurements, per minute, hour and day, against arithmetic of the test's own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::NaiveDateTime;
use metrics_core::wire::csv::{self, CsvOptions};
use metrics_core::{
    Aggregate, Engine, Labels, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MetricName, Per, QueryRequest,
    Resolution, Timestamp,
};

/// A server's CPU in percent, from the Numenta Anomaly Benchmark.
const EC2_CPU: &str = include_str!("../../../examples/data/ec2_cpu_utilization_5f5533.csv");

/// What makes a data set difficult.
struct Traits {
    points: u64,
    /// Times that come twice, with different values.
    doubles: u64,
    /// Rows that stand before earlier ones.
    swaps: u64,
    /// Runs of missing rows.
    gaps: u64,
    scale: f64,
}

/// Rows of `timestamp,value` as such files have them: five minutes apart, times without zone.
fn generated(seed: u64, traits: &Traits) -> String {
    let mut state = seed;
    let mut random = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let start = NaiveDateTime::parse_from_str("2014-02-14 14:27:00", "%Y-%m-%d %H:%M:%S").expect("a time");
    let mut slots: Vec<u64> = (0..traits.points - traits.doubles).collect();
    for _ in 0..traits.doubles {
        slots.insert(random(traits.points / 2) as usize, random(traits.points / 2));
    }
    for _ in 0..traits.gaps {
        let from = random(traits.points - 100);
        slots.iter_mut().filter(|slot| **slot >= from).for_each(|slot| *slot += 40);
    }
    for _ in 0..traits.swaps {
        let at = random(traits.points - 50) as usize;
        slots.swap(at, at + 1 + random(40) as usize);
    }
    let mut text = String::from("timestamp,value\n");
    for slot in slots {
        let time = start + chrono::Duration::minutes(5 * slot as i64);
        let wave = (slot as f64 / 40.0).sin() + random(1_000_000) as f64 / 1e6;
        let value = traits.scale * if random(500) == 0 { 80.0 * wave } else { wave };
        writeln!(text, "{},{value}", time.format("%Y-%m-%d %H:%M:%S")).expect("a string takes text");
    }
    text
}

fn data_sets() -> Vec<(&'static str, String)> {
    let plain = Traits { points: 4_032, doubles: 0, swaps: 0, gaps: 0, scale: 1.0 };
    vec![
        ("ec2_cpu", EC2_CPU.to_owned()),
        ("network_in", generated(1, &Traits { scale: 1e8, ..plain })),
        ("rds_cpu", generated(2, &Traits { scale: 10.0, ..plain })),
        ("requests", generated(3, &Traits { gaps: 9, swaps: 5, scale: 100.0, ..plain })),
        (
            "machine_temperature",
            generated(4, &Traits { points: 22_695, doubles: 12, swaps: 200, gaps: 3, scale: 90.0 }),
        ),
    ]
}

/// The rows as time and value, read without the library.
fn rows(text: &str) -> Vec<(i64, f64)> {
    let row = |line: &str| {
        let (time, value) = line.split_once(',').expect("two fields");
        let time = NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").expect("a time");
        (time.and_utc().timestamp_micros(), value.parse().expect("a number"))
    };
    text.lines().skip(1).map(row).collect()
}

/// Sum and count of each window that holds a row, by its start.
fn sums(rows: &[(i64, f64)], width: i64) -> BTreeMap<i64, (f64, u32)> {
    let mut sums = BTreeMap::new();
    for (micros, value) in rows {
        let window = sums.entry(micros.div_euclid(width) * width).or_insert((0.0, 0));
        *window = (window.0 + value, window.1 + 1);
    }
    sums
}

fn assert_averages(engine: &Engine, name: &str, rows: &[(i64, f64)], resolution: Resolution, width: i64) {
    let times = rows.iter().map(|row| row.0);
    let (first, last) = (times.clone().min().expect("rows"), times.max().expect("rows"));
    let mut request =
        QueryRequest::new([name], Timestamp::clamped(first), Timestamp::clamped(last + 1)).expect("a name");
    request.per = Per::Every(resolution);
    request.aggregates = vec![Aggregate::Avg, Aggregate::Count];
    let frame = engine.query(&request).expect("answers");
    assert_eq!(frame.series.len(), 1, "{name} per {resolution}");
    let series = &frame.series[0];
    let expected = sums(rows, width);
    let times: Vec<i64> = series.time.iter().map(|time| time.micros()).collect();
    assert_eq!(times, expected.keys().copied().collect::<Vec<_>>(), "{name} per {resolution}");
    let averages = series.column(Aggregate::Avg).expect("asked for");
    let counts = series.column(Aggregate::Count).expect("asked for");
    for (((start, (sum, count)), average), counted) in expected.iter().zip(averages).zip(counts) {
        let (expected, average) = (sum / f64::from(*count), average.expect("holds points"));
        let place = format!("{name} per {resolution} at {}", Timestamp::clamped(*start));
        assert!((average - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{place}: {average}, not {expected}");
        assert_eq!(*counted, Some(f64::from(*count)), "{place}");
    }
}

fn assert_all_averages(engine: &Engine) {
    for (name, text) in data_sets() {
        let rows = rows(&text);
        assert_averages(engine, name, &rows, Resolution::MINUTE, MICROS_PER_MINUTE);
        assert_averages(engine, name, &rows, Resolution::Hour, MICROS_PER_HOUR);
        assert_averages(engine, name, &rows, Resolution::Day, MICROS_PER_DAY);
    }
}

#[test]
fn minute_hour_and_day_averages_of_five_csv_files_equal_plain_arithmetic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = Engine::open(&path).expect("opens");
    for (name, text) in data_sets() {
        let options = CsvOptions { name: Some(MetricName::new(name).expect("a name")), labels: Labels::empty() };
        let batch = csv::decode(text.as_bytes(), &options).expect("a CSV file");
        let points = batch.len() as u64;
        let receipt = engine.write(batch).expect("takes a batch").wait().expect("commits");
        assert_eq!((receipt.points, points), (points, text.lines().count() as u64 - 1), "{name}");
    }
    assert_all_averages(&engine);
    engine.compact().expect("compacts");
    assert_all_averages(&engine);
    engine.close().expect("closes");
    assert_all_averages(&Engine::open(&path).expect("opens again"));
}

#[test]
fn the_generated_files_have_the_traits_that_they_stand_for() {
    let sets: BTreeMap<&str, Vec<(i64, f64)>> =
        data_sets().into_iter().map(|(name, text)| (name, rows(&text))).collect();
    let machine = &sets["machine_temperature"];
    let mut times: Vec<i64> = machine.iter().map(|row| row.0).collect();
    assert_eq!((machine.len(), sets["requests"].len(), sets["ec2_cpu"].len()), (22_695, 4_032, 4_032));
    assert!(!times.is_sorted(), "unsorted in places");
    times.sort_unstable();
    assert_eq!(times.windows(2).filter(|pair| pair[0] == pair[1]).count(), 12, "times that come twice");
    assert!(times.windows(2).any(|pair| pair[1] - pair[0] > MICROS_PER_HOUR), "gaps");
    assert!(sets["network_in"].iter().any(|row| row.1 > 1e9), "large spikes");
}
