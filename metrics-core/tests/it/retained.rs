//! Retention drops points and keeps their rollups: answers in whole minutes stay those of all points ever written.

use chrono_tz::Tz;
use metrics_core::{
    Aggregate, Batch, Engine, Fill, GroupBy, MICROS_PER_DAY, MICROS_PER_MINUTE, Options, Per, Point, QueryRequest,
    Resolution, Timestamp,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tempfile::TempDir;

use crate::compare::difference;
use crate::naive::Model;
use crate::scenario::series_key;

/// 2024-03-15T12:00:00Z, the time in these tests.
fn now() -> Timestamp {
    Timestamp::clamped(1_710_504_000_000_000)
}

/// The points from here on are kept: the midnight two days before.
const CUTOFF: i64 = 1_710_288_000_000_000;
/// Points lie at most so far from the cutoff.
const REACH: i64 = 6 * MICROS_PER_DAY;

#[derive(Debug, Clone)]
enum Step {
    /// Series, distance from the cutoff, value.
    Write(Vec<(usize, i64, f64)>),
    Compact,
    Retain,
    Reopen,
    Query(Query),
}

#[derive(Debug, Clone)]
struct Query {
    /// In minutes from the cutoff.
    from: i64,
    minutes: i64,
    per: Resolution,
    zone: Tz,
    aggregates: Vec<Aggregate>,
    group_by: GroupBy,
    fill: Fill,
}

fn points() -> impl Strategy<Value = Vec<(usize, i64, f64)>> {
    let offset = prop_oneof![
        2 => -REACH..2 * MICROS_PER_DAY,
        3 => (-60_i64..60, -1_i64..=1).prop_map(|(slot, beside)| slot * 15 * MICROS_PER_MINUTE + beside),
        1 => -MICROS_PER_MINUTE..MICROS_PER_MINUTE,
    ];
    let value = prop_oneof![(-5_000_i32..5_000).prop_map(|cents| f64::from(cents) / 100.0), -1.0e9_f64..1.0e9];
    proptest::collection::vec((0_usize..8, offset, value), 1..120)
}

fn query() -> impl Strategy<Value = Query> {
    let fixed = |minutes: i64| Resolution::fixed_micros(minutes * MICROS_PER_MINUTE).expect("positive");
    let resolutions =
        vec![Resolution::MINUTE, fixed(7), fixed(15), Resolution::Hour, fixed(360), Resolution::Day, Resolution::Week];
    let aggregates = "avg,min,max,sum,count,first,last,stddev";
    let time = (-6 * 1_440_i64..2 * 1_440, 1_i64..8 * 1_440);
    let windows = (select(resolutions), select(vec![Tz::UTC, Tz::Asia__Kathmandu, Tz::America__New_York]));
    let aggregates = subsequence(Aggregate::parse_list(aggregates).expect("aggregates"), 1..=4);
    let shape = (select(vec![GroupBy::Nothing, GroupBy::Series]), select(vec![Fill::None, Fill::Linear]));
    (time, windows, aggregates, shape).prop_map(|((from, minutes), (per, zone), aggregates, (group_by, fill))| Query {
        from,
        minutes,
        per,
        zone,
        aggregates,
        group_by,
        fill,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => points().prop_map(Step::Write),
        2 => Just(Step::Compact),
        3 => Just(Step::Retain),
        1 => Just(Step::Reopen),
        6 => query().prop_map(Step::Query),
    ]
}

struct Pair {
    folder: TempDir,
    options: Options,
    engine: Engine,
    model: Model,
}

fn request(query: &Query) -> QueryRequest {
    let from = Timestamp::clamped(CUTOFF + query.from * MICROS_PER_MINUTE);
    let to = from.saturating_add_micros(query.minutes * MICROS_PER_MINUTE);
    let mut request = QueryRequest::new(["cpu", "requests"], from, to).expect("names");
    (request.per, request.zone, request.fill) = (Per::Every(query.per), query.zone, query.fill);
    request.aggregates.clone_from(&query.aggregates);
    request.group_by = query.group_by.clone();
    request
}

impl Pair {
    fn new(head_points: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let retention = vec!["cpu: raw=2d".parse().expect("a rule"), "req*: raw=2d, day=30d".parse().expect("a rule")];
        let options = Options { head_points, retention, clock: now, ..Options::default() };
        let engine = Engine::open_with(folder.path().join("m.duckdb"), options.clone()).expect("opens");
        Self { folder, options, engine, model: Model::default() }
    }

    fn take(mut self, step: &Step) -> Result<Self, TestCaseError> {
        match step {
            Step::Write(points) => {
                let point = |&(series, offset, value): &(usize, i64, f64)| {
                    Point::of(series_key(series), Timestamp::clamped(CUTOFF + offset), value).expect("finite")
                };
                let batch: Batch = points.iter().map(point).collect();
                self.engine.write(batch.clone()).expect("takes a batch").wait().expect("commits");
                self.model.add(&batch);
            }
            Step::Compact => self.engine.compact().expect("compacts"),
            Step::Retain => self.engine.apply_retention().expect("applies"),
            Step::Reopen => {
                self.engine.close().expect("closes");
                let path = self.folder.path().join("m.duckdb");
                self.engine = Engine::open_with(path, self.options.clone()).expect("opens again");
            }
            Step::Query(query) => self.check(&request(query))?,
        }
        Ok(self)
    }

    fn check(&self, request: &QueryRequest) -> Result<(), TestCaseError> {
        let frame = self.engine.query(request).map_err(|e| TestCaseError::fail(format!("{e}: {request:?}")))?;
        match difference(request, &frame, &self.model.answer(request)) {
            Some(difference) => Err(TestCaseError::fail(format!("{difference}\n  in the answer to {request:?}"))),
            None => Ok(()),
        }
    }

    fn raw_points_before_the_cutoff(&self) -> usize {
        let mut raw =
            QueryRequest::new(["cpu", "requests"], Timestamp::MIN, Timestamp::clamped(CUTOFF)).expect("names");
        raw.per = Per::Raw;
        self.engine.query(&raw).expect("answers").series.iter().map(|series| series.time.len()).sum()
    }

    /// Points from the cutoff on as they are, and everything by day; nothing is forgotten of any series.
    fn check_everything(&self) -> Result<(), TestCaseError> {
        let mut raw =
            QueryRequest::new(["cpu", "requests"], Timestamp::clamped(CUTOFF), Timestamp::MAX).expect("names");
        raw.per = Per::Raw;
        self.check(&raw)?;
        let aggregates = Aggregate::parse_list("avg,min,max,sum,count,first,last,stddev").expect("aggregates");
        for (per, zone) in [(Resolution::Day, Tz::UTC), (Resolution::Hour, Tz::Asia__Kathmandu)] {
            let (from, minutes, group_by, fill) = (-7 * 1_440, 10 * 1_440, GroupBy::Series, Fill::None);
            let query = Query { from, minutes, per, zone, aggregates: aggregates.clone(), group_by, fill };
            self.check(&request(&query))?;
        }
        prop_assert_eq!(self.engine.series(None, &[]), self.model.series());
        prop_assert_eq!(self.engine.check(false).expect("checks").differences, 0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(crate::properties::cases(5))]

    #[test]
    fn prop_rollups_whose_points_retention_dropped_answer_as_the_points_did(
        head_points in 50_usize..400,
        steps in proptest::collection::vec(step(), 1..14),
    ) {
        let mut pair = Pair::new(head_points);
        for step in &steps {
            pair = pair.take(step)?;
        }
        pair.check_everything()?;
        for step in [Step::Compact, Step::Retain] {
            pair = pair.take(&step)?;
        }
        pair.check_everything()?;
        prop_assert_eq!(pair.raw_points_before_the_cutoff(), 0);
        pair = pair.take(&Step::Reopen)?;
        pair.check_everything()?;
    }
}
