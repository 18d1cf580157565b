//! What may happen to a store, drawn at random: writes, compactions, reopenings and queries around a moment at
//! which calendars are difficult.

use std::ops::Range;

use chrono_tz::Tz;
use metrics_core::{
    Aggregate, Batch, Fill, GroupBy, LabelFilter, Labels, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE,
    MICROS_PER_SECOND, MetricName, Order, Per, Point, QueryRequest, Resolution, SeriesKey, Timestamp,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A point by the number of its series and its distance from the scenario's moment in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PointAt {
    series: usize,
    offset: i64,
    value: f64,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Batches that are all handed over before the first is waited for.
    Write(Vec<Vec<PointAt>>),
    /// A batch with one of a few idempotency keys.
    Keyed(u8, Vec<PointAt>),
    Compact,
    /// The points of the query's first metric, filters and time go.
    Delete(Box<QueryAt>),
    Reopen,
    Query(Box<QueryAt>),
}

/// A query whose times are distances from the scenario's moment.
#[derive(Debug, Clone)]
pub(crate) struct QueryAt {
    names: Vec<&'static str>,
    from: i64,
    length: i64,
    per: Per,
    aggregates: Vec<Aggregate>,
    filters: Vec<&'static str>,
    group_by: GroupBy,
    fill: Fill,
    order: Order,
    limit: usize,
    explain: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) moment: Timestamp,
    pub(crate) zone: Tz,
    pub(crate) head_points: usize,
    /// Points in a chunk up to which quantiles are exact.
    pub(crate) exact_quantile_points: usize,
    /// Points that are there and compacted before the first step.
    pub(crate) settled: i64,
    pub(crate) steps: Vec<Step>,
}

/// Moments around which windows have odd bounds, with the zone where that is so.
const MOMENTS: [(&str, Tz); 13] = [
    ("1970-01-01T00:00:00Z", Tz::UTC),
    ("1969-12-28T23:59:59Z", Tz::Europe__Berlin),
    ("2024-02-29T12:00:00Z", Tz::UTC),
    ("2024-03-10T07:00:00Z", Tz::America__New_York),
    ("2024-11-03T06:00:00Z", Tz::America__New_York),
    ("2024-10-27T01:00:00Z", Tz::Europe__Berlin),
    ("2024-04-06T15:00:00Z", Tz::Australia__Lord_Howe),
    ("2024-10-05T15:30:00Z", Tz::Australia__Lord_Howe),
    // Midnight skipped, midnight reached twice, a quarter of an hour skipped at midnight.
    ("2018-11-04T03:00:00Z", Tz::America__Sao_Paulo),
    ("2018-02-18T02:00:00Z", Tz::America__Sao_Paulo),
    ("1985-12-31T18:30:00Z", Tz::Asia__Kathmandu),
    // Back to the day before, one minute after midnight.
    ("2006-10-29T02:31:00Z", Tz::America__St_Johns),
    // A date that never was.
    ("2011-12-30T10:00:00Z", Tz::Pacific__Apia),
];

const NAMES: [&str; 3] = ["cpu", "requests", "Wärme °C"];

/// The series that points belong to: names and labels that overlap in every way that grouping and filters see.
pub(crate) fn series_key(number: usize) -> SeriesKey {
    let (name, labels): (&str, &[(&str, &str)]) = [
        (NAMES[0], &[][..]),
        (NAMES[0], &[("host", "a")][..]),
        (NAMES[0], &[("host", "a"), ("dc", "eu")][..]),
        (NAMES[0], &[("host", "b"), ("dc", "eu")][..]),
        (NAMES[0], &[("host", "b"), ("dc", "us")][..]),
        (NAMES[1], &[("host", "a")][..]),
        (NAMES[1], &[("host", "it's \"b\"")][..]),
        (NAMES[2], &[][..]),
    ][number];
    SeriesKey::new(MetricName::new(name).expect("a name"), Labels::new(labels.iter().copied()).expect("labels"))
}

const SERIES: Range<usize> = 0..8;

/// Distances from the moment: on the bounds of windows and a microsecond beside them, dense, and far off.
fn offset() -> impl Strategy<Value = i64> {
    let quarter = 15 * MICROS_PER_MINUTE;
    prop_oneof![
        4 => (-300_i64..300, -1_i64..=1).prop_map(move |(slot, beside)| slot * quarter + beside),
        3 => (-2 * MICROS_PER_HOUR..2 * MICROS_PER_HOUR).prop_map(|micros| micros / MICROS_PER_SECOND * MICROS_PER_SECOND),
        2 => -3 * MICROS_PER_SECOND..3 * MICROS_PER_SECOND,
        1 => -40 * MICROS_PER_DAY..40 * MICROS_PER_DAY,
    ]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-5_000_i32..5_000).prop_map(|cents| f64::from(cents) / 100.0),
        3 => (0_i32..100).prop_map(f64::from),
        1 => Just(0.1),
        1 => (0_i32..1_000).prop_map(|small| 1e9 + f64::from(small) / 1_000.0),
        1 => -1.0e12_f64..1.0e12,
        1 => -1.0e-6_f64..1.0e-6,
    ]
}

fn batch(sizes: Range<usize>) -> impl Strategy<Value = Vec<PointAt>> {
    let point = (SERIES, offset(), value()).prop_map(|(series, offset, value)| PointAt { series, offset, value });
    proptest::collection::vec(point, sizes)
}

fn resolution() -> impl Strategy<Value = Resolution> {
    let fixed = |micros: i64| Resolution::fixed_micros(micros).expect("positive");
    prop_oneof![
        3 => select(vec![Resolution::MINUTE, Resolution::Hour, Resolution::Day, Resolution::Week, Resolution::Month]),
        1 => select(vec![1_000_000, 1_234_567, 7_000_000, 300_000_000, 900_000_000]).prop_map(fixed),
        1 => select(vec![90, 60, 360, 1_440, 2_160, 10_080]).prop_map(move |minutes| fixed(minutes * MICROS_PER_MINUTE)),
    ]
}

fn per() -> impl Strategy<Value = Per> {
    prop_oneof![
        1 => Just(Per::Raw),
        6 => resolution().prop_map(Per::Every),
        1 => (1_usize..600).prop_map(|points| Per::Auto { points }),
    ]
}

/// Every aggregate, quantiles by example.
pub(crate) fn all_aggregates() -> Vec<Aggregate> {
    Aggregate::parse_list("avg,min,max,sum,count,first,last,stddev,median,p0,p5,p50,p90,p95,p99.9,p100,rate,increase")
        .expect("names of aggregates")
}

fn group_by() -> impl Strategy<Value = GroupBy> {
    let labels = |names: &[&str]| GroupBy::Labels(names.iter().map(|name| (*name).to_owned()).collect());
    select(vec![
        GroupBy::Nothing,
        GroupBy::Series,
        labels(&["host"]),
        labels(&["dc"]),
        labels(&["dc", "host"]),
        labels(&["absent"]),
    ])
}

fn query() -> impl Strategy<Value = QueryAt> {
    let lengths = prop_oneof![
        (1_i64..300).prop_map(|slots| slots * 15 * MICROS_PER_MINUTE),
        1_i64..3 * MICROS_PER_DAY,
        1_i64..80 * MICROS_PER_DAY,
    ];
    let filters = vec!["host=a", "host!=a", "dc=", "host=~a|b", "dc!~e.*", "host=~.*'s.*"];
    let time = (offset(), lengths, per());
    let shape = (
        select(vec![Fill::None, Fill::None, Fill::Null, Fill::Zero, Fill::Previous, Fill::Linear]),
        select(vec![Order::Ascending, Order::Descending]),
        select(vec![100_000, 100_000, 1, 3, 17]),
        any::<bool>(),
    );
    let series = (subsequence(&NAMES[..], 1..=3), subsequence(filters, 0..=1), group_by());
    (time, shape, series, subsequence(all_aggregates(), 1..=6)).prop_map(
        |((from, length, per), (fill, order, limit, explain), (names, filters, group_by), aggregates)| QueryAt {
            names,
            from,
            length,
            per,
            aggregates,
            filters,
            group_by,
            fill,
            order,
            limit,
            explain,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => proptest::collection::vec(batch(1..80), 1..4).prop_map(Step::Write),
        1 => batch(100..400).prop_map(|batch| Step::Write(vec![batch])),
        1 => (0_u8..3, batch(1..40)).prop_map(|(key, batch)| Step::Keyed(key, batch)),
        2 => Just(Step::Compact),
        1 => query().prop_map(|query| Step::Delete(Box::new(query))),
        1 => Just(Step::Reopen),
        6 => query().prop_map(|query| Step::Query(Box::new(query))),
    ]
}

/// Any sequence of steps around any of the moments, on top of so many settled points.
pub(crate) fn scenario(settled: i64, most_steps: usize) -> impl Strategy<Value = Scenario> {
    let bounds = (50_usize..500, select(vec![20, 1_000, 1_000_000]));
    (select(&MOMENTS[..]), bounds, proptest::collection::vec(step(), 1..most_steps)).prop_map(
        move |((moment, zone), (head_points, exact_quantile_points), steps)| Scenario {
            moment: Timestamp::parse(moment).expect("a time"),
            zone,
            head_points,
            exact_quantile_points,
            settled,
            steps,
        },
    )
}

impl Scenario {
    /// The points at their places in time.
    pub(crate) fn batch(&self, points: &[PointAt]) -> Batch {
        points
            .iter()
            .map(|point| {
                let timestamp = self.moment.saturating_add_micros(point.offset);
                Point::of(series_key(point.series), timestamp, point.value).expect("finite")
            })
            .collect()
    }

    /// The settled points: four series of one metric in turns, evenly over 60 hours with the moment in the middle.
    pub(crate) fn settled_batch(&self) -> Batch {
        let reach = 30 * MICROS_PER_HOUR;
        (0..self.settled)
            .map(|number| {
                let timestamp = self.moment.saturating_add_micros(2 * reach / self.settled * number - reach);
                let value = f64::from((number * 7_919 % 10_007) as i32) / 100.0;
                Point::of(series_key((number % 4) as usize), timestamp, value).expect("finite")
            })
            .collect()
    }

    /// The query at its place in time, with windows wide enough to be countable.
    pub(crate) fn request(&self, query: &QueryAt) -> QueryRequest {
        let from = self.moment.saturating_add_micros(query.from);
        let to = from.saturating_add_micros(query.length);
        let most_windows = if query.fill == Fill::None { 50_000 } else { 2_000 };
        let narrowest = query.length / most_windows;
        let per = match query.per {
            Per::Every(resolution) if resolution.nominal_micros() < narrowest => Per::Every(Resolution::Hour),
            per => per,
        };
        let mut request = QueryRequest::new(&query.names, from, to).expect("valid names");
        request.per = per;
        request.aggregates.clone_from(&query.aggregates);
        request.filters =
            query.filters.iter().map(|text| text.parse::<LabelFilter>().expect("a label filter")).collect();
        request.group_by = query.group_by.clone();
        request.fill = query.fill;
        request.zone = self.zone;
        request.order = query.order;
        request.limit = query.limit;
        request.explain = query.explain;
        request
    }

    /// Queries that together touch every point in every way: raw, and each usual resolution with every aggregate.
    pub(crate) fn complete_requests(&self) -> Vec<QueryRequest> {
        let reach = 41 * MICROS_PER_DAY;
        let (from, to) = (self.moment.saturating_add_micros(-reach), self.moment.saturating_add_micros(reach));
        let every = |resolution| Per::Every(resolution);
        [
            (Per::Raw, GroupBy::Series),
            (every(Resolution::MINUTE), GroupBy::Nothing),
            (every(Resolution::MINUTE), GroupBy::Series),
            (every(Resolution::Hour), GroupBy::Nothing),
            (every(Resolution::Day), GroupBy::Series),
            (every(Resolution::Month), GroupBy::Nothing),
        ]
        .into_iter()
        .map(|(per, group_by)| {
            let mut request = QueryRequest::new(NAMES, from, to).expect("valid names");
            (request.per, request.group_by, request.zone) = (per, group_by, self.zone);
            request.aggregates = all_aggregates();
            request
        })
        .collect()
    }
}
