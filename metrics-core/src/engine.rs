//! The engine: what other programs hold of a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::{Mutex, RwLock};

use crate::encode::table::SqlAnswer;
use crate::export::{self, ExportError, ExportRequest};
use crate::model::{Batch, Frame, LabelFilter, MetricName, QueryRequest, SeriesInfo, Timestamp};
use crate::promql::{self, PromqlError};
use crate::query::{self, QueryError};
use crate::store::{CheckReport, Doomed, Failed, Failure, OpenError, Options, SqlError, SqlLimits, Store, StoreError};
use crate::watch::{Changes, Spans, Watch, WatchPosition};
use crate::writer::{
    COMMIT_BUCKETS_US, CommitFigures, Committer, IdempotencyKey, Job, Maintenance, Queue, WriteError, WriteJob,
    WriteTicket,
};

/// An open store. Clones are cheap and share it; all may be used from any thread, in sync and async code.
///
/// The last clone to go closes the store as [`Engine::close`] does.
///
/// In asynchronous code, of whatever runtime: `engine.try_write(points)?.await?`, for a [`WriteTicket`] is a future and
/// `try_write` never waits; what is told to block below belongs where blocking is allowed, such as tokio's
/// `spawn_blocking(move || engine.query(&request))`, for which a clone of the engine costs nothing.
///
/// ```
/// use metrics_core::{Aggregate, Engine, Per, Point, QueryRequest, Resolution, Timestamp};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("metrics.duckdb");
/// let engine = Engine::open(path)?;
/// let noon = Timestamp::parse("2024-02-02T12:00:00Z")?;
/// engine.write(Point::new("temperature", noon, 20.0)?)?.wait()?;
/// engine.write(Point::new("temperature", noon, 22.0)?)?.wait()?;
///
/// let mut request = QueryRequest::new(["temperature"], noon, noon.saturating_add_micros(1))?;
/// request.per = Per::Every(Resolution::Hour);
/// let frame = engine.query(&request)?;
/// assert_eq!(frame.series[0].column(Aggregate::Avg), Some(&[Some(21.0)][..]));
/// engine.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    maintenance: Arc<Maintenance>,
    figures: Arc<CommitFigures>,
    failure: Arc<Failure>,
    changes: Arc<Changes>,
    limits: Limits,
    path: PathBuf,
    /// None once closed. A query holds it for reading, so that closing waits for the queries that run.
    store: export::Stores,
    threads: Mutex<Vec<JoinHandle<Result<(), StoreError>>>>,
}

#[derive(Debug)]
struct Limits {
    batch_points: usize,
    queue_points: usize,
}

/// Figures of a store and of what was done with it since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Points in the store.
    pub points: u64,
    /// Series in the store.
    pub series: u64,
    /// Metrics in the store.
    pub metrics: u64,
    /// Chunks that points were moved into.
    pub chunks: u64,
    /// Points in memory, not in a chunk yet; all of them are on disk too.
    pub memory_points: u64,
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Bytes of rows kept in memory because they were read before, at most [`Options::read_cache_bytes`].
    pub read_cache_bytes: u64,
    /// Bytes that are free on the disk of the file; none where the system does not tell.
    pub disk_free_bytes: Option<u64>,
    /// Whether so little of it is free that writes are refused, as [`Options::min_free_disk_bytes`] says.
    pub disk_is_full: bool,
    /// Points that wait for their commit.
    pub queue_points: u64,
    /// Most that may wait, [`Options::queue_points`].
    pub queue_limit_points: u64,
    /// Commits since the store was opened.
    pub commits: u64,
    /// Microseconds spent in these commits.
    pub commit_us: u64,
    /// Points committed since the store was opened.
    pub committed_points: u64,
    /// Commits by how long they took: up to each of [`crate::COMMIT_BUCKETS_US`] and above the one before it; the last
    /// counts those that took longer.
    pub commit_buckets: [u64; COMMIT_BUCKETS_US.len() + 1],
    /// Points of [`Self::memory_points`] that are on their way into chunks.
    pub sealed_points: u64,
    /// Microseconds since these were sealed; 0 without any.
    pub sealed_age_us: u64,
}

impl Engine {
    /// Opens a store, creating it where there is none, with default [`Options`].
    ///
    /// # Errors
    /// [`OpenError`] when another process owns the file, or it is no store of this program or an earlier one.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Options::default())
    }

    /// Opens a store with options of one's own.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let (store, keys) = Store::open(path, options)?;
        let store = Arc::new(store);
        let queue = Arc::new(Queue::new(store.options.queue_points));
        let maintenance = Arc::new(Maintenance::default());
        let figures = Arc::new(CommitFigures::default());
        let changes = Arc::new(Changes::new(Timestamp::now()));
        let committer = Committer::new(
            Arc::clone(&store),
            Arc::clone(&queue),
            Arc::clone(&maintenance),
            Arc::clone(&figures),
            Arc::clone(&changes),
            keys,
        );
        let (tidy, tidied) = (Arc::clone(&maintenance), Arc::clone(&store));
        let spawn = |name: &str, run: Box<dyn FnOnce() -> Result<(), StoreError> + Send>| {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            thread.map_err(|error| OpenError::store(path)(StoreError::new("cannot start a thread", error)))
        };
        let failure = Arc::clone(&store.failure);
        let limits = Limits { batch_points: store.options.batch_points, queue_points: store.options.queue_points };
        let threads = vec![
            spawn("metrics-commit", Box::new(move || committer.run()))?,
            spawn("metrics-tidy", Box::new(move || tidy.run(&tidied)))?,
        ];
        let inner = Inner {
            queue,
            maintenance,
            figures,
            failure,
            changes,
            limits,
            path: path.to_owned(),
            store: RwLock::new(Some(store)),
            threads: Mutex::new(threads),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Hands points over, waiting for room in the queue. The ticket resolves when they are durable.
    ///
    /// # Errors
    /// [`WriteError::TooLarge`] or [`WriteError::Closed`]; what befalls the write later, the ticket tells.
    pub fn write(&self, batch: impl Into<Batch>) -> Result<WriteTicket, WriteError> {
        self.enqueue(batch.into(), None, true)
    }

    /// As [`Engine::write`], but refuses at once where the queue has no room: what a server wants.
    ///
    /// # Errors
    /// [`WriteError::QueueFull`], and as [`Engine::write`].
    pub fn try_write(&self, batch: impl Into<Batch>) -> Result<WriteTicket, WriteError> {
        self.enqueue(batch.into(), None, false)
    }

    /// As [`Engine::try_write`], under a key: a later write of the same key stores nothing and is answered as this one.
    ///
    /// # Errors
    /// As [`Engine::try_write`].
    pub fn try_write_keyed(&self, batch: impl Into<Batch>, key: IdempotencyKey) -> Result<WriteTicket, WriteError> {
        self.enqueue(batch.into(), Some(key), false)
    }

    fn enqueue(&self, batch: Batch, key: Option<IdempotencyKey>, wait: bool) -> Result<WriteTicket, WriteError> {
        let limit = self.inner.limits.batch_points;
        if batch.len() > limit {
            return Err(WriteError::TooLarge { points: batch.len(), limit });
        }
        let (reply, ticket) = WriteTicket::new();
        self.inner.queue.push(Job::Write(WriteJob { batch, key, reply }), wait)?;
        Ok(ticket)
    }

    /// Answers a query from everything that was written before it. Blocks while it reads.
    ///
    /// # Errors
    /// [`QueryError`] when a bound would be passed or the store fails.
    pub fn query(&self, request: &QueryRequest) -> Result<Frame, QueryError> {
        let store = self.inner.store.read();
        let answer = query::execute(store.as_ref().ok_or(QueryError::Closed)?, request);
        if let Err(QueryError::Store(error)) = &answer {
            self.inner.failure.consider(error);
        }
        answer
    }

    /// Tells when points of some metrics (known yet or not) come or go, from now on or after a place that an earlier
    /// watch of this opening of the store gave.
    ///
    /// ```
    /// use metrics_core::{Change, Engine, MetricName, Point, Timestamp};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("metrics.duckdb");
    /// let engine = Engine::open(path)?;
    /// let mut watch = engine.watch([MetricName::new("load")?], None);
    /// engine.write(Point::new("load", Timestamp::EPOCH, 0.5)?)?.wait()?;
    /// let Some(Change::Spans(spans)) = watch.wait() else { panic!("one point is a small change") };
    /// assert_eq!((spans.len(), spans[0].from), (1, Timestamp::EPOCH));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, names: impl IntoIterator<Item = MetricName>, after: Option<WatchPosition>) -> Watch {
        self.inner.changes.watch(names.into_iter().collect(), after)
    }

    /// Runs one read-only statement over `points` (timestamp, name, labels, value) and `series`, where the store was
    /// opened with [`Options::sql`]. Blocks until it ends or its time is up.
    ///
    /// # Errors
    /// [`SqlError`] when it is none that may run, passes a bound, or the store fails.
    pub fn sql(&self, statement: &str, limits: &SqlLimits) -> Result<SqlAnswer, SqlError> {
        // Not held while it runs: a statement that cannot be interrupted must not keep the store from closing.
        let store = self.inner.store.read().clone();
        let answer = store.ok_or(SqlError::Closed)?.sql(statement, limits);
        if let Err(SqlError::Store(error)) = &answer {
            self.inner.failure.consider(error);
        }
        answer
    }

    /// Answers a PromQL query from everything that was written before it. Blocks while it reads.
    ///
    /// # Errors
    /// [`PromqlError`] when the expression is none, a bound would be passed, or the store fails.
    pub fn promql(&self, query: &promql::Query) -> Result<promql::Answer, PromqlError> {
        let store = self.inner.store.read();
        let answer = promql::run(store.as_ref().ok_or(QueryError::Closed)?, query);
        if let Err(PromqlError::Read(QueryError::Store(error))) = &answer {
            self.inner.failure.consider(error);
        }
        answer
    }

    /// The series that any of some selectors takes and that have points in `[from, to]`, as far as their first and
    /// last point tell; ordered by name and labels. From memory; none once closed.
    pub fn select(&self, selectors: &[promql::Selector], from: Timestamp, to: Timestamp) -> Vec<SeriesInfo> {
        self.in_memory(|registry| promql::series(registry, selectors, from, to))
    }

    fn in_memory<T: Default>(&self, read: impl FnOnce(&crate::store::Registry) -> T) -> T {
        self.inner.store.read().as_ref().map(|store| read(&store.registry.read())).unwrap_or_default()
    }

    /// Names of the metrics that hold points, ascending. From memory; none once closed.
    pub fn metric_names(&self) -> Vec<MetricName> {
        self.in_memory(|registry| registry.metric_names())
    }

    /// The series of a metric (or of all) that pass every filter, ordered by name and labels. From memory.
    pub fn series(&self, name: Option<&str>, filters: &[LabelFilter]) -> Vec<SeriesInfo> {
        self.in_memory(|registry| registry.infos(name, filters))
    }

    /// Names of all labels, ascending. From memory.
    pub fn label_names(&self) -> Vec<String> {
        self.in_memory(|registry| registry.label_names())
    }

    /// Values of a label, ascending. From memory.
    pub fn label_values(&self, label: &str) -> Vec<String> {
        self.in_memory(|registry| registry.label_values(label))
    }

    /// Tells whether the store takes writes and answers reads, by a small read. Blocks for it.
    ///
    /// # Errors
    /// [`StoreError`] tells why it does not.
    pub fn health(&self) -> Result<(), StoreError> {
        if let Some(failure) = self.inner.failure.get() {
            return Err(StoreError::new("writes are refused", failure));
        }
        let store = self.inner.store.read();
        let answer = store.as_ref().ok_or_else(closed)?.probe();
        if let Err(error) = &answer {
            self.inner.failure.consider(error);
        }
        answer
    }

    /// Resolves with the reason when the store fails for good: from then on it takes no more writes, and most likely
    /// answers no queries, until it is opened again, which is best done by a new process. Resolves with none when the
    /// last clone is gone before that. (A full disk is no such failure: writes go on once there is room.)
    pub fn failed(&self) -> Failed {
        self.inner.failure.wait()
    }

    /// Figures of the store. From memory and the file's length.
    pub fn stats(&self) -> Stats {
        let store = self.inner.store.read();
        let Some(store) = store.as_ref() else { return Stats::default() };
        let figures = &self.inner.figures;
        let snapshot = store.snapshot();
        let (file_bytes, wal_bytes) = store.file_bytes();
        let registry = store.registry.read();
        let sealed_age_us = || {
            let sealed_at = *figures.sealed_at.lock();
            sealed_at.map_or(0, |at| u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX))
        };
        Stats {
            points: registry.points(),
            series: registry.len() as u64,
            metrics: registry.metric_count() as u64,
            chunks: snapshot.chunks.len() as u64,
            memory_points: snapshot.memtables().map(|memtable| memtable.len() as u64).sum(),
            file_bytes,
            wal_bytes,
            read_cache_bytes: store.read_cache_bytes(),
            disk_free_bytes: store.space.free_bytes(),
            disk_is_full: store.space.take(0, wal_bytes).is_err(),
            queue_points: self.inner.queue.len() as u64,
            queue_limit_points: self.inner.limits.queue_points as u64,
            commits: figures.commits.load(Ordering::Relaxed),
            commit_us: figures.commit_us.load(Ordering::Relaxed),
            committed_points: figures.points.load(Ordering::Relaxed),
            commit_buckets: std::array::from_fn(|at| figures.commit_buckets[at].load(Ordering::Relaxed)),
            sealed_points: snapshot.sealed.as_ref().map_or(0, |sealed| sealed.len() as u64),
            sealed_age_us: snapshot.sealed.as_ref().map_or(0, |_| sealed_age_us()),
        }
    }

    /// A number that changes whenever what is stored changes: two equal ones say that nothing was written or deleted
    /// in between. It may change for other reasons too.
    pub fn generation(&self) -> u64 {
        self.inner.store.read().as_ref().map_or(u64::MAX, |store| store.snapshot().generation)
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Moves all points written so far into chunks and merges what should be merged. The store does so by itself
    /// when `Options::head_points` are reached; after a bulk load it makes the file small at once. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or is closed.
    pub fn compact(&self) -> Result<(), StoreError> {
        let (reply, sealed) = WriteTicket::new();
        let failed = |error| StoreError::new("cannot compact", error);
        self.inner.queue.push(Job::Seal(reply), true).map_err(failed)?;
        sealed.wait().map_err(failed)?;
        self.inner.maintenance.run_and_wait()
    }

    /// Compares every rollup with the points that it sums up (where retention dropped these, with the finest rollup
    /// left), computed once more in another way; `repair` rebuilds chunks that differ and have their points. Points in memory have no rollups yet. Blocks for about as long as reading everything.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or is closed.
    pub fn check(&self, repair: bool) -> Result<CheckReport, StoreError> {
        self.inner.maintenance.run_task(move |store, connection| store.check(connection, repair))
    }

    /// Deletes the points of a metric's series that pass every filter and lie in `[from, to)`, with their part in all
    /// rollups; gives back how many. Where retention has dropped the points, whole days (UTC) that start in the span
    /// go. Points written while it runs may stay. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or is closed.
    pub fn delete(
        &self,
        name: &MetricName,
        filters: &[LabelFilter],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, StoreError> {
        self.compact()?;
        let (doomed, filters) = (name.clone(), filters.to_vec());
        let deleted = self.inner.maintenance.run_task(move |store, connection| {
            let selection = store.registry.read().select(&doomed, &filters);
            selection.map_or(Ok(0), |selection| {
                store.delete(connection, &Doomed::new(&selection, from.micros(), to.micros()))
            })
        })?;
        if deleted > 0 && self.inner.changes.are_recorded() {
            let mut span = Spans::default();
            span.add(from.micros(), to.micros());
            self.inner.changes.tell([(name.clone(), span)]);
        }
        Ok(deleted)
    }

    /// Copies the store as it is at one moment into a new file, which is a store itself. Writes and queries go on.
    /// Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the file exists, cannot be written, or the store fails or is closed.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<(), StoreError> {
        let path = path.as_ref().to_owned();
        self.inner.maintenance.run_task(move |store, connection| store.backup(connection, &path))
    }

    /// Writes points into a new file, ordered by series and time, as the columns `timestamp`, `name`, `labels` (a JSON
    /// object) and `value`; gives back how many. Nothing waits for it: points written while it runs may be in it or
    /// not. Takes the memory of some million points, whatever the file's size. Blocks.
    ///
    /// # Errors
    /// [`ExportError`] when the file exists, cannot be written, or passes its limit, or the store fails or is closed.
    pub fn export(&self, path: impl AsRef<Path>, request: &ExportRequest) -> Result<u64, ExportError> {
        export::write(&self.inner.store, path.as_ref(), request)
    }

    /// Applies the rules of [`Options::retention`] to all points written so far, by what the clock shows now, however
    /// far it has leapt. The store does so by itself every ten minutes, but does not believe a clock that has just leapt
    /// ahead by more than a week until it has kept to that for a day. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails or is closed.
    pub fn apply_retention(&self) -> Result<(), StoreError> {
        self.inner.store.read().as_ref().ok_or_else(closed)?.clock.believe();
        self.compact()
    }

    /// Closes the store: takes no more writes, commits those that wait, checkpoints and lets the file go.
    /// Waits for the queries that run. Other clones then answer `Closed`. Blocks; a second call does nothing.
    ///
    /// # Errors
    /// [`StoreError`] when one of these steps failed; the file is let go all the same.
    pub fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

fn closed() -> StoreError {
    StoreError::new("cannot read", "the store is closed")
}

impl Inner {
    fn close(&self) -> Result<(), StoreError> {
        self.queue.close();
        let mut threads = std::mem::take(&mut *self.threads.lock()).into_iter();
        let join = |thread: JoinHandle<Result<(), StoreError>>| {
            thread.join().unwrap_or_else(|_| Err(StoreError::new("cannot close", "a thread of the store panicked")))
        };
        // The committer may still wait for the other thread's help with what is queued: it ends first.
        let committed = threads.next().map_or(Ok(()), join);
        self.maintenance.stop();
        let tidied = threads.try_for_each(join);
        let store = self.store.write().take();
        // Nobody knows what a failed store's memory holds beside what is on the disk: the log is left as it is.
        let closed = match (store, self.failure.get()) {
            (_, Some(failure)) => Err(StoreError::new("the store had failed", failure)),
            (None, None) => Ok(()),
            (Some(store), None) => store.settle(),
        };
        self.changes.close();
        committed.and(tidied).and(closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
