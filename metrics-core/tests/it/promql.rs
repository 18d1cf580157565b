//! PromQL over a store: what Prometheus 3 does where its version 2 did something else, and where a store holds more.

use std::time::Duration;

use metrics_core::promql::{Answer, PromqlError, Query};
use metrics_core::{Batch, Engine, Labels, MetricName, Options, Point, SeriesKey, Timestamp};
use tempfile::TempDir;

pub(crate) struct Store {
    _folder: TempDir,
    pub(crate) engine: Engine,
}

impl Store {
    pub(crate) fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
        Self { _folder: folder, engine }
    }

    /// A store with points of one metric: host, second, value.
    pub(crate) fn with(name: &str, points: &[(&str, f64, f64)]) -> Self {
        let store = Self::new(Options::default());
        let batch: Batch = points.iter().map(|&(host, at, value)| point(name, host, at, value)).collect();
        store.engine.write(batch).expect("takes a batch").wait().expect("commits");
        store
    }

    /// An answer at a second, as text: `labels value` a line.
    pub(crate) fn at(&self, expression: &str, second: f64) -> Result<Vec<String>, PromqlError> {
        Ok(match self.engine.promql(&Query::at(expression, time(second)))? {
            Answer::Scalar(value) => vec![value.to_string()],
            Answer::Text(text) => vec![text],
            Answer::Vector(samples) => samples.iter().map(|s| format!("{} {}", s.metric, s.value)).collect(),
            Answer::Matrix(all) => all.iter().map(|s| format!("{} {:?}", s.metric, values(&s.samples))).collect(),
        })
    }

    /// An answer over a range: labels, and seconds with values.
    pub(crate) fn over(&self, expression: &str, start: f64, end: f64, step: u64) -> Vec<(String, Vec<(f64, f64)>)> {
        let query = Query::range(expression, time(start), time(end), Duration::from_secs(step));
        match self.engine.promql(&query).expect(expression) {
            Answer::Matrix(all) => all.iter().map(|s| (s.metric.to_string(), values(&s.samples))).collect(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn time(second: f64) -> Timestamp {
    Timestamp::clamped((second * 1e6) as i64)
}

fn values(samples: &[(Timestamp, f64)]) -> Vec<(f64, f64)> {
    samples.iter().map(|(at, value)| (at.micros() as f64 / 1e6, *value)).collect()
}

pub(crate) fn point(name: &str, host: &str, second: f64, value: f64) -> Point {
    let labels = Labels::new([("host", host)]).expect("labels");
    let series = SeriesKey::new(MetricName::new(name).expect("a name"), labels);
    Point::of(series, time(second), value).expect("finite")
}

#[test]
fn a_range_is_open_on_the_left_and_closed_on_the_right() {
    let store = Store::with("x", &[("a", 0.0, 1.0), ("a", 60.0, 2.0), ("a", 120.0, 4.0)]);
    assert_eq!(store.at("sum_over_time(x[1m])", 60.0).expect("fine"), [r#"{host="a"} 2"#]);
    assert_eq!(store.at("sum_over_time(x[2m])", 120.0).expect("fine"), [r#"{host="a"} 6"#]);
    assert_eq!(store.at("sum_over_time(x[2m])", 119.999).expect("fine"), [r#"{host="a"} 3"#]);
    assert!(store.at("rate(x[1m])", 60.0).expect("fine").is_empty(), "one sample has no rate");
    assert_eq!(store.at("x[2m]", 120.0).expect("fine"), [r#"x{host="a"} [(60.0, 2.0), (120.0, 4.0)]"#]);
}

#[test]
fn an_instant_looks_back_for_less_than_five_minutes() {
    let store = Store::with("x", &[("a", 1_000.0, 7.0)]);
    for (second, there) in [(999.999, false), (1_000.0, true), (1_299.999, true), (1_300.0, false)] {
        assert_eq!(!store.at("x", second).expect("fine").is_empty(), there, "{second}");
    }
    let mut query = Query::at("x", time(1_300.0));
    query.lookback = Duration::from_secs(301);
    assert!(matches!(store.engine.promql(&query), Ok(Answer::Vector(samples)) if samples.len() == 1));
}

#[test]
fn a_subquery_steps_over_multiples_of_its_step_and_not_over_its_left_end() {
    let points: Vec<_> = (0..20).map(|i| ("a", f64::from(i) * 60.0, f64::from(i))).collect();
    let store = Store::with("x", &points);
    assert_eq!(
        store.at("x[3m:1m]", 600.0).expect("fine"),
        [r#"x{host="a"} [(480.0, 8.0), (540.0, 9.0), (600.0, 10.0)]"#]
    );
    assert_eq!(store.at("x[2m:1m]", 630.0).expect("fine"), [r#"x{host="a"} [(540.0, 9.0), (600.0, 10.0)]"#]);
    assert_eq!(store.at("max_over_time(x[5m:] offset 2m)", 600.0).expect("fine"), [r#"{host="a"} 8"#]);
}

#[test]
fn of_points_of_one_time_an_instant_takes_the_greatest_a_rate_one_and_a_sum_all() {
    let store =
        Store::with("x", &[("a", 0.0, 5.0), ("a", 10.0, 9.0), ("a", 10.0, 7.0), ("a", 10.0, 8.0), ("a", 20.0, 13.0)]);
    assert_eq!(store.at("x", 15.0).expect("fine"), [r#"x{host="a"} 9"#]);
    assert_eq!(store.at("count_over_time(x[1m])", 20.0).expect("fine"), [r#"{host="a"} 5"#]);
    assert_eq!(store.at("sum_over_time(x[1m])", 20.0).expect("fine"), [r#"{host="a"} 42"#]);
    assert_eq!(store.at("irate(x[1m])", 20.0).expect("fine"), [r#"{host="a"} 0.4"#]);
    assert_eq!(store.at("resets(x[1m])", 20.0).expect("fine"), [r#"{host="a"} 0"#]);
    assert_eq!(store.at("changes(x[1m])", 20.0).expect("fine"), [r#"{host="a"} 2"#]);
}

#[test]
fn times_of_samples_are_kept_to_the_microsecond() {
    let store = Store::with("x", &[("a", 10.000_007, 1.0)]);
    assert_eq!(store.at("timestamp(x)", 20.0).expect("fine"), [r#"{host="a"} 10.000007"#]);
    assert!(store.at("x", 10.0).expect("fine").is_empty());
}

#[test]
fn steps_go_from_the_start_to_the_end_and_gaps_are_gaps() {
    let store = Store::with("x", &[("a", 100.0, 1.0), ("b", 700.0, 2.0)]);
    assert_eq!(
        store.over("x", 0.0, 1_000.0, 250),
        [(r#"x{host="a"}"#.into(), vec![(250.0, 1.0)]), (r#"x{host="b"}"#.into(), vec![(750.0, 2.0)])]
    );
    let ends = store.over("vector(1)", 0.0, 999.0, 250);
    assert_eq!(ends[0].1.len(), 4, "the end is between two steps");
    assert_eq!(store.over("x @ end()", 0.0, 1_000.0, 500).len(), 0, "300 s after its last sample nothing is there");
    let end = store.over("x @ end()", 0.0, 700.0, 400);
    assert_eq!(end[0].1, [(0.0, 2.0), (400.0, 2.0)], "the end is the query's, not its last step");
    assert_eq!(store.over("x @ 720", 0.0, 1_000.0, 500)[0].1, [(0.0, 2.0), (500.0, 2.0), (1_000.0, 2.0)]);
}

#[test]
fn an_answer_holds_what_was_written_before_it_wherever_it_lies() {
    let store = Store::with("x", &[("a", 0.0, 1.0), ("a", 10.0, 2.0)]);
    store.engine.compact().expect("compacts");
    let late = point("x", "a", 5.0, 10.0);
    store.engine.write(late).expect("takes a point").wait().expect("commits");
    assert_eq!(store.at("x[1m]", 10.0).expect("fine"), [r#"x{host="a"} [(0.0, 1.0), (5.0, 10.0), (10.0, 2.0)]"#]);
}

#[test]
fn series_are_selected_by_any_selector_and_by_their_first_and_last_point() {
    let store = Store::with("x", &[("a", 100.0, 1.0), ("b", 700.0, 2.0)]);
    let selector = |text: &str| metrics_core::promql::Selector::parse(text).expect(text);
    let found = |selectors: &[&str], from: f64, to: f64| -> Vec<String> {
        let selectors: Vec<_> = selectors.iter().map(|text| selector(text)).collect();
        store.engine.select(&selectors, time(from), time(to)).iter().map(|info| info.key.to_string()).collect()
    };
    assert_eq!(found(&["x"], 0.0, 1_000.0).len(), 2);
    assert_eq!(found(&["x"], 0.0, 100.0), [r#"x{host="a"}"#]);
    assert_eq!(found(&["{host=\"b\"}", "y"], 0.0, 1_000.0), [r#"x{host="b"}"#]);
    assert!(found(&["x"], 101.0, 699.0).is_empty());
}
