//! Functions of whole values.

use super::budget::Budget;
use super::error::PromqlError;
use super::eval::{nameless, seconds};
use super::function::round;
use super::histogram;
use super::numbers::{max, min};
use super::plan::Call;
use super::value::{ABSENT, Metric, Series, Steps, Value, is_absent, merge, present};

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Scalar(_) => "a scalar",
        Value::Vector(_) => "an instant vector",
        Value::Text(_) => "a string",
    }
}

/// The series of a value that must be a vector.
pub(super) fn vector(value: Value, place: &str) -> Result<Vec<Series>, PromqlError> {
    match value {
        Value::Vector(series) => Ok(series),
        other => Err(PromqlError::Kind { wanted: "an instant vector", found: kind(&other), place: place.to_owned() }),
    }
}

/// The numbers of a value that must be a scalar.
pub(super) fn scalar(value: Value, place: &str) -> Result<Vec<f64>, PromqlError> {
    match value {
        Value::Scalar(numbers) => Ok(numbers),
        other => Err(PromqlError::Kind { wanted: "a scalar", found: kind(&other), place: place.to_owned() }),
    }
}

/// Every value by itself, with the number of its step; the name is gone.
pub(super) fn each(mut series: Vec<Series>, value: impl Fn(usize, f64) -> f64) -> Result<Vec<Series>, PromqlError> {
    for series in &mut series {
        for (step, slot) in series.values.iter_mut().enumerate().filter(|(_, slot)| !is_absent(**slot)) {
            *slot = present(value(step, *slot));
        }
    }
    nameless(series)
}

/// The arguments one after another, of the kinds that they must be.
struct Arguments(std::vec::IntoIter<Value>);

impl Arguments {
    fn vector(&mut self) -> Result<Vec<Series>, PromqlError> {
        vector(self.next()?, "an argument of a function")
    }

    fn scalar(&mut self) -> Result<Vec<f64>, PromqlError> {
        scalar(self.next()?, "an argument of a function")
    }

    fn next(&mut self) -> Result<Value, PromqlError> {
        self.0.next().ok_or_else(|| PromqlError::Parse("an argument of a function is missing".to_owned()))
    }
}

pub(super) fn apply(call: Call, arguments: Vec<Value>, steps: &Steps, budget: &Budget) -> Result<Value, PromqlError> {
    let has_two = arguments.len() > 1;
    let mut arguments = Arguments(arguments.into_iter());
    let series = match call {
        Call::Time => {
            budget.take(steps.count)?;
            return Ok(Value::Scalar(steps.iter().map(seconds).collect()));
        }
        Call::Scalar => return Ok(Value::Scalar(only_values(&arguments.vector()?, steps.count))),
        Call::Vector => vec![Series { metric: Metric::default(), values: arguments.scalar()? }],
        Call::TimestampOfSteps => each(arguments.vector()?, |step, _| seconds(steps.at(step)))?,
        Call::Round => {
            let series = arguments.vector()?;
            let nearest = if has_two { arguments.scalar()? } else { vec![1.0; steps.count] };
            each(series, |step, value| round(value, nearest[step]))?
        }
        Call::Clamp => {
            let (series, low, high) = (arguments.vector()?, arguments.scalar()?, arguments.scalar()?);
            clamped(series, &low, &high)?
        }
        Call::ClampMin => {
            let (series, low) = (arguments.vector()?, arguments.scalar()?);
            clamped(series, &low, &vec![f64::INFINITY; steps.count])?
        }
        Call::ClampMax => {
            let (series, high) = (arguments.vector()?, arguments.scalar()?);
            clamped(series, &vec![f64::NEG_INFINITY; steps.count], &high)?
        }
        Call::Sort { descending } => sorted(arguments.vector()?, descending, steps.count),
        Call::HistogramQuantile => {
            let (q, series) = (arguments.scalar()?, arguments.vector()?);
            histogram::quantiles(&q, &series, steps.count, budget)?
        }
    };
    Ok(Value::Vector(series))
}

/// Of each step the value of the only series that is there, else no number.
fn only_values(series: &[Series], steps: usize) -> Vec<f64> {
    let only = |step: usize| {
        let mut values = series.iter().map(|series| series.values[step]).filter(|value| !is_absent(*value));
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..steps).map(only).collect()
}

/// Where the bounds are the wrong way round there is nothing.
fn clamped(mut series: Vec<Series>, low: &[f64], high: &[f64]) -> Result<Vec<Series>, PromqlError> {
    for series in &mut series {
        series.metric = series.metric.nameless();
        for (step, slot) in series.values.iter_mut().enumerate().filter(|(_, slot)| !is_absent(**slot)) {
            let inside = max(low[step], min(high[step], *slot));
            *slot = if high[step] < low[step] { ABSENT } else { present(inside) };
        }
    }
    merge(series)
}

/// By value, what is no number last; at a single step only, for several have no order of their own.
fn sorted(mut series: Vec<Series>, descending: bool, steps: usize) -> Vec<Series> {
    if steps == 1 {
        series.sort_by(|a, b| {
            let (a, b) = (a.values[0], b.values[0]);
            let by_value = a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal);
            a.is_nan().cmp(&b.is_nan()).then(if descending { by_value.reverse() } else { by_value })
        });
    }
    series
}
