//! Questions asked again: what was read of chunks is kept in memory, and no answer may show it.

use metrics_core::{
    Aggregate, Batch, Engine, GroupBy, LabelFilter, Labels, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE,
    MetricName, Options, Per, Point, QueryRequest, Resolution, SeriesKey, Timestamp,
};
use tempfile::TempDir;

use crate::compare::difference;
use crate::naive::Model;

const START: i64 = 1_704_067_200_000_000;
const DAYS: i64 = 3;

fn point(host: &str, micros: i64, value: f64) -> Point {
    let labels = Labels::new([("host", host)]).expect("labels");
    let series = SeriesKey::new(MetricName::new("load").expect("a name"), labels);
    Point::of(series, Timestamp::clamped(micros), value).expect("finite")
}

struct Fixture {
    _folder: TempDir,
    engine: Engine,
    model: Model,
}

impl Fixture {
    fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
        Self { _folder: folder, engine, model: Model::default() }
    }

    /// Points of three hosts in one chunk.
    fn write(&mut self, batch: Batch) {
        self.model.add(&batch);
        self.engine.write(batch).expect("takes a batch").wait().expect("commits");
        self.engine.compact().expect("compacts");
    }

    fn check(&self, request: &QueryRequest) {
        let frame = self.engine.query(request).expect("answers");
        assert_eq!(difference(request, &frame, &self.model.answer(request)), None, "{request:?}");
    }
}

fn three_hosts(step: i64) -> Batch {
    let times = (0..DAYS * MICROS_PER_DAY / step).map(|number| START + number * step);
    times.flat_map(|at| ["a", "b", "c"].map(|host| point(host, at, (at / step % 97) as f64 / 4.0))).collect()
}

fn request(per: Per, from: i64, to: i64, host: Option<&str>, aggregates: &str) -> QueryRequest {
    let times = (Timestamp::clamped(START + from), Timestamp::clamped(START + to));
    let mut request = QueryRequest::new(["load"], times.0, times.1).expect("a name");
    request.per = per;
    request.aggregates = Aggregate::parse_list(aggregates).expect("aggregates");
    request.filters = host.map(|host| LabelFilter::equal("host", host)).into_iter().collect();
    request.group_by = GroupBy::Series;
    request
}

#[test]
fn spans_that_overlap_an_earlier_question_are_answered_to_the_point() {
    let mut store = Fixture::new(Options::default());
    store.write(three_hosts(30_000_000));
    let spans =
        [(0, DAYS * MICROS_PER_DAY), (MICROS_PER_HOUR / 2 + 1, 2 * MICROS_PER_DAY), (-5, 7 * MICROS_PER_MINUTE)];
    for per in [Per::Raw, Per::Every(Resolution::MINUTE), Per::Every(Resolution::Hour), Per::Every(Resolution::Day)] {
        for host in [Some("b"), None] {
            for (from, to) in spans.into_iter().chain(spans) {
                for aggregates in ["avg", "avg,min,max,stddev,first,last", "p95,count"] {
                    store.check(&request(per, from, to, host, aggregates));
                }
            }
        }
    }
    assert!(store.engine.stats().read_cache_bytes > 0, "small reads are kept");
}

#[test]
fn a_late_point_and_a_deletion_change_the_answer_to_a_question_asked_before() {
    let mut store = Fixture::new(Options::default());
    store.write(three_hosts(60_000_000));
    let days = request(Per::Every(Resolution::Day), 0, DAYS * MICROS_PER_DAY, Some("a"), "avg,count,max");
    store.check(&days);
    store.write(Batch::from(point("a", START + MICROS_PER_DAY / 2, 1e6)));
    store.check(&days);
    let (from, to) = (Timestamp::clamped(START), Timestamp::clamped(START + MICROS_PER_DAY));
    let name = MetricName::new("load").expect("a name");
    let deleted = store.engine.delete(&name, &[LabelFilter::equal("host", "a")], from, to).expect("deletes");
    assert_eq!(deleted, 1_441);
    let frame = store.engine.query(&days).expect("answers");
    let counts = frame.series[0].column(Aggregate::Count).expect("asked for");
    assert_eq!((frame.series[0].time.len(), counts), (2, &[Some(1_440.0), Some(1_440.0)][..]));
}

#[test]
fn a_burst_of_many_more_points_than_expected_is_read_whole() {
    let mut store = Fixture::new(Options::default());
    let steady = (0..10_000).map(|number| point("steady", START + number * 10 * MICROS_PER_MINUTE, 1.0));
    let burst =
        (0..70_000).map(|number| point("burst", START + MICROS_PER_DAY + number * 1_000, f64::from(number as i32)));
    store.write(steady.chain(burst).collect());
    let span = (MICROS_PER_DAY, MICROS_PER_DAY + MICROS_PER_HOUR);
    for _ in 0..2 {
        store.check(&request(Per::Raw, span.0, span.1, Some("burst"), "avg"));
        store.check(&request(Per::Every(Resolution::MINUTE), span.0, span.1, Some("burst"), "p50,sum"));
    }
}

#[test]
fn without_a_cache_nothing_is_kept_and_the_answers_are_the_same() {
    let mut store = Fixture::new(Options { read_cache_bytes: 0, ..Options::default() });
    store.write(three_hosts(60_000_000));
    for _ in 0..2 {
        store.check(&request(Per::Every(Resolution::Hour), 1, 2 * MICROS_PER_DAY, Some("c"), "avg,p50"));
    }
    assert_eq!(store.engine.stats().read_cache_bytes, 0);
}
