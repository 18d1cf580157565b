//! What an expression is worth, at every step of a query at once.

use std::fmt;

use super::budget::Budget;
use super::error::PromqlError;
use crate::model::{LabelError, Labels, MetricName, SeededMap};

/// The label in which PromQL shows a metric's name.
pub const NAME_LABEL: &str = "__name__";

/// The name and the labels of a series of an answer; many functions take the name away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Metric {
    /// The metric's name.
    pub name: Option<MetricName>,
    /// All other labels.
    pub labels: Labels,
}

impl Metric {
    /// The value of a label, empty where there is none; `__name__` is the name.
    pub fn get(&self, label: &str) -> &str {
        match label {
            NAME_LABEL => self.name.as_ref().map_or("", MetricName::as_str),
            label => self.labels.get(label).unwrap_or(""),
        }
    }

    /// All labels in the order of their names, the metric's name among them.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = self.name.as_ref().map(|name| (NAME_LABEL, name.as_str()));
        let before = self.labels.iter().take_while(|(label, _)| *label < NAME_LABEL);
        let after = self.labels.iter().skip_while(|(label, _)| *label <= NAME_LABEL);
        before.chain(name).chain(after)
    }

    /// The same without the name.
    pub(crate) fn nameless(&self) -> Self {
        Self { name: None, labels: self.labels.clone() }
    }

    /// Only some labels; the name is one of them.
    pub(crate) fn only(&self, labels: &[String]) -> Self {
        let name = self.name.clone().filter(|_| labels.iter().any(|label| label == NAME_LABEL));
        Self { name, labels: self.labels.only(labels) }
    }

    /// All labels but some, and without the name.
    pub(crate) fn except(&self, labels: &[String]) -> Self {
        Self { name: None, labels: self.labels.except(labels) }
    }

    /// The same with another value of a label; an empty one takes the label away.
    pub(crate) fn with(&self, label: &str, value: &str) -> Result<Self, LabelError> {
        if label == NAME_LABEL {
            let name = (!value.is_empty()).then(|| MetricName::new(value)).transpose()?;
            return Ok(Self { name, labels: self.labels.clone() });
        }
        let others = self.labels.iter().filter(|(name, _)| *name != label);
        Ok(Self { name: self.name.clone(), labels: Labels::new(others.chain([(label, value)]))? })
    }
}

impl fmt::Display for Metric {
    /// Prometheus' notation: `name{a="b"}`, and `{}` where there is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name}{}", self.labels),
            None if self.labels.is_empty() => f.write_str("{}"),
            None => write!(f, "{}", self.labels),
        }
    }
}

/// The instants at which an expression is evaluated, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Steps {
    pub(crate) fn at(&self, index: usize) -> i64 {
        self.start + self.step * index as i64
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + use<> {
        let steps = *self;
        (0..steps.count).map(move |index| steps.at(index))
    }

    pub(crate) fn end(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }
}

/// Stands where a series has no sample: a NaN of its own. Every other NaN has the usual bits.
pub(crate) const ABSENT: f64 = f64::from_bits(0x7ff8_0000_0000_0a85);

pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// A number that is certainly not [`ABSENT`].
pub(crate) fn present(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

/// A series with a value, or [`ABSENT`], for each step.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) metric: Metric,
    pub(crate) values: Vec<f64>,
}

impl Series {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.iter().all(|value| is_absent(*value))
    }
}

/// What an expression is worth.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// Series, in an order that says something only after `sort` and `topk`.
    Vector(Vec<Series>),
    Text(String),
}

/// Puts series together that have the same labels, which must not have samples at the same step.
pub(crate) struct Merged<'a> {
    series: Vec<Series>,
    places: SeededMap<Metric, usize>,
    steps: usize,
    budget: &'a Budget,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(steps: usize, budget: &'a Budget) -> Self {
        Self { series: Vec::new(), places: SeededMap::default(), steps, budget }
    }

    /// The place of the series with these labels.
    pub(crate) fn place(&mut self, metric: Metric) -> Result<usize, PromqlError> {
        if let Some(place) = self.places.get(&metric) {
            return Ok(*place);
        }
        self.budget.take(self.steps)?;
        let place = self.series.len();
        self.series.push(Series { metric: metric.clone(), values: vec![ABSENT; self.steps] });
        self.places.insert(metric, place);
        Ok(place)
    }

    pub(crate) fn put(&mut self, place: usize, step: usize, value: f64) -> Result<(), PromqlError> {
        let slot = &mut self.series[place].values[step];
        if !is_absent(*slot) {
            return Err(PromqlError::SameLabels { metric: self.series[place].metric.to_string() });
        }
        *slot = present(value);
        Ok(())
    }

    /// The series that have a sample at any step.
    pub(crate) fn finish(mut self) -> Vec<Series> {
        self.series.retain(|series| !series.is_empty());
        self.series
    }
}

/// Puts all of these series together.
pub(crate) fn merge(all: Vec<Series>) -> Result<Vec<Series>, PromqlError> {
    let mut places: SeededMap<Metric, usize> = SeededMap::default();
    let mut merged: Vec<Series> = Vec::with_capacity(all.len());
    for series in all {
        let Some(&place) = places.get(&series.metric) else {
            places.insert(series.metric.clone(), merged.len());
            merged.push(series);
            continue;
        };
        let kept = &mut merged[place];
        for (slot, value) in kept.values.iter_mut().zip(series.values).filter(|(_, value)| !is_absent(*value)) {
            if !is_absent(*slot) {
                return Err(PromqlError::SameLabels { metric: kept.metric.to_string() });
            }
            *slot = value;
        }
    }
    merged.retain(|series| !series.is_empty());
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, labels: &[(&str, &str)]) -> Metric {
        let name = (!name.is_empty()).then(|| MetricName::new(name).expect("valid"));
        Metric { name, labels: Labels::new(labels.iter().copied()).expect("valid") }
    }

    #[test]
    fn the_name_stands_among_the_labels_in_their_order() {
        let metric = metric("up", &[("Zone", "1"), ("a", "2")]);
        assert_eq!(metric.pairs().collect::<Vec<_>>(), [("Zone", "1"), ("__name__", "up"), ("a", "2")]);
        assert_eq!((metric.get("__name__"), metric.get("a"), metric.get("b")), ("up", "2", ""));
        assert_eq!(metric.to_string(), r#"up{Zone="1",a="2"}"#);
        assert_eq!(Metric::default().to_string(), "{}");
    }

    #[test]
    fn labels_are_kept_taken_and_set() {
        let full = metric("up", &[("a", "1"), ("b", "2")]);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(full.only(&names(&["a"])), metric("", &[("a", "1")]));
        assert_eq!(full.only(&names(&["__name__", "b"])), metric("up", &[("b", "2")]));
        assert_eq!(full.except(&names(&["a"])), metric("", &[("b", "2")]));
        assert_eq!(full.with("a", "").expect("valid"), metric("up", &[("b", "2")]));
        assert_eq!(full.with("__name__", "down").expect("valid"), metric("down", &[("a", "1"), ("b", "2")]));
        assert!(full.with("a", "\n").is_err());
    }

    #[test]
    fn series_of_the_same_labels_are_put_together_unless_they_meet() {
        let series = |values: &[f64]| Series { metric: metric("a", &[]), values: values.to_vec() };
        let merged = merge(vec![series(&[1.0, ABSENT]), series(&[ABSENT, 2.0])]).expect("they do not meet");
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].values, [1.0, 2.0]);
        let met = merge(vec![series(&[1.0, ABSENT]), series(&[1.0, 2.0])]);
        assert!(matches!(met, Err(PromqlError::SameLabels { metric }) if metric == "a"));
    }
}
