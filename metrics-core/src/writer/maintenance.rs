//! The thread that keeps the store tidy: moves sealed points into chunks, merges chunks, checkpoints.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::store::{Connection, Store, StoreError};

/// Work for the thread that one caller waits for.
type Task = Box<dyn FnOnce(&Store, &Connection) + Send>;

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    round: bool,
    checkpoint: bool,
    expire_before: Option<i64>,
    stop: bool,
}

/// What is asked of the thread.
#[derive(Default)]
pub(crate) struct Maintenance {
    state: Mutex<State>,
    asked: Condvar,
}

/// Time between looks at what retention no longer keeps.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);

impl Maintenance {
    /// Asks for a round.
    pub(crate) fn wake(&self) {
        self.ask(|state| state.round = true);
    }

    /// Asks for a checkpoint in the next round.
    pub(crate) fn ask_for_checkpoint(&self) {
        self.ask(|state| (state.round, state.checkpoint) = (true, true));
    }

    /// Asks to delete idempotency keys from before an instant.
    pub(crate) fn expire_keys(&self, before: i64) {
        self.ask(|state| (state.round, state.expire_before) = (true, Some(before)));
    }

    fn ask(&self, ask: impl FnOnce(&mut State)) {
        ask(&mut self.state.lock());
        self.asked.notify_all();
    }

    /// Runs work on the thread, which moves no points meanwhile, and waits for it.
    pub(crate) fn run_task<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        {
            let mut state = self.state.lock();
            if state.stop {
                return Err(stopped());
            }
            state.tasks.push_back(Box::new(move |store, connection| {
                let result = work(store, connection);
                if let Err(error) = &result {
                    store.failure.consider(error);
                }
                // A caller that is gone does not want the answer.
                let _ = sender.send(result);
            }));
        }
        self.asked.notify_all();
        receiver.recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// Asks for a round and waits until it is finished.
    pub(crate) fn run_and_wait(self: &Arc<Self>) -> Result<(), StoreError> {
        let this = Arc::clone(self);
        self.run_task(move |store, connection| this.tidy(store, connection, Asked::default()))
    }

    /// Waits until the sealed memtable is in chunks, or was tried to be moved there.
    pub(crate) fn wait_for_flush(self: &Arc<Self>, store: &Store) {
        if store.snapshot().sealed.is_some()
            && let Err(error) = self.run_task(|store, connection| store.flush_sealed(connection))
        {
            tracing::error!(%error, "points could not be moved into chunks");
        }
    }

    /// Lets the thread end after what it is doing; tasks that wait are refused.
    pub(crate) fn stop(&self) {
        self.ask(|state| {
            state.stop = true;
            state.tasks.clear();
        });
    }

    /// Runs until stopped.
    pub(crate) fn run(self: Arc<Self>, store: &Store) -> Result<(), StoreError> {
        let connection = store.database.connect()?;
        let mut state = self.state.lock();
        loop {
            if state.stop {
                return Ok(());
            }
            if let Some(task) = state.tasks.pop_front() {
                drop(state);
                task(store, &connection);
                state = self.state.lock();
            } else if std::mem::take(&mut state.round) {
                let asked = Asked {
                    checkpoint: std::mem::take(&mut state.checkpoint),
                    expire_before: state.expire_before.take(),
                };
                drop(state);
                if let Err(error) = self.tidy(store, &connection, asked) {
                    store.failure.consider(&error);
                    tracing::error!(%error, "maintenance failed; the next round tries again");
                }
                state = self.state.lock();
            } else if store.options.retention.is_empty() {
                self.asked.wait(&mut state);
            } else if self.asked.wait_for(&mut state, RETENTION_INTERVAL).timed_out() {
                state.round = true;
            }
        }
    }

    fn tidy(&self, store: &Store, connection: &Connection, asked: Asked) -> Result<(), StoreError> {
        store.flush_sealed(connection)?;
        if let Some(before) = asked.expire_before {
            store.expire_keys(connection, before)?;
        }
        if asked.checkpoint {
            store.checkpoint(connection)?;
        }
        store.retain(connection)?;
        while !self.state.lock().stop && store.merge_once(connection)? {
            store.flush_sealed(connection)?;
        }
        Ok(())
    }
}

/// What a round does besides moving points.
#[derive(Default)]
struct Asked {
    checkpoint: bool,
    expire_before: Option<i64>,
}

fn stopped() -> StoreError {
    StoreError::new("maintenance", "the store is closed")
}

impl std::fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maintenance").finish_non_exhaustive()
    }
}
