//! The model: plain values without I/O.

mod aggregate;
mod filter;
mod frame;
mod labels;
mod point;
mod query;
mod resolution;
mod seeded;
mod series;
mod timestamp;
mod window;

pub use aggregate::{Aggregate, AggregateError, Quantile};
pub use filter::{FilterError, LabelFilter};
pub use frame::{Column, ColumnKind, Exactness, Explain, Frame, FrameSeries, TierUse};
pub use labels::{
    LabelError, Labels, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS, MAX_NAME_BYTES, MetricName,
};
pub use point::{Batch, BatchSeries, Point, PointError, Sample};
pub use query::{Fill, FillError, GroupBy, Order, OrderError, Per, QueryRequest};
pub(crate) use seeded::SeededMap;

pub use resolution::{DurationError, Resolution, format_duration_micros, parse_duration_micros};
pub use series::{SeriesInfo, SeriesKey};
pub use timestamp::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp, TimestampError};
pub use window::{Window, WindowGrid};
