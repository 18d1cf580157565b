//! Aggregations: many series into one for each group.

use std::cmp::Ordering;

use promql_parser::parser::token::{self, TokenType};

use super::budget::Budget;
use super::error::PromqlError;
use super::numbers::{self, Mean, Sum, Variance};
use super::plan::Node;
use super::value::{ABSENT, Merged, Metric, Series, is_absent};
use crate::model::SeededMap;

/// Which labels tell groups apart.
#[derive(Debug)]
pub(crate) enum Grouping {
    By(Vec<String>),
    Without(Vec<String>),
}

impl Grouping {
    fn key(&self, metric: &Metric) -> Metric {
        match self {
            Self::By(labels) => metric.only(labels),
            Self::Without(labels) => metric.except(labels),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Quantile,
    Topk,
    Bottomk,
    CountValues,
}

#[derive(Debug)]
pub(crate) struct Aggregation {
    operator: Operator,
    grouping: Grouping,
    /// The number that some take.
    pub(crate) parameter: Option<Box<Node>>,
    /// The label that `count_values` makes.
    label: String,
    pub(crate) inner: Box<Node>,
}

/// The series of one group, by their places.
struct Group {
    key: Metric,
    members: Vec<usize>,
}

impl Aggregation {
    pub(crate) fn new(
        token: TokenType,
        grouping: Grouping,
        parameter: Option<Node>,
        inner: Box<Node>,
    ) -> Result<Self, PromqlError> {
        let operator = match token.id() {
            token::T_SUM => Operator::Sum,
            token::T_AVG => Operator::Avg,
            token::T_COUNT => Operator::Count,
            token::T_MIN => Operator::Min,
            token::T_MAX => Operator::Max,
            token::T_GROUP => Operator::Group,
            token::T_STDDEV => Operator::Stddev,
            token::T_STDVAR => Operator::Stdvar,
            token::T_QUANTILE => Operator::Quantile,
            token::T_TOPK => Operator::Topk,
            token::T_BOTTOMK => Operator::Bottomk,
            token::T_COUNT_VALUES => Operator::CountValues,
            _ => return Err(PromqlError::Unsupported(format!("the aggregation \"{token}\""))),
        };
        let (parameter, label) = match parameter {
            Some(Node::Text(label)) if operator == Operator::CountValues => (None, label),
            parameter => (parameter.map(Box::new), String::new()),
        };
        if operator == Operator::CountValues && label.is_empty() {
            let reason = "the label needs a name".to_owned();
            return Err(PromqlError::Function { function: "count_values", reason });
        }
        Ok(Self { operator, grouping, parameter, label, inner })
    }

    /// Whether it puts series in an order.
    pub(crate) fn is_ranked(&self) -> bool {
        matches!(self.operator, Operator::Topk | Operator::Bottomk)
    }

    fn groups(&self, series: &[Series]) -> Vec<Group> {
        let mut places: SeededMap<Metric, usize> = SeededMap::default();
        let mut groups: Vec<Group> = Vec::new();
        for (place, series) in series.iter().enumerate() {
            let group = *places.entry(self.grouping.key(&series.metric)).or_insert_with_key(|key| {
                groups.push(Group { key: key.clone(), members: Vec::new() });
                groups.len() - 1
            });
            groups[group].members.push(place);
        }
        groups
    }

    /// `parameter` has a number for each step, where one is taken.
    pub(crate) fn apply(
        &self,
        series: Vec<Series>,
        parameter: &[f64],
        steps: usize,
        budget: &Budget,
    ) -> Result<Vec<Series>, PromqlError> {
        let groups = self.groups(&series);
        match self.operator {
            Operator::Topk | Operator::Bottomk => self.ranked(series, &groups, parameter, steps, budget),
            Operator::CountValues => self.counted(&series, &groups, steps, budget),
            _ => {
                let mut results = Vec::with_capacity(groups.len());
                let mut scratch = Vec::new();
                for group in groups {
                    budget.take(steps)?;
                    let mut values = vec![ABSENT; steps];
                    for (step, slot) in values.iter_mut().enumerate() {
                        scratch.clear();
                        let of_step = group.members.iter().map(|place| series[*place].values[step]);
                        scratch.extend(of_step.filter(|value| !is_absent(*value)));
                        if !scratch.is_empty() {
                            *slot = super::value::present(self.reduce(&mut scratch, parameter.get(step).copied()));
                        }
                    }
                    results.push(Series { metric: group.key, values });
                }
                results.retain(|series| !series.is_empty());
                Ok(results)
            }
        }
    }

    /// At least one value into one.
    fn reduce(&self, values: &mut [f64], parameter: Option<f64>) -> f64 {
        match self.operator {
            Operator::Sum => {
                let mut sum = Sum::default();
                values.iter().for_each(|value| sum.add(*value));
                sum.total()
            }
            Operator::Avg => {
                let mut mean = Mean::default();
                values.iter().for_each(|value| mean.add(*value));
                mean.value()
            }
            Operator::Stddev | Operator::Stdvar => {
                let mut variance = Variance::default();
                values.iter().for_each(|value| variance.add(*value));
                let variance = variance.value();
                if self.operator == Operator::Stddev { variance.sqrt() } else { variance }
            }
            Operator::Min => values.iter().copied().fold(f64::NAN, f64::min),
            Operator::Max => values.iter().copied().fold(f64::NAN, f64::max),
            Operator::Quantile => numbers::quantile(parameter.unwrap_or(f64::NAN), values),
            Operator::Count => values.len() as f64,
            Operator::Group | Operator::Topk | Operator::Bottomk | Operator::CountValues => 1.0,
        }
    }

    /// The first `k` series of each group and step stay as they are.
    fn ranked(
        &self,
        mut series: Vec<Series>,
        groups: &[Group],
        parameter: &[f64],
        steps: usize,
        budget: &Budget,
    ) -> Result<Vec<Series>, PromqlError> {
        let is_top = self.operator == Operator::Topk;
        let order = |a: f64, b: f64| {
            let by_value = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            // What is no number comes last, whatever is asked for.
            a.is_nan().cmp(&b.is_nan()).then(if is_top { by_value.reverse() } else { by_value })
        };
        let mut ranks: Vec<usize> = Vec::new();
        let mut in_order: Vec<usize> = Vec::new();
        for group in groups {
            for step in 0..steps {
                budget.check_time()?;
                let k = self.whole(parameter.get(step).copied().unwrap_or(f64::NAN))?;
                ranks.clear();
                ranks.extend(group.members.iter().filter(|place| !is_absent(series[**place].values[step])));
                ranks.sort_by(|a, b| order(series[*a].values[step], series[*b].values[step]));
                let kept = k.min(ranks.len());
                ranks[kept..].iter().for_each(|place| series[*place].values[step] = ABSENT);
                if steps == 1 {
                    in_order.extend(&ranks[..kept]);
                }
            }
        }
        if steps == 1 {
            return Ok(in_order.into_iter().map(|place| series[place].clone()).collect());
        }
        series.retain(|series| !series.is_empty());
        Ok(series)
    }

    fn whole(&self, value: f64) -> Result<usize, PromqlError> {
        if !(-9.2e18..=9.2e18).contains(&value) {
            let operator = if self.operator == Operator::Topk { "topk" } else { "bottomk" };
            return Err(PromqlError::Parameter { operator, value, wanted: "a whole number of 64 bits is needed" });
        }
        Ok(if value < 1.0 { 0 } else { usize::try_from(value as i64).unwrap_or(usize::MAX) })
    }

    fn counted(
        &self,
        series: &[Series],
        groups: &[Group],
        steps: usize,
        budget: &Budget,
    ) -> Result<Vec<Series>, PromqlError> {
        let mut merged = Merged::new(steps, budget);
        let mut counts: SeededMap<u64, (f64, f64)> = SeededMap::default();
        for group in groups {
            for step in 0..steps {
                counts.clear();
                let values = group.members.iter().map(|place| series[*place].values[step]);
                for value in values.filter(|value| !is_absent(*value)) {
                    counts.entry(value.to_bits()).or_insert((value, 0.0)).1 += 1.0;
                }
                let mut found: Vec<(f64, f64)> = counts.values().copied().collect();
                found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                for (value, count) in found {
                    let metric = group.key.with(&self.label, &numbers::plain(value));
                    let metric = metric.map_err(|error| PromqlError::Function {
                        function: "count_values",
                        reason: error.to_string(),
                    })?;
                    let place = merged.place(metric)?;
                    merged.put(place, step, count)?;
                }
            }
        }
        Ok(merged.finish())
    }
}
