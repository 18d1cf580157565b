//! What a query is answered with.

use super::value::Metric;
use crate::model::Timestamp;

/// One sample of an instant vector; its time is the query's.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// Name and labels.
    pub metric: Metric,
    /// The value.
    pub value: f64,
}

/// One series with its samples in the order of their times.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSeries {
    /// Name and labels.
    pub metric: Metric,
    /// Times and values.
    pub samples: Vec<(Timestamp, f64)>,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A number, of an instant query.
    Scalar(f64),
    /// A text, of an instant query.
    Text(String),
    /// Samples of an instant query, ordered by name and labels unless the expression orders them.
    Vector(Vec<VectorSample>),
    /// Series of a range query, or of an instant query for a range; ordered by name and labels.
    Matrix(Vec<RangeSeries>),
}
