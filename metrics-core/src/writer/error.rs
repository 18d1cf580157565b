//! Why a write was refused or failed.

use super::keys::MAX_KEY_BYTES;
use crate::store::{DiskFull, StoreError};

/// A write that did not happen: nothing of it is stored, except where [`WriteError::Store`] says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// As many points as may wait for their commit do wait. A later attempt can succeed.
    #[error("the write queue is full ({limit} points wait, --queue-points): try again in a moment")]
    QueueFull {
        /// `Options::queue_points`.
        limit: usize,
    },
    /// The write would make more series than are allowed.
    #[error(
        "the store holds {limit} series, its limit: the write would add {new} (raise --max-series, or drop labels that vary without end)"
    )]
    SeriesLimit {
        /// `Options::max_series`.
        limit: usize,
        /// Series that the write would add.
        new: usize,
    },
    /// More points than one write may have.
    #[error("{points} points in one write: at most {limit} are allowed (--batch-points), split it")]
    TooLarge {
        /// Points in the write.
        points: usize,
        /// `Options::batch_points`.
        limit: usize,
    },
    /// An idempotency key that is empty, too long or holds other than visible ASCII.
    #[error("an idempotency key has 1 to {MAX_KEY_BYTES} visible ASCII characters")]
    Key,
    /// As many idempotency keys as may be remembered are.
    #[error("{limit} idempotency keys are remembered, the limit (--max-keys): write without a key or later")]
    KeyLimit {
        /// `Options::max_keys`.
        limit: usize,
    },
    /// Points cannot be moved from memory into chunks (the disk may be full), and memory holds as many as it may.
    /// A later attempt can succeed: the store tries again with every write.
    #[error(
        "{points} points in memory wait to be moved into chunks, the limit (three times --head-points): try again in a moment, the log tells why"
    )]
    Backlog {
        /// Points in memory.
        points: usize,
    },
    /// A series with more labels than are allowed.
    #[error("a series of \"{name}\" has {labels} labels: at most {limit} are allowed (--max-labels)")]
    TooManyLabels {
        /// Its metric.
        name: String,
        /// Its labels.
        labels: usize,
        /// `Options::max_labels`.
        limit: usize,
    },
    /// The write-ahead log cannot be moved into the file, for somebody reads for long, and is as long as it may be. A
    /// later attempt can succeed.
    #[error(
        "the write-ahead log has {wal_bytes} bytes, more than four times its limit of {limit_bytes} (--wal-limit): somebody reads for long, try again in a moment"
    )]
    LogFull {
        /// Its length.
        wal_bytes: u64,
        /// `Options::wal_limit_bytes`.
        limit_bytes: u64,
    },
    /// The disk is nearly full. A later attempt succeeds as soon as there is room.
    #[error(transparent)]
    DiskFull(#[from] DiskFull),
    /// The disk was full when the write came to it: nothing of it is stored. A later attempt succeeds as soon as there
    /// is room.
    #[error("there is no room for the write: nothing of it is stored, make room, and writes go on by themselves")]
    NoRoom(#[source] StoreError),
    /// The engine was closed.
    #[error("the store is closed")]
    Closed,
    /// The store failed. Whether the points of the write that met the failure are stored is unknown until the
    /// store is opened again; later writes are refused unseen.
    #[error("the store failed and takes no more writes: {0}")]
    Store(StoreError),
}
