//! A query's result: series of columns over a common notion of time.

use std::fmt;

use chrono_tz::Tz;

use super::{Aggregate, Labels, MetricName, Timestamp};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// The points themselves (`per=raw`).
    Value,
    /// An aggregate of each window.
    Aggregate(Aggregate),
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Aggregate(aggregate) => aggregate.fmt(f),
        }
    }
}

/// How close a column's values are to the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exactness {
    /// Computed from every point.
    Exact,
    /// A quantile from merged sketches. Its rank is usually off by less than 2 % of the points, at worst by 5 % and
    /// one point: where values are few and repeated, or lie far apart.
    Sketch,
}

impl fmt::Display for Exactness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Sketch => "sketch",
        })
    }
}

/// One column of a series: a value, or none where a filled window has no answer, for each time.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What it holds.
    pub kind: ColumnKind,
    /// As many as the series has times.
    pub values: Vec<Option<f64>>,
    /// Whether sketches took part.
    pub exactness: Exactness,
}

/// The rows of one group of series.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameSeries {
    /// The metric.
    pub name: MetricName,
    /// The labels that the group shares and that were asked for; all of them for `group_by=*` and for raw points.
    pub labels: Labels,
    /// Starts of the windows, or times of the points.
    pub time: Vec<Timestamp>,
    /// The columns in the order in which they were asked for.
    pub columns: Vec<Column>,
}

impl FrameSeries {
    /// The values of an aggregate's column.
    pub fn column(&self, aggregate: Aggregate) -> Option<&[Option<f64>]> {
        self.column_of(ColumnKind::Aggregate(aggregate))
    }

    /// The values of a column.
    pub fn column_of(&self, kind: ColumnKind) -> Option<&[Option<f64>]> {
        self.columns.iter().find(|column| column.kind == kind).map(|column| column.values.as_slice())
    }
}

/// Rows that a query read from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierUse {
    /// `memory`, `raw`, `minute`, `quarter`, `hour` or `day`.
    pub tier: &'static str,
    /// Rows read.
    pub rows: u64,
    /// Chunks read.
    pub chunks: u64,
}

/// How a query was answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explain {
    /// What was read, finest first.
    pub tiers: Vec<TierUse>,
    /// Series that matched.
    pub series: u64,
    /// Microseconds from plan to frame.
    pub elapsed_us: u64,
}

/// A query's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Start of the time asked for.
    pub from: Timestamp,
    /// End of the time asked for, not included.
    pub to: Timestamp,
    /// Resolution in words, `raw` for points.
    pub per: String,
    /// Zone of the calendar windows.
    pub zone: Tz,
    /// One for each group that has rows, ordered by name and labels.
    pub series: Vec<FrameSeries>,
    /// Present when it was asked for.
    pub explain: Option<Explain>,
}

impl Frame {
    /// What the columns of all series hold, in order of first appearance, each once.
    pub fn kinds(&self) -> Vec<ColumnKind> {
        let mut kinds = Vec::new();
        for column in self.series.iter().flat_map(|series| &series.columns) {
            if !kinds.contains(&column.kind) {
                kinds.push(column.kind);
            }
        }
        kinds
    }
}
