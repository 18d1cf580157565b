//! Waiting until sealed points are in chunks.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Longest time between two looks of who waits.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Tells who waits for room that there may be some.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// Tries that failed so far.
    failed: Mutex<u64>,
    tried: Condvar,
}

impl Flushes {
    /// Sealed points were moved into chunks, or could not be.
    pub(super) fn note(&self, moved: bool) {
        *self.failed.lock() += u64::from(!moved);
        self.tried.notify_all();
    }

    /// Waits until this holds, or a try has failed.
    pub(super) fn wait(&self, until: impl Fn() -> bool) {
        let mut failed = self.failed.lock();
        let before = *failed;
        while !until() && *failed == before {
            self.tried.wait_for(&mut failed, LOOK_INTERVAL);
        }
    }
}
