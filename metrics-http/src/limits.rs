//! What requests share: memory for bodies and threads for work that blocks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::respond::Failure;

/// Unit in which memory is granted, in bytes.
const GRANT_BYTES: usize = 16 << 10;

/// Memory for the bodies of all requests together.
pub(crate) struct Memory {
    free: Arc<Semaphore>,
    units: usize,
}

/// The share of [`Memory`] that one request holds until it is dropped.
pub(crate) struct Grant {
    memory: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

/// There is no more [`Memory`] at the moment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bodies of other requests take all memory that is set apart for them (--body-memory): try again in a moment"
)]
pub(crate) struct Exhausted;

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(GRANT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    /// What all grants hold together.
    pub(crate) fn held_bytes(&self) -> usize {
        (self.units - self.free.available_permits()) * GRANT_BYTES
    }

    /// A share of nothing yet.
    pub(crate) fn grant(&self) -> Grant {
        Grant { memory: Arc::clone(&self.free), held: None }
    }
}

impl Grant {
    /// Makes the share at least so large.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(GRANT_BYTES).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| Exhausted)?;
        let more = Arc::clone(&self.memory).try_acquire_many_owned(missing).map_err(|_| Exhausted)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

/// Threads for work that blocks or computes for long, so many at a time.
pub(crate) struct Workers {
    slots: Arc<Semaphore>,
    wait: Duration,
    /// The option that bounds them.
    option: &'static str,
}

impl Workers {
    pub(crate) fn new(slots: usize, wait: Duration, option: &'static str) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots.clamp(1, Semaphore::MAX_PERMITS))), wait, option }
    }

    /// Runs work on a thread of its own, after a bounded wait for a slot. The slot is held until the work ends,
    /// also when the client is gone by then.
    ///
    /// # Errors
    /// 503 when no slot became free in time, 500 when the work panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let slot = match tokio::time::timeout(self.wait, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(slot) => slot.expect("the semaphore is never closed"),
            Err(_) => {
                let option = self.option;
                let message = format!("too many requests wait for the store ({option}): try again in a moment");
                return Err(Failure::overloaded(message));
            }
        };
        let job = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        job.await.map_err(|error| {
            tracing::error!(%error, "work for a request failed");
            Failure::internal()
        })
    }
}

/// The soft limit of open files of this process, where the system tells it.
pub(crate) fn open_files_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_granted_once_and_comes_back() {
        let memory = Memory::new(4 * GRANT_BYTES);
        let mut first = memory.grant();
        assert_eq!(first.cover(3 * GRANT_BYTES - 1), Ok(()));
        assert_eq!(first.cover(GRANT_BYTES), Ok(()), "what is held already is enough");
        let mut second = memory.grant();
        assert_eq!(second.cover(2 * GRANT_BYTES), Err(Exhausted));
        assert_eq!(second.cover(GRANT_BYTES), Ok(()));
        assert_eq!(memory.held_bytes(), 4 * GRANT_BYTES);
        drop(first);
        assert_eq!(memory.held_bytes(), GRANT_BYTES);
        assert_eq!(second.cover(4 * GRANT_BYTES), Ok(()));
    }

    #[tokio::test]
    async fn work_beyond_the_slots_is_refused_after_its_wait() {
        let workers = Workers::new(1, Duration::from_millis(10), "--max-queries");
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let first = workers.run(move || {
            started.send(()).expect("the test listens");
            blocked.recv()
        });
        let second = async {
            running.await.expect("the first job runs");
            let refused = workers.run(|| ()).await;
            release.send(()).expect("the first job listens");
            refused
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first.map(|received| received.is_ok()).map_err(|failure| failure.status()), Ok(true));
        assert_eq!(second.map_err(|failure| failure.status()), Err(hyper::StatusCode::SERVICE_UNAVAILABLE));
    }
}
