//! Answers from rollups: really taken from them, right with late points on top, sketches within their error.

use metrics_core::{
    Aggregate, Batch, Engine, Exactness, Frame, GroupBy, Labels, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND,
    MetricName, Options, Per, Point, Quantile, QueryRequest, Resolution, SeriesKey, Timestamp,
};
use tempfile::TempDir;

use crate::compare::difference;
use crate::naive::Model;

const START: i64 = 1_700_006_400 * MICROS_PER_SECOND;
const DAYS: i64 = 4;
const POINTS: i64 = 24_000;

fn point(host: i64, micros: i64, value: f64) -> Point {
    let labels = Labels::new([("host", host.to_string())]).expect("labels");
    let series = SeriesKey::new(MetricName::new("latency").expect("a name"), labels);
    Point::of(series, Timestamp::clamped(micros), value).expect("finite")
}

/// Three hosts whose values are skewed as latencies are: most near 1, some of thousands.
fn latencies() -> Batch {
    let step = DAYS * MICROS_PER_DAY / POINTS;
    (0..POINTS)
        .map(|number| {
            // The fractional parts of multiples of the golden ratio are spread evenly over [0, 1).
            let share = (number as f64 * 0.618_033_988_749_894_9).fract();
            point(number % 3, START + number * step, (1.0 - share).powi(-2))
        })
        .collect()
}

struct Compacted {
    _folder: TempDir,
    engine: Engine,
    model: Model,
}

fn compacted(options: Options) -> Compacted {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let mut model = Model::default();
    for batch in latencies().split(4_000) {
        model.add(&batch);
        engine.write(batch).expect("takes a batch").wait().expect("commits");
    }
    engine.compact().expect("compacts");
    Compacted { _folder: folder, engine, model }
}

fn request(resolution: Resolution, aggregates: &str) -> QueryRequest {
    let (from, to) = (Timestamp::clamped(START), Timestamp::clamped(START + DAYS * MICROS_PER_DAY));
    let mut request = QueryRequest::new(["latency"], from, to).expect("a name");
    request.per = Per::Every(resolution);
    request.aggregates = Aggregate::parse_list(aggregates).expect("aggregates");
    request.explain = true;
    request
}

impl Compacted {
    fn answer(&self, request: &QueryRequest) -> Frame {
        let frame = self.engine.query(request).expect("answers");
        assert_eq!(difference(request, &frame, &self.model.answer(request)), None);
        frame
    }

    /// Rows that the answer was made from.
    fn rows_read(&self, request: &QueryRequest) -> u64 {
        let explain = self.answer(request).explain.expect("asked for");
        explain.tiers.iter().map(|tier| tier.rows).sum()
    }
}

#[test]
fn wide_windows_are_answered_from_rollups_and_not_from_the_points() {
    let store = compacted(Options::default());
    let aggregates = "avg,min,max,sum,count,first,last,stddev";
    assert!(store.rows_read(&request(Resolution::Day, aggregates)) <= 100);
    assert!(store.rows_read(&request(Resolution::Hour, aggregates)) <= 600);
    let mut apart = request(Resolution::Day, aggregates);
    apart.group_by = GroupBy::Series;
    assert!(store.rows_read(&apart) <= 100);
}

#[test]
fn windows_cut_by_the_range_are_completed_from_points() {
    let store = compacted(Options::default());
    for (late, early) in [(1, 0), (0, 1), (MICROS_PER_HOUR / 2 + 7, 3 * MICROS_PER_HOUR + 11), (123_456_789, 1)] {
        let mut request = request(Resolution::Day, "avg,min,max,sum,count,first,last,stddev,increase,p99");
        request.from = request.from.saturating_add_micros(late);
        request.to = request.to.saturating_add_micros(-early);
        store.answer(&request);
    }
}

#[test]
fn late_points_change_compacted_windows_at_once() {
    let mut store = compacted(Options::default());
    let aggregates = "avg,min,max,sum,count,first,last,stddev,median,p99,increase,rate";
    for (host, offset, value) in
        [(0, 5, -1.0), (1, MICROS_PER_DAY, 1e6), (7, 2 * MICROS_PER_DAY - 1, 0.0), (0, 5, -2.0)]
    {
        let late = Batch::from(point(host, START + offset, value));
        store.model.add(&late);
        store.engine.write(late).expect("takes a point").wait().expect("commits");
        for resolution in [Resolution::MINUTE, Resolution::Hour, Resolution::Day, Resolution::Month] {
            store.answer(&request(resolution, aggregates));
        }
    }
    store.engine.compact().expect("compacts");
    for resolution in [Resolution::MINUTE, Resolution::Hour, Resolution::Day, Resolution::Month] {
        store.answer(&request(resolution, aggregates));
    }
}

const QUANTILES: &str = "p0,p0.1,p1,p5,p25,median,p75,p95,p99,p99.9,p100";

/// Which of the resolutions' quantiles came from sketches, each checked for what it says it is.
fn sketched(store: &Compacted, resolutions: &[Resolution]) -> Vec<bool> {
    let mut sketched = Vec::new();
    for &resolution in resolutions {
        for group_by in [GroupBy::Nothing, GroupBy::Series] {
            // Exact columns are held to the exact quantile, sketches to a rank near it.
            let frame = store.answer(&QueryRequest { group_by, ..request(resolution, QUANTILES) });
            sketched.push(frame.series[0].columns.iter().all(|column| column.exactness == Exactness::Sketch));
        }
    }
    sketched
}

#[test]
fn quantiles_over_few_points_are_exact() {
    let store = compacted(Options { exact_quantile_points: 1_000_000, ..Options::default() });
    assert_eq!(
        sketched(&store, &[Resolution::MINUTE, Resolution::Hour, Resolution::Day, Resolution::Month]),
        [false; 8]
    );
}

#[test]
fn quantiles_over_many_points_are_sketches() {
    let store = compacted(Options { exact_quantile_points: 1_000, ..Options::default() });
    assert_eq!(sketched(&store, &[Resolution::Hour, Resolution::Day, Resolution::Month]), [true; 6]);
    let frame = store.answer(&request(Resolution::Day, "avg,count,stddev,max"));
    assert!(frame.series[0].columns.iter().all(|column| column.exactness == Exactness::Exact));
}

#[test]
fn sketches_of_skewed_values_are_within_two_percent_of_the_ranks() {
    let exact = compacted(Options { exact_quantile_points: 1_000_000, ..Options::default() });
    let store = compacted(Options { exact_quantile_points: 1_000, ..Options::default() });
    for share in (0..=1_000).step_by(5) {
        let quantile = |permille: u16| Aggregate::Quantile(Quantile::from_permille(permille).expect("up to 1000"));
        let ask = |engine: &Engine, permille: u16| {
            let mut request = request(Resolution::Month, "count");
            request.aggregates = vec![quantile(permille)];
            let frame = engine.query(&request).expect("answers");
            frame.series[0].columns[0].values[0].expect("has points")
        };
        let sketch = ask(&store.engine, share);
        let least = ask(&exact.engine, share.saturating_sub(20));
        let greatest = ask(&exact.engine, (share + 20).min(1_000));
        assert!(
            least <= sketch && sketch <= greatest,
            "{}: {sketch} is outside {least} to {greatest}",
            quantile(share)
        );
    }
}

#[test]
fn a_rollup_that_would_not_pay_is_not_read_though_its_chunk_is_long() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open(folder.path().join("m.duckdb")).expect("opens");
    // Two points a minute: too many minutes for what they save. More than are handed to DuckDB at once, several times.
    let (points, step) = (600_000, 30 * MICROS_PER_SECOND);
    let batch: Batch = (0..points).map(|number| point(1, START + number * step, 1.0)).collect();
    engine.write(batch).expect("takes a batch").wait().expect("commits");
    engine.compact().expect("compacts");
    let from = START + (points - 100_000) * step;
    let times = (Timestamp::clamped(from), Timestamp::clamped(START + points * step));
    let mut request = QueryRequest::new(["latency"], times.0, times.1).expect("a name");
    request.per = Per::Every(Resolution::MINUTE);
    request.aggregates = vec![Aggregate::Count];
    let frame = engine.query(&request).expect("answers");
    let counts = frame.series[0].column(Aggregate::Count).expect("asked for");
    assert_eq!((counts.len(), counts.iter().flatten().sum::<f64>()), (50_000, 100_000.0));
}
