//! Why a query has no answer.

use std::time::Duration;

use crate::store::StoreError;

/// A query that was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// More windows than an answer may have.
    #[error(
        "the query asks for {windows} windows: at most {limit} are answered (--max-windows), take a shorter time or a wider per"
    )]
    TooManyWindows {
        /// Windows times groups.
        windows: u64,
        /// `Options::max_cells`.
        limit: u64,
    },
    /// More windows with points than an answer may have.
    #[error(
        "the answer has more than {limit} windows (--max-windows): take a shorter time, a wider per or fewer series"
    )]
    TooManyCells {
        /// `Options::max_cells`.
        limit: usize,
    },
    /// More points than one query may read where rollups cannot answer.
    #[error(
        "the query has to read more than {limit} points (--max-points-per-query): take a shorter time, fewer series, or aggregates and widths that rollups answer"
    )]
    TooManyRows {
        /// `Options::max_raw_rows`.
        limit: usize,
    },
    /// It took longer than it may.
    #[error("the query took longer than {} s (--query-timeout): take a shorter time, a wider per or fewer series", limit.as_secs_f64())]
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// The engine was closed.
    #[error("the store is closed")]
    Closed,
    /// The store failed.
    #[error("the store cannot answer: {0}")]
    Store(#[from] StoreError),
}
