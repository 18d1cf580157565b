//! The answer to every query, worked out the slow and obvious way from a list of points.

use std::collections::{BTreeMap, BTreeSet};

use metrics_core::{
    Aggregate, Batch, ColumnKind, Fill, GroupBy, LabelFilter, Labels, MICROS_PER_SECOND, MetricName, Order,
    QueryRequest, SeriesInfo, SeriesKey, Timestamp, Window,
};

use crate::calendar;

/// One point as it was written.
#[derive(Debug, Clone)]
struct Written {
    series: SeriesKey,
    micros: i64,
    value: f64,
}

/// A value that is right within its tolerance; no value in a filled window without an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) value: Option<f64>,
    pub(crate) tolerance: f64,
    /// Least and greatest answer that a sketch may give; only quantiles have sketches.
    pub(crate) sketch: Option<(f64, f64)>,
}

impl Cell {
    const NOTHING: Self = Self { value: None, tolerance: 0.0, sketch: None };

    fn exact(value: f64) -> Self {
        Self::within(value, 0.0, 0.0)
    }

    /// `share` of `scale`: the magnitude of what the value was computed from.
    fn within(value: f64, share: f64, scale: f64) -> Self {
        Self { value: Some(value), tolerance: share * scale, sketch: None }
    }
}

/// One group of the answer: the columns follow the order of the request.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: MetricName,
    pub(crate) labels: Labels,
    pub(crate) time: Vec<i64>,
    pub(crate) columns: Vec<(ColumnKind, Vec<Cell>)>,
}

/// Every point ever written, in a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    points: Vec<Written>,
}

impl Model {
    pub(crate) fn add(&mut self, batch: &Batch) {
        self.points.extend(batch.points().map(|(series, timestamp, value)| Written {
            series: series.clone(),
            micros: timestamp.micros(),
            value,
        }));
    }

    /// Takes the points of a metric's series out that pass every filter and lie in `[from, to)`; how many.
    pub(crate) fn delete(&mut self, name: &MetricName, filters: &[LabelFilter], from: i64, to: i64) -> u64 {
        let before = self.points.len();
        self.points.retain(|point| {
            let doomed = point.series.name == *name
                && filters.iter().all(|filter| filter.accepts(&point.series.labels))
                && (from..to).contains(&point.micros);
            !doomed
        });
        (before - self.points.len()) as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// What the engine should answer.
    pub(crate) fn answer(&self, request: &QueryRequest) -> Vec<Group> {
        let mut groups: BTreeMap<(MetricName, Labels), Vec<&Written>> = BTreeMap::new();
        for point in &self.points {
            let asked = request.names.contains(&point.series.name)
                && (request.from.micros()..request.to.micros()).contains(&point.micros)
                && request.filters.iter().all(|filter| filter.accepts(&point.series.labels));
            if asked {
                let labels = match &request.group_by {
                    _ if request.resolution().is_none() => point.series.labels.clone(),
                    GroupBy::Nothing => Labels::empty(),
                    GroupBy::Labels(names) => point.series.labels.only(names),
                    GroupBy::Series => point.series.labels.clone(),
                };
                groups.entry((point.series.name.clone(), labels)).or_default().push(point);
            }
        }
        groups.into_iter().map(|((name, labels), points)| group(request, name, labels, points)).collect()
    }

    /// What the engine should know of each series.
    pub(crate) fn series(&self) -> Vec<SeriesInfo> {
        let keys: BTreeSet<&SeriesKey> = self.points.iter().map(|point| &point.series).collect();
        keys.into_iter()
            .map(|key| {
                let mut points: Vec<&Written> = self.points.iter().filter(|point| point.series == *key).collect();
                sort_by_time_and_value(&mut points);
                let (first, last) = (points[0], points[points.len() - 1]);
                SeriesInfo {
                    key: key.clone(),
                    first: Timestamp::clamped(first.micros),
                    last: Timestamp::clamped(last.micros),
                    last_value: last.value,
                    count: points.len() as u64,
                }
            })
            .collect()
    }
}

fn sort_by_time_and_value(points: &mut [&Written]) {
    points.sort_by(|a, b| a.micros.cmp(&b.micros).then(a.value.total_cmp(&b.value)));
}

fn group(request: &QueryRequest, name: MetricName, labels: Labels, mut points: Vec<&Written>) -> Group {
    sort_by_time_and_value(&mut points);
    let mut rows: Vec<(i64, Vec<Cell>)> = match request.resolution() {
        None => points.iter().map(|point| (point.micros, vec![Cell::exact(point.value)])).collect(),
        Some(_) => filled(request, aggregated(request, &points)),
    };
    if request.order == Order::Descending {
        rows.reverse();
    }
    rows.truncate(request.limit);
    let kinds: Vec<ColumnKind> = match request.resolution() {
        None => vec![ColumnKind::Value],
        Some(_) => request.aggregates.iter().map(|&aggregate| ColumnKind::Aggregate(aggregate)).collect(),
    };
    let columns = kinds.into_iter().enumerate().map(|(at, kind)| (kind, rows.iter().map(|row| row.1[at]).collect()));
    Group { name, labels, columns: columns.collect(), time: rows.iter().map(|row| row.0).collect() }
}

/// From one point of a series to its next.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: f64,
    to: f64,
}

/// The windows that hold points, with a cell for each aggregate.
fn aggregated(request: &QueryRequest, points: &[&Written]) -> BTreeMap<Window, Vec<Cell>> {
    let resolution = request.resolution().expect("raw points are not aggregated");
    let mut values: BTreeMap<Window, Vec<f64>> = BTreeMap::new();
    let mut steps: BTreeMap<Window, Vec<Step>> = BTreeMap::new();
    let mut previous: BTreeMap<&SeriesKey, f64> = BTreeMap::new();
    let mut window = Window { start: 0, end: 0 };
    for point in points {
        if !(window.start..window.end).contains(&point.micros) {
            window = calendar::window_of(resolution, request.zone, point.micros);
        }
        values.entry(window).or_default().push(point.value);
        if let Some(from) = previous.insert(&point.series, point.value) {
            steps.entry(window).or_default().push(Step { from, to: point.value });
        }
    }
    values
        .into_iter()
        .map(|(window, values)| {
            let steps = steps.get(&window).map_or(&[][..], Vec::as_slice);
            let cells = request.aggregates.iter().map(|&aggregate| cell(aggregate, window, &values, steps)).collect();
            (window, cells)
        })
        .collect()
}

/// Exact aggregates hold within a billionth of the magnitude of their data, interpolated quantiles within rounding.
const EXACT: f64 = 1e-9;
const ROUNDING: f64 = 1e-14;

/// One aggregate of a window's values (by time, then value) and of the steps that end in it.
fn cell(aggregate: Aggregate, window: Window, values: &[f64], steps: &[Step]) -> Cell {
    let count = values.len() as f64;
    let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
    let sum: f64 = values.iter().sum();
    match aggregate {
        Aggregate::Count => Cell::exact(count),
        Aggregate::Min => Cell::exact(values.iter().copied().fold(f64::INFINITY, f64::min)),
        Aggregate::Max => Cell::exact(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        Aggregate::First => Cell::exact(values[0]),
        Aggregate::Last => Cell::exact(values[values.len() - 1]),
        Aggregate::Sum => Cell::within(sum, EXACT, magnitude),
        Aggregate::Avg => Cell::within(sum / count, EXACT, magnitude / count),
        Aggregate::Stddev => {
            let mean = sum / count;
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let scale = (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt();
            Cell::within((squares / count).sqrt(), EXACT, scale)
        }
        Aggregate::Median => quantile(values, 0.5),
        Aggregate::Quantile(quantile_asked) => quantile(values, quantile_asked.fraction()),
        Aggregate::Increase => increase(steps),
        Aggregate::Rate => {
            let seconds = (window.end - window.start) as f64 / MICROS_PER_SECOND as f64;
            let increase = increase(steps);
            Cell {
                value: increase.value.map(|value| value / seconds),
                tolerance: increase.tolerance / seconds,
                sketch: None,
            }
        }
        other => panic!("the model does not know {other} yet"),
    }
}

/// How far a sketch's rank may be off whatever the points are: by as many as one of its centroids may stand for, a
/// twentieth of all in the middle of a digest of compression 64, and by one more where there are few.
const SKETCH_RANKS: f64 = 0.05;

/// Type 7 of Hyndman and Fan: on the line between the two points around the position `q (n - 1)`.
fn quantile(values: &[f64], fraction: f64) -> Cell {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let most = (sorted.len() - 1) as f64;
    let position = fraction * most;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    let value = below + (above - below) * (position - position.floor());
    let off = SKETCH_RANKS * sorted.len() as f64 + 1.0;
    let least = sorted[(position - off).floor().max(0.0) as usize];
    let greatest = sorted[(position + off).ceil().min(most) as usize];
    // The position itself is rounded: where it falls beside a point, the answer moves along a line.
    let scale = below.abs().max(above.abs()) * sorted.len() as f64;
    Cell { sketch: Some((least, greatest)), ..Cell::within(value, ROUNDING, scale) }
}

/// The sum of the steps; a falling one is a restart from zero and adds the value that it reached.
fn increase(steps: &[Step]) -> Cell {
    let total = steps.iter().map(|step| if step.to < step.from { step.to } else { step.to - step.from }).sum();
    let magnitude = steps.iter().map(|step| step.from.abs() + step.to.abs()).sum();
    Cell::within(total, EXACT, magnitude)
}

/// The rows in time's order, with those that the fill adds.
fn filled(request: &QueryRequest, known: BTreeMap<Window, Vec<Cell>>) -> Vec<(i64, Vec<Cell>)> {
    if request.fill == Fill::None {
        return known.into_iter().map(|(window, cells)| (window.start, cells)).collect();
    }
    let resolution = request.resolution().expect("raw points are not filled");
    calendar::windows(resolution, request.zone, request.from.micros(), request.to.micros())
        .into_iter()
        .map(|window| {
            let cells = known.get(&window).cloned().unwrap_or_else(|| {
                let earlier = known.range(..window).next_back();
                let later = known.range(window..).next();
                (0..request.aggregates.len()).map(|at| guess(request.fill, window, at, earlier, later)).collect()
            });
            (window.start, cells)
        })
        .collect()
}

type Row<'a> = Option<(&'a Window, &'a Vec<Cell>)>;

/// The cell of a window without points, from its nearest neighbours with points.
fn guess(fill: Fill, window: Window, at: usize, earlier: Row<'_>, later: Row<'_>) -> Cell {
    match fill {
        Fill::None | Fill::Null => Cell::NOTHING,
        Fill::Zero => Cell::exact(0.0),
        Fill::Previous => earlier.map_or(Cell::NOTHING, |(_, cells)| cells[at]),
        Fill::Linear => match (earlier, later) {
            (Some((left, left_cells)), Some((right, right_cells))) => {
                let share = (window.start - left.start) as f64 / (right.start - left.start) as f64;
                between(left_cells[at], right_cells[at], share)
            }
            _ => Cell::NOTHING,
        },
    }
}

/// On the line between two cells.
fn between(left: Cell, right: Cell, share: f64) -> Cell {
    let line = |low: f64, high: f64| low + (high - low) * share;
    let (low, high) = (left.value.expect("has points"), right.value.expect("has points"));
    Cell {
        value: Some(line(low, high)),
        tolerance: left.tolerance.max(right.tolerance) + (low.abs() + high.abs()) * ROUNDING,
        sketch: left.sketch.zip(right.sketch).map(|(left, right)| (line(left.0, right.0), line(left.1, right.1))),
    }
}
