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

/// Time after which a checkpoint that a query held up is tried again: queries that began since then hold up none.
const CHECKPOINT_RETRY: Duration = Duration::from_secs(1);
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
    pub(crate) fn wait_for_flush(&self, store: &Store) {
        if store.snapshot().sealed.is_none() {
            return;
        }
        let failed = store.failed_flushes();
        // A round under way moves them too, between one chunk and the next: its end may be far.
        self.ask(|state| {
            state.tasks.push_back(Box::new(|store, connection| {
                if let Err(error) = store.flush_sealed(connection) {
                    store.failure.consider(&error);
                    tracing::error!(%error, "points could not be moved into chunks");
                }
            }));
        });
        store.wait_for_flush(failed, || self.state.lock().stop);
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
            } else {
                let owed = store.owes_checkpoint();
                let longest = match (owed, store.options.retention.is_empty()) {
                    (true, _) => CHECKPOINT_RETRY,
                    (false, false) => RETENTION_INTERVAL,
                    (false, true) => {
                        self.asked.wait(&mut state);
                        continue;
                    }
                };
                if self.asked.wait_for(&mut state, longest).timed_out() {
                    state.round = true;
                    state.checkpoint |= owed;
                }
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
        let stopped = || self.state.lock().stop;
        store.retain(connection, stopped)?;
        while !stopped() && store.merge_once(connection)? {}
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::model::{MetricName, SeriesKey};
    use crate::store::{Commit, Options, Row, SeriesId};

    /// Commits points and seals what was there before.
    fn commit_and_seal(store: &Store, connection: &Connection, at: i64) {
        let series = SeriesId::new(0, 0);
        let key = SeriesKey { name: MetricName::new("load").expect("a name"), labels: Default::default() };
        let rows = (0..10).map(|i| Row { series, at: at + i, value: 1.0 }).collect();
        let new = if at == 0 { vec![(series, key)] } else { Vec::new() };
        store.commit(connection, Commit { series: new, rows, ..Commit::default() }, at > 0).expect("commits");
    }

    /// A store with a sealed memtable of ten points.
    fn sealed_store() -> (tempfile::TempDir, Store, Connection) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, _) = Store::open(&folder.path().join("m.duckdb"), Options::default()).expect("opens");
        let connection = store.database.connect().expect("connects");
        commit_and_seal(&store, &connection, 0);
        commit_and_seal(&store, &connection, 100);
        (folder, store, connection)
    }

    #[test]
    fn a_writer_waits_for_its_points_to_be_in_chunks_and_not_for_all_that_the_thread_does() {
        let (_folder, store, connection) = sealed_store();
        let maintenance = Maintenance::default();
        std::thread::scope(|scope| {
            let (sender, waited) = channel();
            scope.spawn({
                let (maintenance, store) = (&maintenance, &store);
                move || {
                    maintenance.wait_for_flush(store);
                    sender.send(()).expect("is waited for");
                }
            });
            while maintenance.state.lock().tasks.is_empty() {
                std::thread::yield_now();
            }
            // Nobody runs the tasks: it is as in the middle of a long round, which moves sealed points on its way.
            store.flush_sealed(&connection).expect("moves them");
            let ended = waited.recv_timeout(Duration::from_secs(30));
            maintenance.stop();
            ended.expect("it waits no longer");
        });
    }

    #[test]
    fn points_that_are_sealed_while_chunks_are_written_anew_follow_after_the_first_of_them() {
        let (_folder, store, connection) = sealed_store();
        store.flush_sealed(&connection).expect("moves them");
        commit_and_seal(&store, &connection, 200);
        let chunk = Arc::clone(&store.snapshot().chunks[0]);
        store.rebuild(&connection, &chunk).expect("writes it anew");
        assert!(store.snapshot().sealed.is_none());
        assert_eq!(store.snapshot().chunks.iter().map(|chunk| chunk.points).sum::<u64>(), 20);
    }
}
