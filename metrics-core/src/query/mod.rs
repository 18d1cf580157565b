//! Queries: which tables hold the answer, what is read of them, and how that becomes a frame.

mod assemble;
mod axis;
mod cells;
mod error;
mod execute;
mod groups;
mod plan;
mod points;

pub(crate) use execute::execute;

pub use error::QueryError;
