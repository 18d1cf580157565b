//! Waiting for a change on a thread that may block, for a bounded time.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::{Change, Watch};

/// Nothing that a [`Watch`] is about changed in the time that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing changed within {0:?}")]
pub struct WatchTimeout(pub(super) Duration);

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Watch {
    /// As [`Watch::wait`], for so long at most; a time of zero only looks. A watch that timed out goes on as before.
    ///
    /// In async code, put the runtime's own timeout around [`Watch::changed`].
    ///
    /// # Errors
    /// [`WatchTimeout`] when nothing changed meanwhile.
    ///
    /// ```
    /// # use metrics_core::{Engine, MetricName};
    /// # let folder = tempfile::tempdir()?;
    /// # let engine = Engine::open(folder.path().join("metrics.duckdb"))?;
    /// use std::time::Duration;
    /// let mut watch = engine.watch([MetricName::new("load")?], None);
    /// assert!(watch.wait_timeout(Duration::from_millis(10)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Change>, WatchTimeout> {
        // Without an end, if the clock does not reach that far.
        let end = Instant::now().checked_add(timeout);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(change) = self.poll(&mut Context::from_waker(&waker)) {
                return Ok(change);
            }
            match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(WatchTimeout(timeout)),
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }
}
