//! Days whose clocks change, counted through the engine: the numbers are those of the time zone database.

use chrono_tz::Tz;
use metrics_core::{
    Aggregate, Batch, Engine, Fill, FrameSeries, MICROS_PER_MINUTE, Options, Order, Per, Point, QueryRequest,
    Resolution, Timestamp,
};
use tempfile::TempDir;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

/// A store with a point every five minutes in `[from, to)`, each with the value 1, moved into chunks or not.
fn store(from: &str, to: &str, compacted: bool) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { head_points: 100, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let every = (5 * MICROS_PER_MINUTE) as usize;
    let batch: Batch = (at(from).micros()..at(to).micros())
        .step_by(every)
        .map(|micros| Point::new("ticks", Timestamp::clamped(micros), 1.0).expect("a point"))
        .collect();
    engine.write(batch).expect("takes a batch").wait().expect("commits");
    if compacted {
        engine.compact().expect("compacts");
    }
    (folder, engine)
}

fn answer(engine: &Engine, request: &QueryRequest) -> FrameSeries {
    let mut frame = engine.query(request).expect("answers");
    assert_eq!(frame.series.len(), 1, "one metric in one group");
    frame.series.remove(0)
}

/// Asserts the windows of `[from, to)`: the start of each and how many points it holds.
fn assert_windows(resolution: Resolution, zone: Tz, from: &str, to: &str, expected: &[(&str, u32)]) {
    for compacted in [false, true] {
        let (_folder, engine) = store(from, to, compacted);
        let mut request = QueryRequest::new(["ticks"], at(from), at(to)).expect("a name");
        (request.per, request.zone) = (Per::Every(resolution), zone);
        request.aggregates = vec![Aggregate::Count, Aggregate::Sum, Aggregate::Median];
        let series = answer(&engine, &request);
        let expected_times: Vec<Timestamp> = expected.iter().map(|(start, _)| at(start)).collect();
        let expected_counts: Vec<Option<f64>> = expected.iter().map(|(_, count)| Some(f64::from(*count))).collect();
        assert_eq!(series.time, expected_times, "{zone} per {resolution}, compacted: {compacted}");
        for aggregate in [Aggregate::Count, Aggregate::Sum] {
            let column = series.column(aggregate).expect("asked for");
            assert_eq!(column, expected_counts, "{aggregate} in {zone} per {resolution}, compacted: {compacted}");
        }
        assert_eq!(series.column(Aggregate::Median).expect("asked for"), vec![Some(1.0); expected.len()]);
        let points = (at(to).micros() - at(from).micros()) / (5 * MICROS_PER_MINUTE);
        assert_eq!(expected.iter().map(|(_, count)| i64::from(*count)).sum::<i64>(), points, "days make the total");
    }
}

#[test]
fn new_york_has_a_day_of_23_and_one_of_25_hours() {
    let zone = Tz::America__New_York;
    let spring = [("2024-03-09T05:00:00Z", 288), ("2024-03-10T05:00:00Z", 276), ("2024-03-11T04:00:00Z", 288)];
    assert_windows(Resolution::Day, zone, "2024-03-09T05:00:00Z", "2024-03-12T04:00:00Z", &spring);
    let autumn = [("2024-11-02T04:00:00Z", 288), ("2024-11-03T04:00:00Z", 300), ("2024-11-04T05:00:00Z", 288)];
    assert_windows(Resolution::Day, zone, "2024-11-02T04:00:00Z", "2024-11-05T05:00:00Z", &autumn);
}

#[test]
fn a_week_and_a_month_of_berlin_lose_an_hour_in_spring() {
    let zone = Tz::Europe__Berlin;
    let weeks = [("2024-03-24T23:00:00Z", 167 * 12), ("2024-03-31T22:00:00Z", 168 * 12)];
    assert_windows(Resolution::Week, zone, "2024-03-24T23:00:00Z", "2024-04-07T22:00:00Z", &weeks);
    let months = [("2024-02-29T23:00:00Z", (31 * 24 - 1) * 12), ("2024-03-31T22:00:00Z", 30 * 24 * 12)];
    assert_windows(Resolution::Month, zone, "2024-02-29T23:00:00Z", "2024-04-30T22:00:00Z", &months);
}

#[test]
fn lord_howe_lives_half_an_hour_twice() {
    let zone = Tz::Australia__Lord_Howe;
    let days = [("2024-04-05T13:00:00Z", 288), ("2024-04-06T13:00:00Z", 294), ("2024-04-07T13:30:00Z", 288)];
    assert_windows(Resolution::Day, zone, "2024-04-05T13:00:00Z", "2024-04-08T13:30:00Z", &days);
    let hours = [("2024-04-06T14:00:00Z", 12), ("2024-04-06T15:00:00Z", 6), ("2024-04-06T15:30:00Z", 12)];
    assert_windows(Resolution::Hour, zone, "2024-04-06T14:00:00Z", "2024-04-06T16:30:00Z", &hours);
}

#[test]
fn kathmandu_once_skipped_a_quarter_of_an_hour() {
    let zone = Tz::Asia__Kathmandu;
    let days = [("1985-12-30T18:30:00Z", 288), ("1985-12-31T18:30:00Z", 285), ("1986-01-01T18:15:00Z", 288)];
    assert_windows(Resolution::Day, zone, "1985-12-30T18:30:00Z", "1986-01-02T18:15:00Z", &days);
    let hours = [("2024-01-01T00:15:00Z", 12), ("2024-01-01T01:15:00Z", 12)];
    assert_windows(Resolution::Hour, zone, "2024-01-01T00:15:00Z", "2024-01-01T02:15:00Z", &hours);
}

#[test]
fn sao_paulo_skipped_midnight_and_lived_the_hour_before_it_twice() {
    let zone = Tz::America__Sao_Paulo;
    let skipped = [("2018-11-03T03:00:00Z", 288), ("2018-11-04T03:00:00Z", 276), ("2018-11-05T02:00:00Z", 288)];
    assert_windows(Resolution::Day, zone, "2018-11-03T03:00:00Z", "2018-11-06T02:00:00Z", &skipped);
    let twice = [("2018-02-16T02:00:00Z", 288), ("2018-02-17T02:00:00Z", 300), ("2018-02-18T03:00:00Z", 288)];
    assert_windows(Resolution::Day, zone, "2018-02-16T02:00:00Z", "2018-02-19T03:00:00Z", &twice);
}

#[test]
fn windows_before_1970_are_aligned_by_floor() {
    let minutes = [("1969-12-31T23:55:00Z", 1), ("1970-01-01T00:00:00Z", 1)];
    assert_windows(Resolution::MINUTE, Tz::UTC, "1969-12-31T23:55:00Z", "1970-01-01T00:05:00Z", &minutes);
    let quarters = [("1969-12-31T23:45:00Z", 3), ("1970-01-01T00:00:00Z", 3)];
    let quarter = Resolution::fixed_micros(15 * MICROS_PER_MINUTE).expect("positive");
    assert_windows(quarter, Tz::UTC, "1969-12-31T23:45:00Z", "1970-01-01T00:15:00Z", &quarters);
    let days = [("1969-12-30T23:00:00Z", 288), ("1969-12-31T23:00:00Z", 12)];
    assert_windows(Resolution::Day, Tz::Europe__Berlin, "1969-12-30T23:00:00Z", "1970-01-01", &days);
}

#[test]
fn a_filled_day_without_points_stands_between_its_neighbours() {
    for compacted in [false, true] {
        let (_folder, engine) = store("2024-03-09T05:00:00Z", "2024-03-10T05:00:00Z", compacted);
        let late = Point::new("ticks", at("2024-03-12T12:00:00Z"), 3.0).expect("a point");
        engine.write(late).expect("takes a point").wait().expect("commits");
        let mut request =
            QueryRequest::new(["ticks"], at("2024-03-09T05:00:00Z"), at("2024-03-14T04:00:00Z")).expect("a name");
        (request.per, request.zone) = (Per::Every(Resolution::Day), Tz::America__New_York);
        let rows = |fill: Fill, order: Order, limit: usize| {
            let request = QueryRequest { fill, order, limit, ..request.clone() };
            answer(&engine, &request).column(Aggregate::Avg).expect("asked for").to_vec()
        };
        let none = None;
        assert_eq!(rows(Fill::None, Order::Ascending, 9), [Some(1.0), Some(3.0)]);
        assert_eq!(rows(Fill::Null, Order::Ascending, 9), [Some(1.0), none, none, Some(3.0), none]);
        assert_eq!(rows(Fill::Zero, Order::Descending, 9), [0.0, 3.0, 0.0, 0.0, 1.0].map(Some));
        assert_eq!(rows(Fill::Previous, Order::Ascending, 9), [1.0, 1.0, 1.0, 3.0, 3.0].map(Some));
        // The starts lie 23, 24 and 24 hours apart: the line is one over time, not over rows.
        let linear = rows(Fill::Linear, Order::Ascending, 9);
        assert_eq!((linear[0], linear[3], linear[4]), (Some(1.0), Some(3.0), none));
        let on_line = |hours: f64| 1.0 + 2.0 * hours / 71.0;
        for (found, expected) in [(linear[1], on_line(24.0)), (linear[2], on_line(47.0))] {
            assert!((found.expect("between two windows") - expected).abs() < 1e-12, "{found:?}, not {expected}");
        }
        assert_eq!(
            rows(Fill::Previous, Order::Descending, 2),
            [Some(3.0), Some(3.0)],
            "the fill comes before the limit"
        );
    }
}

#[test]
fn the_first_and_the_last_instant_are_ordinary_points() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open(folder.path().join("m.duckdb")).expect("opens");
    let last = Timestamp::MAX.saturating_add_micros(-1);
    for (time, value) in [(last, 3.0), (Timestamp::MIN, 1.0), (Timestamp::EPOCH, 2.0)] {
        engine
            .write(Point::new("ticks", time, value).expect("a point"))
            .expect("takes a point")
            .wait()
            .expect("commits");
    }
    for compacted in [false, true] {
        if compacted {
            engine.compact().expect("compacts");
        }
        let mut request = QueryRequest::new(["ticks"], Timestamp::MIN, Timestamp::MAX).expect("a name");
        request.per = Per::Raw;
        assert_eq!(answer(&engine, &request).time, [Timestamp::MIN, Timestamp::EPOCH, last]);
        let days = [Timestamp::MIN, Timestamp::EPOCH, at("9999-12-31")];
        for (per, zone, starts) in [
            (Per::Every(Resolution::Hour), Tz::UTC, [Timestamp::MIN, Timestamp::EPOCH, at("9999-12-31T23:00:00Z")]),
            (Per::Every(Resolution::Day), Tz::UTC, days),
            (Per::Every(Resolution::Month), Tz::UTC, [Timestamp::MIN, Timestamp::EPOCH, at("9999-12-01")]),
            (Per::Every(Resolution::Week), Tz::UTC, [Timestamp::MIN, at("1969-12-29"), at("9999-12-27")]),
        ] {
            (request.per, request.zone) = (per, zone);
            let series = answer(&engine, &request);
            assert_eq!((series.time.as_slice(), compacted), (&starts[..], compacted));
            assert_eq!(series.column(Aggregate::Avg).expect("asked for"), [1.0, 2.0, 3.0].map(Some));
        }
    }
}
