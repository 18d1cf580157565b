//! The blocking writer.

use std::sync::Arc;
use std::time::Duration;

use metrics_core::{Batch, Point};

use super::runtime::Thread;
use crate::{Counters, Report, WriterError};

/// The blocking form of [`metrics_sdk::Writer`](crate::Writer). Clones are cheap and share the buffer.
///
/// When the last clone is dropped without [`Self::close`], it closes the writer and waits for that, at most
/// [`Self::DROP_WAIT`].
#[derive(Debug, Clone)]
pub struct Writer {
    owned: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    writer: crate::Writer,
    thread: Thread,
}

impl Writer {
    /// How long a writer that is dropped waits for what is left to be delivered or spilled.
    pub const DROP_WAIT: Duration = Duration::from_secs(5);

    pub(super) fn of(writer: crate::Writer, thread: Thread) -> Self {
        Self { owned: Arc::new(Owned { writer, thread }) }
    }

    /// Hands over a point. Waits for room where the policy is to wait, and for the disk where the spill is durable.
    ///
    /// # Errors
    /// As [`Writer::push`](crate::Writer::push).
    pub fn push(&self, point: Point) -> Result<(), WriterError> {
        let Owned { writer, thread } = &*self.owned;
        if !writer.may_wait() && writer.try_push(point.clone()).is_ok() {
            return Ok(());
        }
        let writer = writer.clone();
        thread.run(async move { writer.push(point).await })
    }

    /// Hands over points; as [`Self::push`].
    ///
    /// # Errors
    /// As [`Writer::push_batch`](crate::Writer::push_batch).
    pub fn push_batch(&self, batch: Batch) -> Result<(), WriterError> {
        let writer = self.owned.writer.clone();
        self.owned.thread.run(async move { writer.push_batch(batch).await })
    }

    /// Hands over a point without waiting for anything.
    ///
    /// # Errors
    /// As [`Writer::try_push`](crate::Writer::try_push).
    pub fn try_push(&self, point: Point) -> Result<(), WriterError> {
        self.owned.writer.try_push(point)
    }

    /// Hands over points without waiting for anything; all of them, or none.
    ///
    /// # Errors
    /// As [`Writer::try_push_batch`](crate::Writer::try_push_batch).
    pub fn try_push_batch(&self, batch: Batch) -> Result<(), WriterError> {
        self.owned.writer.try_push_batch(batch)
    }

    /// As [`Writer::flush`](crate::Writer::flush).
    pub fn flush(&self) -> Report {
        let writer = self.owned.writer.clone();
        self.owned.thread.run(async move { writer.flush().await })
    }

    /// As [`Writer::close`](crate::Writer::close).
    pub fn close(&self) -> Report {
        let writer = self.owned.writer.clone();
        self.owned.thread.run(async move { writer.close().await })
    }

    /// The figures as they are now.
    pub fn counters(&self) -> Counters {
        self.owned.writer.counters()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let writer = self.writer.clone();
        self.thread.run(async move {
            // What is left after this is lost with the thread, or on the disk.
            let _ = tokio::time::timeout(Writer::DROP_WAIT, writer.close()).await;
        });
    }
}
