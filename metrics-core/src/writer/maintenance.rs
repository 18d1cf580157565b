//! The thread that keeps the store tidy: moves sealed points into chunks, merges chunks, checkpoints.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::store::{Store, StoreError};

#[derive(Debug, Default)]
struct State {
    /// Rounds asked for and finished: a round that began after a request serves it.
    asked: u64,
    finished: u64,
    /// How the last round ended.
    outcome: Option<Result<(), StoreError>>,
    checkpoint: bool,
    expire_before: Option<i64>,
    stop: bool,
}

/// What is asked of the thread, and how far it is.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    state: Mutex<State>,
    asked: Condvar,
    finished: Condvar,
}

impl Maintenance {
    /// Asks for a round.
    pub(crate) fn wake(&self) {
        self.state.lock().asked += 1;
        self.asked.notify_all();
    }

    /// Asks for a checkpoint in the next round.
    pub(crate) fn ask_for_checkpoint(&self) {
        self.state.lock().checkpoint = true;
        self.wake();
    }

    /// Asks to delete idempotency keys from before an instant.
    pub(crate) fn expire_keys(&self, before: i64) {
        self.state.lock().expire_before = Some(before);
        self.wake();
    }

    /// Asks for a round and waits until one that began after that is finished.
    pub(crate) fn run_and_wait(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.asked += 1;
        let ticket = state.asked;
        self.asked.notify_all();
        while state.finished < ticket {
            if state.stop {
                return Err(StoreError::new("maintenance", "the store is closed"));
            }
            self.finished.wait(&mut state);
        }
        state.outcome.clone().unwrap_or(Ok(()))
    }

    /// Waits until the sealed memtable is in chunks, or a round failed to get it there.
    pub(crate) fn wait_for_flush(&self, store: &Store) {
        if store.snapshot().sealed.is_some()
            && let Err(error) = self.run_and_wait()
        {
            tracing::error!(%error, "points could not be moved into chunks");
        }
    }

    /// Lets the thread end after the round that it is in.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.asked.notify_all();
        self.finished.notify_all();
    }

    /// Runs until stopped.
    pub(crate) fn run(self: Arc<Self>, store: &Store) -> Result<(), StoreError> {
        let connection = store.database.connect()?;
        let mut state = self.state.lock();
        loop {
            while !state.stop && state.asked == state.finished {
                self.asked.wait(&mut state);
            }
            if state.stop {
                return Ok(());
            }
            let round = state.asked;
            let checkpoint = std::mem::take(&mut state.checkpoint);
            let expire_before = state.expire_before.take();
            drop(state);
            let outcome = self.round(store, &connection, checkpoint, expire_before);
            if let Err(error) = &outcome {
                tracing::error!(%error, "maintenance failed; the next round tries again");
            }
            state = self.state.lock();
            state.finished = round;
            state.outcome = Some(outcome);
            self.finished.notify_all();
        }
    }

    fn round(
        &self,
        store: &Store,
        connection: &crate::store::Connection,
        checkpoint: bool,
        expire_before: Option<i64>,
    ) -> Result<(), StoreError> {
        store.flush_sealed(connection)?;
        if let Some(before) = expire_before {
            store.expire_keys(connection, before)?;
        }
        if checkpoint {
            store.checkpoint(connection)?;
        }
        while !self.state.lock().stop && store.merge_once(connection)? {
            store.flush_sealed(connection)?;
        }
        Ok(())
    }
}
