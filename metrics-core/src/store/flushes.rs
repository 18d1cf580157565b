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

    /// Tries that failed so far.
    pub(super) fn failed(&self) -> u64 {
        *self.failed.lock()
    }

    /// Waits until this holds, or more tries have failed than had `before`: who asks for a try takes that number first, for
    /// the try may have ended when the wait begins.
    pub(super) fn wait(&self, before: u64, until: impl Fn() -> bool) {
        let mut failed = self.failed.lock();
        while !until() && *failed == before {
            self.tried.wait_for(&mut failed, LOOK_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_that_failed_before_the_wait_began_is_not_waited_for() {
        let flushes = Flushes::default();
        let before = flushes.failed();
        flushes.note(false);
        flushes.wait(before, || false);
        assert_eq!(flushes.failed(), before + 1);
    }
}
