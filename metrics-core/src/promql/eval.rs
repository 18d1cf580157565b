//! Evaluation: what each part of an expression is worth at every step.

use std::borrow::Cow;
use std::collections::HashSet;

use super::budget::Budget;
use super::call;
use super::error::PromqlError;
use super::plan::{Instant, Node, Source, SourceKind};
use super::range_function::{RangeFunction, Window};
use super::read::{Read, merged};
use super::value::{ABSENT, Metric, Series, Steps, Value, is_absent, merge, present};
use crate::query::RangeParts;

/// One evaluation over what was read for it.
pub(crate) struct Evaluation<'a> {
    /// By the numbers in the plan.
    pub(crate) reads: &'a [Read],
    pub(crate) lookback: i64,
    pub(crate) budget: &'a Budget,
}

impl Evaluation<'_> {
    pub(crate) fn value(&self, node: &Node, steps: &Steps) -> Result<Value, PromqlError> {
        let count = steps.count;
        match node {
            Node::Number(number) => self.scalar(*number, count),
            Node::Text(text) => Ok(Value::Text(text.clone())),
            Node::Instant(instant) => self.instants(instant, steps, |_, value| value).map(Value::Vector),
            Node::Timestamp(instant) => {
                let series = self.instants(instant, steps, |time, _| seconds(time))?;
                Ok(Value::Vector(nameless(series)?))
            }
            Node::Range(_) => Err(PromqlError::Kind {
                wanted: "an instant vector",
                found: "a range vector",
                place: "inside of an expression".to_owned(),
            }),
            Node::OverRange { function, source, parameter } => {
                let parameter = self.numbers(parameter.as_deref(), steps)?;
                self.over_range(*function, source, &parameter, steps).map(Value::Vector)
            }
            Node::AbsentOverRange { source, labels } => self.absent_over_range(source, labels, steps),
            Node::Aggregation(aggregation) => {
                let parameter = self.numbers(aggregation.parameter.as_deref(), steps)?;
                let series = self.vector(&aggregation.inner, steps)?;
                aggregation.apply(series, &parameter, count, self.budget).map(Value::Vector)
            }
            Node::Binary(binary) => {
                let (left, right) = (self.value(&binary.left, steps)?, self.value(&binary.right, steps)?);
                binary.apply(left, right, count, self.budget)
            }
            Node::Negative(inner) => self.mapped(inner, steps, |value| -value),
            Node::Map { map, inner } => self.mapped(inner, steps, map),
            Node::Absent { inner, labels } => {
                let series = self.vector(inner, steps)?;
                let is_there = |step: usize| series.iter().any(|series| !is_absent(series.values[step]));
                Ok(Value::Vector(self.where_not(is_there, labels, count)?))
            }
            Node::Relabel { relabel, inner } => relabel.apply(self.vector(inner, steps)?).map(Value::Vector),
            Node::Call { call, arguments } => {
                let arguments = arguments.iter().map(|argument| self.value(argument, steps));
                call::apply(*call, arguments.collect::<Result<_, _>>()?, steps, self.budget)
            }
        }
    }

    fn scalar(&self, number: f64, count: usize) -> Result<Value, PromqlError> {
        self.budget.take(count)?;
        Ok(Value::Scalar(vec![number; count]))
    }

    fn vector(&self, node: &Node, steps: &Steps) -> Result<Vec<Series>, PromqlError> {
        call::vector(self.value(node, steps)?, "the argument of a function or an aggregation")
    }

    /// A number for each step, of a node that may not be there.
    fn numbers(&self, node: Option<&Node>, steps: &Steps) -> Result<Vec<f64>, PromqlError> {
        node.map_or(Ok(Vec::new()), |node| call::scalar(self.value(node, steps)?, "the parameter of a function"))
    }

    fn mapped(&self, inner: &Node, steps: &Steps, map: impl Fn(f64) -> f64) -> Result<Value, PromqlError> {
        match self.value(inner, steps)? {
            Value::Scalar(values) => Ok(Value::Scalar(values.into_iter().map(map).collect())),
            value => {
                let series = call::vector(value, "the operand of a sign or the argument of a function")?;
                call::each(series, |_, value| map(value)).map(Value::Vector)
            }
        }
    }

    /// The last sample of each series that is not too far back from each step.
    fn instants(
        &self,
        instant: &Instant,
        steps: &Steps,
        pick: impl Fn(i64, f64) -> f64,
    ) -> Result<Vec<Series>, PromqlError> {
        let mut found = Vec::new();
        for samples in self.reads[instant.read].samples() {
            self.budget.take(steps.count)?;
            let mut next = 0;
            let values = steps.iter().map(|step| {
                let seen = instant.times.seen_from(step);
                next += samples.times[next..].iter().take_while(|time| **time <= seen).count();
                match next.checked_sub(1) {
                    Some(last) if samples.times[last] > seen.saturating_sub(self.lookback) => {
                        present(pick(samples.times[last], samples.values[last]))
                    }
                    _ => ABSENT,
                }
            });
            let series = Series { values: values.collect(), metric: samples.metric.clone() };
            if !series.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }

    fn over_range(
        &self,
        function: RangeFunction,
        source: &Source,
        parameter: &[f64],
        steps: &Steps,
    ) -> Result<Vec<Series>, PromqlError> {
        if let SourceKind::Read(read) = source.of
            && let Read::Parts(parts) = &self.reads[read]
        {
            return self.over_parts(function, source, parts, steps);
        }
        let mut found = Vec::new();
        self.each_series(source, |metric, times, values| {
            self.budget.take(steps.count)?;
            let (times, values) =
                if function.looks_at_steps() { one_a_time(times, values) } else { (times.into(), values.into()) };
            let mut results = vec![ABSENT; steps.count];
            let mut windows = Windows { times: &times, values: &values, low: 0, high: 0 };
            for (step, now) in steps.iter().enumerate() {
                // The range stands still: what it came to once, it comes to at every step.
                if source.times.at.is_some() && step > 0 && !function.depends_on_now() && parameter.is_empty() {
                    results[step] = results[0];
                    continue;
                }
                if step % CHECK_STEPS == 0 {
                    self.budget.check_time()?;
                }
                let end = source.times.seen_from(now);
                let Some(window) = windows.at(end.saturating_sub(source.range), end, now) else { continue };
                let parameter = parameter.get(step).copied().unwrap_or(f64::NAN);
                results[step] = function.of_samples(&window, parameter).map_or(ABSENT, present);
            }
            let metric = if function.keeps_name() { metric.clone() } else { metric.nameless() };
            found.push(Series { metric, values: results });
            Ok(())
        })?;
        found.retain(|series| !series.is_empty());
        distinct(found)
    }

    /// As [`Self::over_range`], of summaries.
    fn over_parts(
        &self,
        function: RangeFunction,
        source: &Source,
        parts: &RangeParts,
        steps: &Steps,
    ) -> Result<Vec<Series>, PromqlError> {
        let mut found = Vec::new();
        for series in &parts.series {
            self.budget.take(steps.count)?;
            let values = steps.iter().map(|now| {
                let end = source.times.seen_from(now);
                let whole = merged(&series.parts[parts.of_range(end.saturating_sub(source.range), end)]);
                whole.and_then(|whole| function.of_partial(&whole)).map_or(ABSENT, present)
            });
            let name = function.keeps_name().then(|| series.name.clone());
            let metric = Metric { name, labels: series.labels.clone() };
            found.push(Series { values: values.collect(), metric });
        }
        found.retain(|series| !series.is_empty());
        distinct(found)
    }

    fn absent_over_range(&self, source: &Source, labels: &Metric, steps: &Steps) -> Result<Value, PromqlError> {
        let mut there = vec![false; steps.count];
        self.each_series(source, |_, times, values| {
            let mut windows = Windows { times, values, low: 0, high: 0 };
            for (there, now) in there.iter_mut().zip(steps.iter()) {
                let end = source.times.seen_from(now);
                *there |= windows.at(end.saturating_sub(source.range), end, now).is_some();
            }
            Ok(())
        })?;
        Ok(Value::Vector(self.where_not(|step| there[step], labels, steps.count)?))
    }

    /// A series that is 1 at the steps where nothing is.
    fn where_not(
        &self,
        is_there: impl Fn(usize) -> bool,
        labels: &Metric,
        steps: usize,
    ) -> Result<Vec<Series>, PromqlError> {
        self.budget.take(steps)?;
        let values = (0..steps).map(|step| if is_there(step) { ABSENT } else { 1.0 });
        let series = Series { metric: labels.clone(), values: values.collect() };
        Ok(if series.is_empty() { Vec::new() } else { vec![series] })
    }

    /// The series of a range with all samples that any step may look at.
    pub(crate) fn each_series(
        &self,
        source: &Source,
        mut each: impl FnMut(&Metric, &[i64], &[f64]) -> Result<(), PromqlError>,
    ) -> Result<(), PromqlError> {
        match &source.of {
            SourceKind::Read(read) => self.reads[*read]
                .samples()
                .iter()
                .try_for_each(|samples| each(&samples.metric, &samples.times, &samples.values)),
            SourceKind::Subquery { inner, steps } => {
                for series in self.vector(inner, steps)? {
                    let all = steps.iter().zip(&series.values).filter(|(_, value)| !is_absent(**value));
                    let (times, values): (Vec<i64>, Vec<f64>) = all.map(|(time, value)| (time, *value)).unzip();
                    each(&series.metric, &times, &values)?;
                }
                Ok(())
            }
        }
    }
}

/// Steps of one series after which the time is looked at.
const CHECK_STEPS: usize = 64;

pub(super) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Windows over one series that move forward.
struct Windows<'a> {
    times: &'a [i64],
    values: &'a [f64],
    low: usize,
    high: usize,
}

impl<'a> Windows<'a> {
    /// The samples in `(start, end]`, if there are any.
    fn at(&mut self, start: i64, end: i64, now: i64) -> Option<Window<'a>> {
        self.low += self.times[self.low..].iter().take_while(|time| **time <= start).count();
        self.high = self.high.max(self.low);
        self.high += self.times[self.high..].iter().take_while(|time| **time <= end).count();
        let range = self.low..self.high;
        let (times, values) = (&self.times[range.clone()], &self.values[range]);
        (!times.is_empty()).then_some(Window { times, values, start, end, now })
    }
}

/// Of several samples of one time the last.
fn one_a_time<'a>(times: &'a [i64], values: &'a [f64]) -> (Cow<'a, [i64]>, Cow<'a, [f64]>) {
    if times.windows(2).all(|pair| pair[0] != pair[1]) {
        return (times.into(), values.into());
    }
    let is_last = |at: &usize| times.get(at + 1) != Some(&times[*at]);
    let (times, values): (Vec<i64>, Vec<f64>) =
        (0..times.len()).filter(is_last).map(|at| (times[at], values[at])).unzip();
    (times.into(), values.into())
}

/// Series without their name, put together.
pub(super) fn nameless(mut series: Vec<Series>) -> Result<Vec<Series>, PromqlError> {
    series.iter_mut().for_each(|series| series.metric = series.metric.nameless());
    merge(series)
}

/// Refuses series with the same labels, at whatever steps they are.
fn distinct(series: Vec<Series>) -> Result<Vec<Series>, PromqlError> {
    let mut seen = HashSet::with_capacity(series.len());
    match series.iter().find(|series| !seen.insert(&series.metric)) {
        Some(twice) => Err(PromqlError::SameLabels { metric: twice.metric.to_string() }),
        None => Ok(series),
    }
}
