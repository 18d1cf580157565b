//! Queries: which tables hold the answer, what is read of them, and how that becomes a frame.

mod assemble;
mod axis;
mod cells;
mod error;
mod execute;
mod groups;
mod plan;
mod points;
mod ranges;
mod samples;

pub(crate) use execute::execute;
pub(crate) use ranges::{RangeParts, Ranges};
pub(crate) use samples::{SampleRequest, Samples, TimeLimit, read_samples};

pub use error::QueryError;
