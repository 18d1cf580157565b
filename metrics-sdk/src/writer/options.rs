//! A writer's settings.

use std::time::Duration;

use super::buffer::{Limits, Size};
use super::error::WriterError;
use super::handle::Writer;
use crate::{Client, Retry, Spill};

/// What happens to a point that finds the buffer full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// Its sender waits for room. Nothing is lost, and a program that makes points faster than the server takes them
    /// is slowed down.
    #[default]
    Wait,
    /// The oldest batches make room and are counted as dropped. The program is never slowed down.
    DropOldest,
    /// It is refused with [`WriterError::Full`], and its sender decides.
    Error,
}

/// Settings of a [`Writer`]; made by [`Client::writer`](crate::Client::writer).
///
/// ```no_run
/// # async fn run(client: metrics_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use metrics_sdk::{Spill, WhenFull};
///
/// let writer = client
///     .writer()
///     .max_points(2_000)
///     .max_age(Duration::from_millis(500))
///     .when_full(WhenFull::DropOldest)
///     .spill(Spill::in_folder("/var/lib/agent/spill"))
///     .start()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until start is called"]
pub struct WriterBuilder {
    pub(super) client: Client,
    pub(super) limits: Limits,
    pub(super) retry: Retry,
    pub(super) give_up_after: Duration,
    pub(super) spill: Option<Spill>,
}

impl WriterBuilder {
    /// Most points of a batch where nothing else is asked for.
    pub const DEFAULT_MAX_POINTS: usize = 5_000;
    /// Most bytes of a batch where nothing else is asked for: 1 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 1 << 20;
    /// Longest that a point waits for its batch to fill where nothing else is asked for.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(1);
    /// Most points in memory where nothing else is asked for.
    pub const DEFAULT_BUFFER_POINTS: usize = 200_000;
    /// Most bytes of points in memory where nothing else is asked for: 32 MiB.
    pub const DEFAULT_BUFFER_BYTES: usize = 32 << 20;
    /// How long a server may be away before points are dropped, without a spill, where nothing else is asked for.
    pub const DEFAULT_GIVE_UP_AFTER: Duration = Duration::from_secs(60);
    /// Longest [`Self::give_up_after`].
    pub const MAX_GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
    /// The buffer holds at least so many full batches: those under way, one that fills, and one to come.
    pub const MIN_BATCHES: usize = 4;

    pub(crate) fn new(client: Client) -> Self {
        let batch = Size { points: Self::DEFAULT_MAX_POINTS, bytes: Self::DEFAULT_MAX_BYTES };
        let buffer = Size { points: Self::DEFAULT_BUFFER_POINTS, bytes: Self::DEFAULT_BUFFER_BYTES };
        let limits =
            Limits { batch, buffer, max_age: Self::DEFAULT_MAX_AGE, when_full: WhenFull::default(), spill: None };
        let give_up_after = Self::DEFAULT_GIVE_UP_AFTER;
        Self { client, limits, retry: Retry::default(), give_up_after, spill: None }
    }

    /// Most points of a batch, 1 to 100,000. Default [`Self::DEFAULT_MAX_POINTS`].
    pub fn max_points(mut self, points: usize) -> Self {
        self.limits.batch.points = points;
        self
    }

    /// Most bytes of a batch before compression, 64 KiB to 8 MiB; counted as JSON, estimated.
    /// Default [`Self::DEFAULT_MAX_BYTES`].
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.limits.batch.bytes = bytes;
        self
    }

    /// Longest that a point waits for its batch to fill. Default [`Self::DEFAULT_MAX_AGE`].
    pub fn max_age(mut self, age: Duration) -> Self {
        self.limits.max_age = age;
        self
    }

    /// Most points in memory, those that are being sent included; at least [`Self::MIN_BATCHES`] batches.
    /// Default [`Self::DEFAULT_BUFFER_POINTS`].
    pub fn buffer_points(mut self, points: usize) -> Self {
        self.limits.buffer.points = points;
        self
    }

    /// Most bytes of points in memory, counted as for [`Self::max_bytes`]; at least [`Self::MIN_BATCHES`] batches.
    /// Default [`Self::DEFAULT_BUFFER_BYTES`].
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.limits.buffer.bytes = bytes;
        self
    }

    /// What happens to a point that finds the buffer full. Default [`WhenFull::Wait`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.limits.when_full = when_full;
        self
    }

    /// The waits between attempts; how many there are, [`Self::give_up_after`] decides, not [`Retry::attempts`].
    /// Default [`Retry::default`].
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Without a spill: how long the server may be away before the points that wait for it are dropped, and how long
    /// [`Writer::close`] tries. Default [`Self::DEFAULT_GIVE_UP_AFTER`], at most [`Self::MAX_GIVE_UP_AFTER`]. With a
    /// spill it is without effect: batches on the disk are tried until the server takes them.
    pub fn give_up_after(mut self, after: Duration) -> Self {
        self.give_up_after = after.min(Self::MAX_GIVE_UP_AFTER);
        self
    }

    /// Puts batches on the disk while the server is away. Default: none.
    pub fn spill(mut self, spill: Spill) -> Self {
        self.spill = Some(spill);
        self
    }

    /// Starts the writer on the tokio runtime that this is called in; what an earlier writer left in the spill folder
    /// is sent first.
    ///
    /// # Errors
    /// [`WriterError::Setting`], [`WriterError::NoRuntime`], or [`WriterError::Spill`] when the folder cannot be used.
    pub fn start(self) -> Result<Writer, WriterError> {
        self.check()?;
        Writer::start(self)
    }

    fn check(&self) -> Result<(), WriterError> {
        let Limits { batch, buffer, .. } = &self.limits;
        let wrong = |setting, value: usize, least: usize, most: usize| {
            Err(WriterError::Setting { setting, value, least, most })
        };
        let least = |batch: usize| batch.saturating_mul(Self::MIN_BATCHES);
        if !(1..=100_000).contains(&batch.points) {
            return wrong("max_points", batch.points, 1, 100_000);
        }
        if !(64 << 10..=8 << 20).contains(&batch.bytes) {
            return wrong("max_bytes", batch.bytes, 64 << 10, 8 << 20);
        }
        if buffer.points < least(batch.points) {
            return wrong("buffer_points", buffer.points, least(batch.points), usize::MAX);
        }
        if buffer.bytes < least(batch.bytes) {
            return wrong("buffer_bytes", buffer.bytes, least(batch.bytes), usize::MAX);
        }
        Ok(())
    }
}
