//! Why an expression has no answer.

use std::time::Duration;

use crate::query::QueryError;

/// An expression that was refused, or whose evaluation failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PromqlError {
    /// The text is no PromQL.
    #[error("the expression is not PromQL: {0}")]
    Parse(String),
    /// PromQL that this store does not evaluate.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A text over [`super::MAX_QUERY_BYTES`].
    #[error("the expression has {bytes} bytes: at most {} are allowed", super::MAX_QUERY_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More words and signs than [`super::MAX_TOKENS`].
    #[error("the expression has more than {} words and signs", super::MAX_TOKENS)]
    TooManyTokens,
    /// More patterns than [`super::MAX_PATTERNS`].
    #[error("the expression has more than {} regular expressions", super::MAX_PATTERNS)]
    TooManyPatterns,
    /// Deeper than [`super::MAX_DEPTH`], or with more operators than [`super::MAX_OPERATORS`].
    #[error(
        "the expression is nested deeper than {} levels or has more than {} operators",
        super::MAX_DEPTH,
        super::MAX_OPERATORS
    )]
    TooDeep,
    /// A duration that no time of this store can be moved by.
    #[error("the duration \"{0}\" is out of range: at most 292 years")]
    Duration(String),
    /// A value of a kind that does not fit where it stands.
    #[error("{found} stands where {wanted} is needed: {place}")]
    Kind {
        /// What is needed.
        wanted: &'static str,
        /// What there is.
        found: &'static str,
        /// Where.
        place: String,
    },
    /// A range query of something that has no value at a step.
    #[error("invalid expression type \"{0}\" for range query, must be Scalar or instant Vector")]
    NotForRange(&'static str),
    /// A step of nothing, or less.
    #[error("zero or negative query resolution step widths are not accepted: the least step is one millisecond")]
    Step,
    /// An end before the start.
    #[error("end timestamp must not be before start time")]
    Backwards,
    /// More steps than [`super::MAX_STEPS`].
    #[error(
        "exceeded maximum resolution of {} points per timeseries: take a longer step or a shorter time",
        super::MAX_STEPS
    )]
    TooManySteps,
    /// A subquery with more steps than an answer may have cells.
    #[error("a subquery has {steps} steps: at most {limit} are evaluated, take a longer step or a shorter range")]
    SubquerySteps {
        /// Its steps.
        steps: u64,
        /// `Options::max_cells`.
        limit: usize,
    },
    /// Two series of one result have the same labels.
    #[error("vector cannot contain metrics with the same labelset: {metric}")]
    SameLabels {
        /// Name and labels.
        metric: String,
    },
    /// Several series on the side of an operator on which there may be one.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{first}, {second}]; many-to-many matching not allowed: matching labels must be unique on one side"
    )]
    ManyToMany {
        /// The labels that are matched.
        group: String,
        /// `left` or `right`.
        side: &'static str,
        /// One series.
        first: String,
        /// Another.
        second: String,
    },
    /// Several series that match one, without a word that allows it.
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOne,
    /// Several series of a group that come out the same.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    GroupNotUnique,
    /// A number that is none of what an aggregation takes.
    #[error("the parameter of {operator} is {value}: {wanted}")]
    Parameter {
        /// The aggregation.
        operator: &'static str,
        /// The number.
        value: f64,
        /// What would be right.
        wanted: &'static str,
    },
    /// A function that cannot do what it was told.
    #[error("{function}: {reason}")]
    Function {
        /// Its name.
        function: &'static str,
        /// Why.
        reason: String,
    },
    /// More values than one evaluation may make.
    #[error(
        "the query has more than {limit} values, series times steps (--max-promql-values): take a longer step, a shorter time or fewer series"
    )]
    TooManyValues {
        /// `Options::max_promql_values`.
        limit: usize,
    },
    /// It took too long.
    #[error("query timed out in expression evaluation after {} s (--query-timeout)", limit.as_secs_f64())]
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// Its samples cannot be read.
    #[error(transparent)]
    Read(QueryError),
}

impl From<QueryError> for PromqlError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::TimedOut { limit } => Self::TimedOut { limit },
            error => Self::Read(error),
        }
    }
}

impl PromqlError {
    /// Whether the request itself is wrong, whatever the store holds.
    pub fn is_bad_request(&self) -> bool {
        matches!(
            self,
            Self::Parse(_)
                | Self::Unsupported(_)
                | Self::TooLong { .. }
                | Self::TooManyTokens
                | Self::TooManyPatterns
                | Self::TooDeep
                | Self::Duration(_)
                | Self::Kind { .. }
                | Self::NotForRange(_)
                | Self::Step
                | Self::Backwards
                | Self::TooManySteps
        )
    }
}
