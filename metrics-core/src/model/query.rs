//! What a query asks for.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;

use super::{Aggregate, LabelFilter, MetricName, Resolution, Timestamp};

/// How the asked-for time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Not at all: the points themselves.
    Raw,
    /// Windows of this resolution.
    Every(Resolution),
    /// The finest usual resolution with at most so many windows; `Resolution::auto` picks it.
    Auto {
        /// Most windows a series.
        points: usize,
    },
}

/// Which series are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// All series of a metric.
    Nothing,
    /// Those that agree in these labels.
    Labels(Vec<String>),
    /// None: every series by itself.
    Series,
}

/// What stands in windows without points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// They are left out.
    #[default]
    None,
    /// No value.
    Null,
    /// 0.
    Zero,
    /// The value of the nearest earlier window; none before the first.
    Previous,
    /// On the straight line between the nearest windows on both sides; none outside them.
    Linear,
}

/// Order of the windows in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// A word that is no fill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a fill: use none, null, zero, previous or linear")]
pub struct FillError(String);

/// A word that is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an order: use asc or desc")]
pub struct OrderError(String);

impl FromStr for Fill {
    type Err = FillError;

    fn from_str(word: &str) -> Result<Self, FillError> {
        Ok(match word {
            "none" => Self::None,
            "null" => Self::Null,
            "zero" => Self::Zero,
            "previous" => Self::Previous,
            "linear" => Self::Linear,
            _ => return Err(FillError(word.chars().take(32).collect())),
        })
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Null => "null",
            Self::Zero => "zero",
            Self::Previous => "previous",
            Self::Linear => "linear",
        })
    }
}

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(word: &str) -> Result<Self, OrderError> {
        match word {
            "asc" => Ok(Self::Ascending),
            "desc" => Ok(Self::Descending),
            _ => Err(OrderError(word.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        })
    }
}

impl FromStr for Per {
    type Err = super::DurationError;

    /// `raw`, `auto` (with [`QueryRequest::DEFAULT_POINTS`]) or a resolution.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "raw" => Self::Raw,
            "auto" => Self::Auto { points: QueryRequest::DEFAULT_POINTS },
            _ => Self::Every(word.parse()?),
        })
    }
}

/// A query. Built with [`QueryRequest::new`] and changed field by field.
///
/// ```
/// use metrics_core::{Aggregate, Per, QueryRequest, Resolution, Timestamp};
/// let mut request = QueryRequest::new(["cpu"], Timestamp::EPOCH, Timestamp::now()).unwrap();
/// request.per = Per::Every(Resolution::Hour);
/// request.aggregates = vec![Aggregate::Avg, "p95".parse().unwrap()];
/// ```
#[derive(Debug, Clone)]
pub struct QueryRequest {
    /// The metrics, each answered by itself.
    pub names: Vec<MetricName>,
    /// First instant.
    pub from: Timestamp,
    /// First instant after the last.
    pub to: Timestamp,
    /// The cut.
    pub per: Per,
    /// What to compute of each window; without effect for raw points.
    pub aggregates: Vec<Aggregate>,
    /// Conditions that a series must all meet.
    pub filters: Vec<LabelFilter>,
    /// Which series are put together; raw points are always given series by series.
    pub group_by: GroupBy,
    /// What empty windows show.
    pub fill: Fill,
    /// Whose calendar `Hour`, `Day`, `Week` and `Month` follow.
    pub zone: Tz,
    /// Order in time.
    pub order: Order,
    /// Most windows (or raw points) a series; those first in `order` are kept.
    pub limit: usize,
    /// Whether the answer tells how it was made.
    pub explain: bool,
}

impl QueryRequest {
    /// Windows a series where none is asked for.
    pub const DEFAULT_LIMIT: usize = 100_000;
    /// Windows that `per=auto` aims at where none is asked for.
    pub const DEFAULT_POINTS: usize = 500;
    /// Most metrics in one query.
    pub const MAX_NAMES: usize = 100;

    /// The averages of some metrics over `[from, to)`, in automatic windows.
    ///
    /// # Errors
    /// [`super::LabelError`] when a name breaks a bound.
    pub fn new<N: AsRef<str>>(
        names: impl IntoIterator<Item = N>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Self, super::LabelError> {
        Ok(Self {
            names: names.into_iter().map(|name| MetricName::new(name.as_ref())).collect::<Result<_, _>>()?,
            from,
            to,
            per: Per::Auto { points: Self::DEFAULT_POINTS },
            aggregates: vec![Aggregate::Avg],
            filters: Vec::new(),
            group_by: GroupBy::Nothing,
            fill: Fill::None,
            zone: Tz::UTC,
            order: Order::Ascending,
            limit: Self::DEFAULT_LIMIT,
            explain: false,
        })
    }

    /// The resolution of the windows, `auto` worked out; none for raw points.
    pub fn resolution(&self) -> Option<Resolution> {
        match self.per {
            Per::Raw => None,
            Per::Every(resolution) => Some(resolution),
            Per::Auto { points } => Some(Resolution::auto(self.to.micros().saturating_sub(self.from.micros()), points)),
        }
    }
}
