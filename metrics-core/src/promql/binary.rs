//! Binary expressions over all steps.

use super::budget::Budget;
use super::error::PromqlError;
use super::matching::{Matching, drops_name};
use super::operator::Operator;
use super::plan::Node;
use super::value::{ABSENT, Series, Value, is_absent, merge, present};

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) operator: Operator,
    /// 0 or 1 in place of a filter.
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
    pub(crate) left: Box<Node>,
    pub(crate) right: Box<Node>,
}

impl Binary {
    /// The value of two numbers; none where a comparison that filters fails. What passes is `kept`.
    fn value(&self, a: f64, b: f64, kept: f64) -> Option<f64> {
        match self.operator {
            Operator::Arithmetic(arithmetic) => Some(arithmetic.apply(a, b)),
            Operator::Comparison(comparison) if self.returns_bool => Some(f64::from(u8::from(comparison.holds(a, b)))),
            Operator::Comparison(comparison) => comparison.holds(a, b).then_some(kept),
            Operator::Set(_) => None,
        }
    }

    pub(crate) fn apply(&self, left: Value, right: Value, steps: usize, budget: &Budget) -> Result<Value, PromqlError> {
        match (left, right) {
            (Value::Scalar(a), Value::Scalar(b)) => {
                let both = a.into_iter().zip(b);
                Ok(Value::Scalar(both.map(|(a, b)| self.value(a, b, a).unwrap_or(f64::NAN)).collect()))
            }
            (Value::Vector(series), Value::Scalar(b)) => self.with_scalar(series, &b, |a, b| self.value(a, b, a)),
            (Value::Scalar(a), Value::Vector(series)) => self.with_scalar(series, &a, |b, a| self.value(a, b, b)),
            (Value::Vector(left), Value::Vector(right)) => {
                let series = match self.operator {
                    Operator::Set(set) => self.matching.set(set, left, right, steps, budget),
                    operator => {
                        let drops_name = drops_name(operator, self.returns_bool);
                        let value = |a, b| self.value(a, b, a);
                        self.matching.pairs((&left, &right), steps, budget, drops_name, value)
                    }
                };
                series.map(Value::Vector)
            }
            (Value::Text(_), _) | (_, Value::Text(_)) => Err(PromqlError::Kind {
                wanted: "a scalar or an instant vector",
                found: "a string",
                place: "an operand of a binary expression".to_owned(),
            }),
        }
    }

    fn with_scalar(
        &self,
        mut vector: Vec<Series>,
        scalar: &[f64],
        value: impl Fn(f64, f64) -> Option<f64>,
    ) -> Result<Value, PromqlError> {
        for series in &mut vector {
            if drops_name(self.operator, self.returns_bool) {
                series.metric = series.metric.nameless();
            }
            for (slot, scalar) in series.values.iter_mut().zip(scalar).filter(|(slot, _)| !is_absent(**slot)) {
                *slot = value(*slot, *scalar).map_or(ABSENT, present);
            }
        }
        merge(vector).map(Value::Vector)
    }
}
