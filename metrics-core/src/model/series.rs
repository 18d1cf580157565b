//! A series: a metric name with its labels.

use std::fmt;

use super::{Labels, MetricName, Timestamp};

/// What identifies a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The metric's name.
    pub name: MetricName,
    /// The labels that tell its series apart.
    pub labels: Labels,
}

impl SeriesKey {
    /// A series of that name and those labels.
    pub fn new(name: MetricName, labels: Labels) -> Self {
        Self { name, labels }
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.labels)
    }
}

/// A series with what the store knows of it without reading a point.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesInfo {
    /// Name and labels.
    pub key: SeriesKey,
    /// Time of its earliest point.
    pub first: Timestamp,
    /// Time of its latest point.
    pub last: Timestamp,
    /// Value of its latest point; of several at that time the greatest.
    pub last_value: f64,
    /// How many points it holds.
    pub count: u64,
}
