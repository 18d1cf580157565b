//! Planning of function calls.

use promql_parser::label::METRIC_NAME;
use promql_parser::parser::{self, Expr};

use super::error::PromqlError;
use super::function;
use super::labelling::Relabel;
use super::plan::{Call, Node, Planner, bare, clip, kind_name};
use super::range_function::RangeFunction;
use super::select::Selector;
use super::value::{Metric, Steps};
use crate::model::Labels;

impl Planner {
    pub(super) fn call(&mut self, call: &parser::Call, steps: &Steps) -> Result<Node, PromqlError> {
        let name = call.func.name;
        let arguments: Vec<&Expr> = call.args.args.iter().map(|argument| &**argument).collect();
        if let Some(function) = RangeFunction::of(name) {
            return self.over_range(function, &arguments, steps);
        }
        if let Some(map) = function::map(name) {
            // Without an argument the parts of a date are those of the step.
            let inner = match arguments.first() {
                Some(argument) => self.node(argument, steps)?,
                None => self.plain(Call::Vector, vec![Node::Call { call: Call::Time, arguments: Vec::new() }]),
            };
            return Ok(Node::Map { map, inner: Box::new(inner) });
        }
        let call = match name {
            "pi" => return Ok(Node::Number(std::f64::consts::PI)),
            "absent" => {
                let labels = given_labels(arguments[0])?;
                return Ok(Node::Absent { inner: self.boxed(arguments[0], steps)?, labels });
            }
            "absent_over_time" => {
                let labels = given_labels(arguments[0])?;
                return Ok(Node::AbsentOverRange { source: self.source(arguments[0], steps, None)?, labels });
            }
            "label_replace" | "label_join" => {
                let texts = arguments[1..].iter().map(|argument| text(argument)).collect::<Result<Vec<_>, _>>()?;
                let relabel = if name == "label_join" { Relabel::join(&texts)? } else { Relabel::replace(&texts)? };
                return Ok(Node::Relabel { relabel, inner: self.boxed(arguments[0], steps)? });
            }
            "timestamp" => match bare(arguments[0]) {
                Expr::VectorSelector(selector) => return Ok(Node::Timestamp(self.instant(selector, steps)?)),
                _ => Call::TimestampOfSteps,
            },
            "clamp" => Call::Clamp,
            "clamp_max" => Call::ClampMax,
            "clamp_min" => Call::ClampMin,
            "histogram_quantile" => Call::HistogramQuantile,
            "round" => Call::Round,
            "scalar" => Call::Scalar,
            "sort" => Call::Sort { descending: false },
            "sort_desc" => Call::Sort { descending: true },
            "time" => Call::Time,
            "vector" => Call::Vector,
            other => return Err(PromqlError::Unsupported(format!("the function \"{other}\""))),
        };
        let arguments = arguments.iter().map(|argument| self.node(argument, steps)).collect::<Result<_, _>>()?;
        Ok(self.plain(call, arguments))
    }

    fn plain(&self, call: Call, arguments: Vec<Node>) -> Node {
        Node::Call { call, arguments }
    }

    fn over_range(&mut self, function: RangeFunction, arguments: &[&Expr], steps: &Steps) -> Result<Node, PromqlError> {
        let (range, parameter) = match function {
            RangeFunction::Quantile => (arguments[1], Some(arguments[0])),
            RangeFunction::PredictLinear => (arguments[0], Some(arguments[1])),
            _ => (arguments[0], None),
        };
        let parameter = parameter.map(|parameter| self.boxed(parameter, steps)).transpose()?;
        let source = self.source(range, steps, Some(function).filter(|function| function.is_of_partial()))?;
        Ok(Node::OverRange { function, source, parameter })
    }
}

fn text(expr: &Expr) -> Result<String, PromqlError> {
    match bare(expr) {
        Expr::StringLiteral(text) => Ok(text.val.clone()),
        other => {
            Err(PromqlError::Kind { wanted: "a string", found: kind_name(other), place: clip(&other.to_string()) })
        }
    }
}

/// The labels that a selector asks for as they are: what is absent then.
fn given_labels(expr: &Expr) -> Result<Metric, PromqlError> {
    let selector = match expr {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        _ => return Ok(Metric::default()),
    };
    let given = Selector::of(selector)?.given;
    debug_assert!(given.iter().all(|(name, _)| name != METRIC_NAME));
    let labels = Labels::new(given);
    let labels = labels.map_err(|error| PromqlError::Function {
        function: "absent",
        reason: format!("the labels of its answer: {error}"),
    })?;
    Ok(Metric { name: None, labels })
}
