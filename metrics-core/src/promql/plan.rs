//! From a parsed expression to what is evaluated, and to what has to be read for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use promql_parser::parser::{
    AggregateExpr, AtModifier, BinaryExpr, Expr, LabelModifier, Offset, SubqueryExpr, VectorMatchCardinality,
    VectorSelector,
};

use super::aggregate::{Aggregation, Grouping};
use super::binary::Binary;
use super::error::PromqlError;
use super::function::Map;
use super::labelling::Relabel;
use super::matching::{Cardinality, Matching};
use super::operator::Operator;
use super::range_function::RangeFunction;
use super::select::Selector;
use super::steps::{self, Times};
use super::value::{Metric, Steps};
use super::{MAX_DEPTH, SUBQUERY_STEP};
use crate::query::Ranges;

/// An expression whose parts are all known.
#[derive(Debug)]
pub(crate) enum Node {
    Number(f64),
    Text(String),
    Instant(Instant),
    /// A range, which only functions and the whole of an instant query can be.
    Range(Source),
    OverRange {
        function: RangeFunction,
        source: Source,
        parameter: Option<Box<Node>>,
    },
    AbsentOverRange {
        source: Source,
        labels: Metric,
    },
    Aggregation(Aggregation),
    Binary(Binary),
    Negative(Box<Node>),
    Map {
        map: Map,
        inner: Box<Node>,
    },
    Call {
        call: Call,
        arguments: Vec<Node>,
    },
    Absent {
        inner: Box<Node>,
        labels: Metric,
    },
    Relabel {
        relabel: Relabel,
        inner: Box<Node>,
    },
    /// Times of samples.
    Timestamp(Instant),
}

/// Functions that are none of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Clamp,
    ClampMax,
    ClampMin,
    HistogramQuantile,
    Round,
    Scalar,
    Sort { descending: bool },
    Time,
    TimestampOfSteps,
    Vector,
}

/// A selector that looks at instants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant {
    /// Which of the plan's reads.
    pub(crate) read: usize,
    pub(crate) times: Times,
}

/// Where the samples of a range come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) range: i64,
    pub(crate) times: Times,
    pub(crate) of: SourceKind,
}

#[derive(Debug)]
pub(crate) enum SourceKind {
    /// Which of the plan's reads.
    Read(usize),
    Subquery {
        inner: Box<Node>,
        steps: Steps,
    },
}

/// Samples that have to be read: those in `[from, to)`.
#[derive(Debug)]
pub(crate) struct ReadRequest {
    pub(crate) selector: Arc<Selector>,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Where a summary of each range is enough.
    pub(crate) ranges: Option<Ranges>,
}

/// What a query is planned for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanContext {
    pub(crate) steps: Steps,
    /// Where the query ends: its last step, or less than a step behind it.
    pub(crate) end: i64,
    pub(crate) lookback: i64,
    /// Most steps of a subquery.
    pub(crate) max_subquery_steps: usize,
}

/// Plans an expression; gives back what it reads too.
pub(crate) fn plan(expr: &Expr, context: PlanContext) -> Result<(Node, Vec<ReadRequest>), PromqlError> {
    let mut planner = Planner { context, reads: Vec::new(), depth: 0 };
    let node = planner.node(expr, &context.steps)?;
    Ok((node, planner.reads))
}

pub(super) struct Planner {
    context: PlanContext,
    reads: Vec<ReadRequest>,
    depth: usize,
}

/// The expression inside of parentheses.
pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expr {
        expr = &paren.expr;
    }
    expr
}

impl Planner {
    pub(super) fn node(&mut self, expr: &Expr, steps: &Steps) -> Result<Node, PromqlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PromqlError::TooDeep);
        }
        let node = match bare(expr) {
            Expr::NumberLiteral(number) => Node::Number(number.val),
            Expr::StringLiteral(text) => Node::Text(text.val.clone()),
            Expr::VectorSelector(selector) => Node::Instant(self.instant(selector, steps)?),
            Expr::MatrixSelector(_) | Expr::Subquery(_) => Node::Range(self.source(expr, steps, None)?),
            Expr::Unary(unary) => Node::Negative(Box::new(self.node(&unary.expr, steps)?)),
            Expr::Binary(binary) => self.binary(binary, steps)?,
            Expr::Aggregate(aggregate) => self.aggregation(aggregate, steps)?,
            Expr::Call(call) => self.call(call, steps)?,
            Expr::Paren(_) => unreachable!("no parenthesis is bare"),
            Expr::Extension(_) => return Err(PromqlError::Unsupported("an extension of the parser".to_owned())),
        };
        self.depth -= 1;
        Ok(node)
    }

    pub(super) fn boxed(&mut self, expr: &Expr, steps: &Steps) -> Result<Box<Node>, PromqlError> {
        self.node(expr, steps).map(Box::new)
    }

    pub(super) fn instant(&mut self, selector: &VectorSelector, steps: &Steps) -> Result<Instant, PromqlError> {
        let times = self.times(selector.offset.as_ref(), selector.at.as_ref())?;
        let (first, last) = times.extent(steps);
        let from = first.saturating_sub(self.context.lookback).saturating_add(1);
        Ok(Instant { read: self.read(selector, (from, last.saturating_add(1)), None)?, times })
    }

    /// A range; `summary` is the function to which a summary of it is enough.
    pub(super) fn source(
        &mut self,
        expr: &Expr,
        steps: &Steps,
        summary: Option<RangeFunction>,
    ) -> Result<Source, PromqlError> {
        match bare(expr) {
            Expr::MatrixSelector(matrix) => {
                let range = micros(matrix.range)?;
                let times = self.times(matrix.vs.offset.as_ref(), matrix.vs.at.as_ref())?;
                let (first, last) = times.extent(steps);
                let span = (first.saturating_sub(range).saturating_add(1), last.saturating_add(1));
                let all = Ranges { first_end: first, step: steps.step, count: steps.count, width: range };
                let ranges = (summary.is_some() && times.at.is_none() && steps.count > 0).then_some(all);
                Ok(Source { range, times, of: SourceKind::Read(self.read(&matrix.vs, span, ranges)?) })
            }
            Expr::Subquery(subquery) => self.subquery(subquery, steps),
            other => Err(PromqlError::Kind {
                wanted: "a range vector",
                found: kind_name(other),
                place: clip(&other.to_string()),
            }),
        }
    }

    fn subquery(&mut self, subquery: &SubqueryExpr, steps: &Steps) -> Result<Source, PromqlError> {
        let range = micros(subquery.range)?;
        let times = self.times(subquery.offset.as_ref(), subquery.at.as_ref())?;
        // Steps are milliseconds, here as in a query.
        let step = micros(subquery.step.unwrap_or(SUBQUERY_STEP))? / 1_000 * 1_000;
        if step <= 0 {
            return Err(PromqlError::Step);
        }
        let inside = steps::inside(steps, times, range, step, self.context.max_subquery_steps)?;
        let inner = self.boxed(&subquery.expr, &inside)?;
        Ok(Source { range, times, of: SourceKind::Subquery { inner, steps: inside } })
    }

    fn read(
        &mut self,
        selector: &VectorSelector,
        (from, to): (i64, i64),
        ranges: Option<Ranges>,
    ) -> Result<usize, PromqlError> {
        let selector = Arc::new(Selector::of(selector)?);
        self.reads.push(ReadRequest { selector, from, to, ranges });
        Ok(self.reads.len() - 1)
    }

    fn times(&self, offset: Option<&Offset>, at: Option<&AtModifier>) -> Result<Times, PromqlError> {
        let offset = match offset {
            None => 0,
            Some(Offset::Pos(duration)) => micros(*duration)?,
            Some(Offset::Neg(duration)) => -micros(*duration)?,
        };
        let at = match at {
            None => None,
            Some(AtModifier::Start) => Some(self.context.steps.start),
            Some(AtModifier::End) => Some(self.context.end),
            Some(AtModifier::At(time)) => Some(match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => micros(after)?,
                Err(before) => -micros(before.duration())?,
            }),
        };
        Ok(Times { offset, at })
    }

    fn aggregation(&mut self, aggregate: &AggregateExpr, steps: &Steps) -> Result<Node, PromqlError> {
        let parameter = aggregate.param.as_deref().map(|parameter| self.node(parameter, steps)).transpose()?;
        let inner = self.boxed(&aggregate.expr, steps)?;
        let grouping = match &aggregate.modifier {
            None => Grouping::By(Vec::new()),
            Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
        };
        Aggregation::new(aggregate.op, grouping, parameter, inner).map(Node::Aggregation)
    }

    fn binary(&mut self, binary: &BinaryExpr, steps: &Steps) -> Result<Node, PromqlError> {
        let operator = Operator::of(binary.op)?;
        let mut matching = Matching::default();
        let mut returns_bool = false;
        if let Some(modifier) = &binary.modifier {
            if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
                return Err(PromqlError::Unsupported("the modifier \"fill\"".to_owned()));
            }
            returns_bool = modifier.return_bool;
            match &modifier.matching {
                None => {}
                Some(LabelModifier::Include(labels)) => matching.on = Some(labels.labels.clone()),
                Some(LabelModifier::Exclude(labels)) => matching.ignoring.clone_from(&labels.labels),
            }
            (matching.cardinality, matching.include) = match &modifier.card {
                VectorMatchCardinality::ManyToOne(include) => (Cardinality::ManyToOne, include.labels.clone()),
                VectorMatchCardinality::OneToMany(include) => (Cardinality::OneToMany, include.labels.clone()),
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
                    (Cardinality::OneToOne, Vec::new())
                }
            };
        }
        let (left, right) = (self.boxed(&binary.lhs, steps)?, self.boxed(&binary.rhs, steps)?);
        Ok(Node::Binary(Binary { operator, returns_bool, matching, left, right }))
    }
}

/// What an expression is, in the words of Prometheus' documentation.
pub(super) fn kind_name(expr: &Expr) -> &'static str {
    use promql_parser::parser::value::ValueType;
    match expr.value_type() {
        ValueType::Vector => "an instant vector",
        ValueType::Scalar => "a scalar",
        ValueType::Matrix => "a range vector",
        ValueType::String => "a string",
    }
}

/// The beginning of an expression, for a message.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(128).collect()
}

fn micros(duration: Duration) -> Result<i64, PromqlError> {
    /// 292 years, as in Prometheus, and so little that sums of a few with any time stay in range.
    const LIMIT: u128 = 292 * 365 * 86_400_000_000;
    let micros = duration.as_micros();
    if micros > LIMIT {
        return Err(PromqlError::Duration(format!("{duration:?}")));
    }
    Ok(i64::try_from(micros).expect("the limit fits"))
}
