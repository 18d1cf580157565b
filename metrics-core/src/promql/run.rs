//! From a query to its answer.

use std::time::{Duration, Instant};

use promql_parser::parser::value::ValueType;

use super::answer::{Answer, RangeSeries, VectorSample};
use super::budget::Budget;
use super::error::PromqlError;
use super::eval::Evaluation;
use super::plan::{self, Node, PlanContext, ReadRequest, Source};
use super::read::Read;
use super::select::Selector;
use super::value::{Metric, Series, Steps, Value, is_absent};
use super::{LOOKBACK, MAX_STEPS, guard};
use crate::model::{SeriesInfo, Timestamp};
use crate::query::{SampleRequest, TimeLimit, read_samples};
use crate::store::{Registry, Store};

/// An expression with the instants at which it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The expression.
    pub expression: String,
    /// The first instant, to the millisecond.
    pub start: Timestamp,
    /// The last instant, or one after it by less than a step.
    pub end: Timestamp,
    /// From one instant to the next, in whole milliseconds; none asks for the one instant `start`.
    pub step: Option<Duration>,
    /// How far an instant looks back for a sample. Default [`LOOKBACK`].
    pub lookback: Duration,
    /// How long it may take. Default two minutes, as in Prometheus.
    pub timeout: Duration,
}

impl Query {
    /// The value of an expression at one instant.
    pub fn at(expression: impl Into<String>, time: Timestamp) -> Self {
        Self {
            expression: expression.into(),
            start: time,
            end: time,
            step: None,
            lookback: LOOKBACK,
            timeout: Duration::from_secs(120),
        }
    }

    /// The values of an expression from `start` to `end`.
    pub fn range(expression: impl Into<String>, start: Timestamp, end: Timestamp, step: Duration) -> Self {
        Self { end, step: Some(step), ..Self::at(expression, start) }
    }

    fn steps(&self) -> Result<Steps, PromqlError> {
        let start = whole_millis(self.start);
        let Some(step) = self.step else { return Ok(Steps { start, step: 1, count: 1 }) };
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX / 1_000).min(i64::MAX / 1_000) * 1_000;
        if step == 0 {
            return Err(PromqlError::Step);
        }
        let steps = (whole_millis(self.end) - start).div_euclid(step);
        match usize::try_from(steps) {
            Ok(steps) if steps <= MAX_STEPS => Ok(Steps { start, step, count: steps + 1 }),
            Ok(_) => Err(PromqlError::TooManySteps),
            Err(_) => Err(PromqlError::Backwards),
        }
    }
}

fn whole_millis(time: Timestamp) -> i64 {
    time.micros().div_euclid(1_000) * 1_000
}

/// Answers a query.
pub(crate) fn run(store: &Store, query: &Query) -> Result<Answer, PromqlError> {
    let begun = Instant::now();
    let steps = query.steps()?;
    let text = guard::checked(&query.expression)?;
    let expr = promql_parser::parser::parse(&text).map_err(PromqlError::Parse)?;
    if query.step.is_some() {
        match expr.value_type() {
            ValueType::Vector | ValueType::Scalar => {}
            ValueType::Matrix => return Err(PromqlError::NotForRange("range vector")),
            ValueType::String => return Err(PromqlError::NotForRange("string")),
        }
    }
    let lookback = i64::try_from(query.lookback.as_micros()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let max_subquery_steps = store.options.max_cells;
    let context = PlanContext { steps, end: whole_millis(query.end), lookback, max_subquery_steps };
    let (node, requests) = plan::plan(&expr, context)?;
    let budget = Budget::new(store.options.max_promql_values, query.timeout, begun);
    let reads = read(store, &budget, &requests)?;
    let evaluation = Evaluation { reads: &reads, lookback, budget: &budget };
    match (&node, query.step) {
        (Node::Range(source), _) => matrix(&evaluation, source, &steps),
        (_, None) => Ok(instant_answer(evaluation.value(&node, &steps)?, is_ordered(&node))),
        (_, Some(_)) => Ok(range_answer(evaluation.value(&node, &steps)?, &steps)),
    }
}

fn read(store: &Store, budget: &Budget, requests: &[ReadRequest]) -> Result<Vec<Read>, PromqlError> {
    let (deadline, limit) = budget.deadline();
    let wanted: Vec<SampleRequest<'_>> = requests
        .iter()
        .map(|request| SampleRequest {
            select: Box::new(|registry| request.selector.select(registry)),
            from: request.from,
            to: request.to,
            ranges: request.ranges,
        })
        .collect();
    let read = read_samples(store, TimeLimit { deadline, limit }, &wanted)?;
    Ok(read.into_iter().map(Read::of).collect())
}

/// Whether the series of an instant stand in an order that was asked for.
fn is_ordered(node: &Node) -> bool {
    match node {
        Node::Call { call: plan::Call::Sort { .. }, .. } => true,
        Node::Aggregation(aggregation) => aggregation.is_ranked(),
        _ => false,
    }
}

fn instant_answer(value: Value, is_ordered: bool) -> Answer {
    match value {
        Value::Scalar(numbers) => Answer::Scalar(numbers.first().copied().unwrap_or(f64::NAN)),
        Value::Text(text) => Answer::Text(text),
        Value::Vector(mut series) => {
            if !is_ordered {
                series.sort_by(|a, b| a.metric.cmp(&b.metric));
            }
            let present = series.into_iter().filter(|series| !series.is_empty());
            Answer::Vector(present.map(|s| VectorSample { value: s.values[0], metric: s.metric }).collect())
        }
    }
}

fn range_answer(value: Value, steps: &Steps) -> Answer {
    let mut series = match value {
        Value::Scalar(values) => vec![Series { metric: Metric::default(), values }],
        Value::Vector(series) => series,
        Value::Text(text) => return Answer::Text(text),
    };
    series.sort_by(|a, b| a.metric.cmp(&b.metric));
    let series = series.into_iter().filter(|series| !series.is_empty()).map(|series| {
        let samples = steps.iter().zip(series.values).filter(|(_, value)| !is_absent(*value));
        let samples = samples.map(|(time, value)| (Timestamp::clamped(time), value)).collect();
        RangeSeries { metric: series.metric, samples }
    });
    Answer::Matrix(series.collect())
}

/// A range as it is, which an instant query may ask for.
fn matrix(evaluation: &Evaluation<'_>, source: &Source, steps: &Steps) -> Result<Answer, PromqlError> {
    let mut found = Vec::new();
    let end = source.times.seen_from(steps.start);
    let start = end.saturating_sub(source.range);
    evaluation.each_series(source, |metric, times, values| {
        let inside = times.iter().zip(values).filter(|(time, _)| (start + 1..=end).contains(time));
        let samples: Vec<(Timestamp, f64)> = inside.map(|(time, value)| (Timestamp::clamped(*time), *value)).collect();
        if !samples.is_empty() {
            found.push(RangeSeries { metric: metric.clone(), samples });
        }
        Ok(())
    })?;
    found.sort_by(|a, b| a.metric.cmp(&b.metric));
    Ok(Answer::Matrix(found))
}

/// The series that any of some selectors takes and whose points may lie in `[from, to]`.
pub(crate) fn series(registry: &Registry, selectors: &[Selector], from: Timestamp, to: Timestamp) -> Vec<SeriesInfo> {
    let names: Vec<Option<&str>> = selectors.iter().map(Selector::exact_name).collect();
    let only = match &names[..] {
        [Some(name)] => Some(*name),
        _ => None,
    };
    let mut infos = registry.infos(only, &[]);
    infos.retain(|info| {
        info.first <= to && info.last >= from && selectors.iter().any(|selector| selector.accepts(&info.key))
    });
    infos
}
