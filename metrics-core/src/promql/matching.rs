//! Which series of two vectors belong together.

use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::error::PromqlError;
use super::operator::{Operator, SetOperator};
use super::value::{ABSENT, Merged, Metric, Series, is_absent, merge};
use crate::model::SeededMap;

/// How many series of a side may belong to one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
}

/// What stands between an operator and its right side.
#[derive(Debug, Default)]
pub(crate) struct Matching {
    /// The labels that must be equal, where they are named; else all but [`Self::ignoring`].
    pub(crate) on: Option<Vec<String>>,
    pub(crate) ignoring: Vec<String>,
    pub(crate) cardinality: Cardinality,
    /// Labels that the many take over from the one.
    pub(crate) include: Vec<String>,
}

impl Matching {
    /// What of a series must be equal on both sides.
    fn key(&self, metric: &Metric) -> Metric {
        match &self.on {
            Some(on) => metric.only(on),
            None => metric.except(&self.ignoring),
        }
    }

    /// Numbers the keys of both sides alike.
    fn keys(&self, left: &[Series], right: &[Series]) -> (Vec<usize>, Vec<usize>, Vec<Metric>) {
        let mut numbers: SeededMap<Metric, usize> = SeededMap::default();
        let mut keys = Vec::new();
        let mut number = |series: &Series| {
            *numbers.entry(self.key(&series.metric)).or_insert_with_key(|key| {
                keys.push(key.clone());
                keys.len() - 1
            })
        };
        let left = left.iter().map(&mut number).collect();
        let right = right.iter().map(&mut number).collect();
        (left, right, keys)
    }

    /// Name and labels of what comes out of one of the many and the one.
    fn result(&self, many: &Metric, one: &Metric, drops_name: bool) -> Result<Metric, PromqlError> {
        let mut result = if drops_name { many.nameless() } else { many.clone() };
        if self.cardinality == Cardinality::OneToOne {
            result = match &self.on {
                Some(on) => result.only(on),
                None if self.ignoring.is_empty() => result,
                None => {
                    let name = result.name.take().filter(|_| !self.ignoring.iter().any(|label| label == "__name__"));
                    Metric { name, ..result.except(&self.ignoring) }
                }
            };
        }
        for label in &self.include {
            let with = result.with(label, one.get(label));
            result = with.map_err(|error| PromqlError::Function { function: "group", reason: error.to_string() })?;
        }
        Ok(result)
    }

    /// Two vectors under an operator that makes one value of two; `value` gives none where a comparison fails.
    pub(crate) fn pairs(
        &self,
        (left, right): (&[Series], &[Series]),
        steps: usize,
        budget: &Budget,
        drops_name: bool,
        value: impl Fn(f64, f64) -> Option<f64>,
    ) -> Result<Vec<Series>, PromqlError> {
        let swapped = self.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let (many_keys, one_keys, keys) = self.keys(many, one);
        let mut merged = Merged::new(steps, budget);
        // Of each key the series of the one side, and of each pair the place of its result.
        let mut owners: Vec<Option<usize>> = vec![None; keys.len()];
        let mut places: FxHashMap<(usize, usize), usize> = FxHashMap::default();
        let mut matched: Vec<usize> = vec![usize::MAX; keys.len()];
        for step in 0..steps {
            if many.iter().all(|series| is_absent(series.values[step])) {
                continue;
            }
            budget.check_time()?;
            owners.fill(None);
            for (place, series) in one.iter().enumerate().filter(|(_, series)| !is_absent(series.values[step])) {
                if let Some(other) = owners[one_keys[place]].replace(place) {
                    return Err(PromqlError::ManyToMany {
                        group: keys[one_keys[place]].to_string(),
                        side: if swapped { "left" } else { "right" },
                        first: series.metric.to_string(),
                        second: one[other].metric.to_string(),
                    });
                }
            }
            for (at, series) in many.iter().enumerate() {
                let (key, a) = (many_keys[at], series.values[step]);
                let Some(owner) = owners[key].filter(|_| !is_absent(a)) else { continue };
                let b = one[owner].values[step];
                let Some(result) = (if swapped { value(b, a) } else { value(a, b) }) else { continue };
                if self.cardinality == Cardinality::OneToOne && std::mem::replace(&mut matched[key], step) == step {
                    return Err(PromqlError::ManyToOne);
                }
                let place = match places.get(&(at, owner)) {
                    Some(place) => *place,
                    None => {
                        let place = merged.place(self.result(&series.metric, &one[owner].metric, drops_name)?)?;
                        places.insert((at, owner), place);
                        place
                    }
                };
                merged.put(place, step, result).map_err(|error| match self.cardinality {
                    Cardinality::OneToOne => error,
                    _ => PromqlError::GroupNotUnique,
                })?;
            }
        }
        Ok(merged.finish())
    }

    /// Two vectors under `and`, `or` or `unless`.
    pub(crate) fn set(
        &self,
        operator: SetOperator,
        mut left: Vec<Series>,
        mut right: Vec<Series>,
        steps: usize,
        budget: &Budget,
    ) -> Result<Vec<Series>, PromqlError> {
        let (left_keys, right_keys, keys) = self.keys(&left, &right);
        let mut there = vec![false; keys.len()];
        for step in 0..steps {
            budget.check_time()?;
            there.fill(false);
            let (from, from_keys, to, to_keys) = match operator {
                SetOperator::Or => (&left, &left_keys, &mut right, &right_keys),
                SetOperator::And | SetOperator::Unless => (&right, &right_keys, &mut left, &left_keys),
            };
            let present = from.iter().zip(from_keys).filter(|(series, _)| !is_absent(series.values[step]));
            present.for_each(|(_, key)| there[*key] = true);
            // `and` keeps what the other side has, the others what it does not have.
            let kept = operator == SetOperator::And;
            let dropped = to.iter_mut().zip(to_keys).filter(|(_, key)| there[**key] != kept);
            dropped.for_each(|(series, _)| series.values[step] = ABSENT);
        }
        if operator == SetOperator::Or {
            left.append(&mut right);
        }
        merge(left)
    }
}

/// Whether a result is no longer the metric that its operands were.
pub(crate) fn drops_name(operator: Operator, returns_bool: bool) -> bool {
    returns_bool || matches!(operator, Operator::Arithmetic(_))
}
