//! What can go wrong on the way into a writer.

use crate::SpillError;

/// Why a writer did not start, or did not take points.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// The buffer has no room; nothing of the call was taken.
    #[error("the writer's buffer is full ({points} points wait for the server): try again later, or allow more")]
    Full {
        /// Points that wait.
        points: usize,
    },
    /// The writer was closed.
    #[error("the writer is closed")]
    Closed,
    /// NaN or an infinity, which the server does not take; nothing of the call was taken.
    #[error("point {index} has the value {value}: a finite number is required")]
    NotFinite {
        /// Its place in the batch, from 0.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// The points are taken and will be sent, but they could not be put on the disk as a durable spill promises.
    #[error("the points are in memory, not on the disk: {0}")]
    NotSynced(#[source] SpillError),
    /// The spill folder cannot be used.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// A setting outside its range.
    #[error("{setting} is {value}: {least} to {most} is required")]
    Setting {
        /// The builder's method.
        setting: &'static str,
        /// What was given.
        value: usize,
        /// The least that works.
        least: usize,
        /// The most.
        most: usize,
    },
    /// The call was not made in a tokio runtime.
    #[error("a writer needs a tokio runtime to be started in; without one, use metrics_sdk::blocking")]
    NoRuntime,
}
