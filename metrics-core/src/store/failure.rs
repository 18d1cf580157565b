//! Why a store takes no more writes: set once, seen by all, and told to whoever waits for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_channel::oneshot;
use parking_lot::Mutex;

use super::error::StoreError;

/// Whether the store has failed for good.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<StoreError>,
    waiting: Vec<oneshot::Sender<StoreError>>,
}

impl Failure {
    /// Ends the taking of writes; the first reason stays.
    pub(crate) fn set(&self, reason: &StoreError) {
        let waiting = {
            let mut state = self.state.lock();
            state.reason.get_or_insert_with(|| reason.clone());
            std::mem::take(&mut state.waiting)
        };
        for waiting in waiting {
            // Whoever dropped it does not want to know.
            let _ = waiting.send(reason.clone());
        }
    }

    /// Looks at an error of the store: one after which nobody knows what is in the file ends the taking of writes.
    pub(crate) fn consider(&self, error: &StoreError) {
        if error.leaves_the_log_unknown() {
            if self.get().is_none() {
                tracing::error!(%error, "the store failed: it takes no more writes until it is opened again");
            }
            self.set(error);
        }
    }

    /// The reason, where there is one.
    pub(crate) fn get(&self) -> Option<StoreError> {
        self.state.lock().reason.clone()
    }

    /// Resolves when there is one.
    pub(crate) fn wait(&self) -> Failed {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        match state.reason.clone() {
            // Just made: somebody receives.
            Some(reason) => drop(sender.send(reason)),
            None => {
                state.waiting.retain(|waiting| !waiting.is_canceled());
                state.waiting.push(sender);
            }
        }
        Failed(receiver)
    }
}

/// Resolves with the reason when a store fails for good, or with none when it is gone before that; see
/// [`Engine::failed`](crate::Engine::failed).
#[derive(Debug)]
#[must_use = "it does nothing unless it is awaited"]
pub struct Failed(oneshot::Receiver<StoreError>);

impl Future for Failed {
    type Output = Option<StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    fn text(error: Option<StoreError>) -> Option<String> {
        error.map(|error| error.to_string())
    }

    #[test]
    fn whoever_waits_is_told_the_first_reason_before_and_after() {
        let failure = Failure::default();
        let before = failure.wait();
        drop(failure.wait());
        failure.set(&StoreError::new("one", "x"));
        failure.set(&StoreError::new("two", "x"));
        for told in [block_on(before), failure.get(), block_on(failure.wait())] {
            assert_eq!(text(told).as_deref(), Some("one: x"));
        }
    }

    #[test]
    fn only_what_leaves_the_log_unknown_counts() {
        let failure = Failure::default();
        failure.consider(&StoreError::new("cannot read", "IO Error: Input/output error"));
        assert!(failure.get().is_none());
        let waiting = failure.wait();
        failure.consider(&StoreError::new("cannot checkpoint", "FATAL Error: no"));
        assert_eq!(text(block_on(waiting)).as_deref(), Some("cannot checkpoint: FATAL Error: no"));
        let never = Failure::default().wait();
        assert!(block_on(never).is_none(), "the store is gone");
    }
}
