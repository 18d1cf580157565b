//! The thread that commits: it takes what waits, commits it as one, and answers each write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::error::WriteError;
use super::keys::{IdempotencyKey, Keys};
use super::maintenance::Maintenance;
use super::queue::{Job, Queue, WriteJob};
use super::ticket::{Receipt, Reply};
use crate::model::{MetricName, SeededMap, SeriesKey};
use crate::store::{Commit, Row, SeriesId, Store, StoreError, StoredKey};
use crate::watch::{Changes, Spans};

/// What the committer did, for those who watch.
#[derive(Debug, Default)]
pub(crate) struct CommitFigures {
    pub(crate) commits: AtomicU64,
    pub(crate) points: AtomicU64,
    pub(crate) commit_us: AtomicU64,
    /// Commits by how long they took: up to each of [`COMMIT_BUCKETS_US`], and longer.
    pub(crate) commit_buckets: [AtomicU64; COMMIT_BUCKETS_US.len() + 1],
    /// When the memtable that waits for its chunks was sealed, if one waits.
    pub(crate) sealed_at: Mutex<Option<Instant>>,
}

/// Upper bounds of the buckets of commit times, in microseconds; see `Stats::commit_buckets`.
pub const COMMIT_BUCKETS_US: [u64; 9] = [500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 10_000_000];
/// Commits between looks for idempotency keys that are too old.
const COMMITS_PER_KEY_LOOK: u64 = 256;
/// Least time between two demands for a checkpoint: where something holds it up, asking more often helps nobody.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// At so many times `Options::wal_limit_bytes` the write-ahead log grows no more: writes are refused.
const WAL_LIMITS: u64 = 4;
/// What a point takes in the write-ahead log, at most, with its share of what a commit takes besides.
const LOGGED_POINT_BYTES: u64 = 64;
/// What a new series takes there, but for its texts.
const LOGGED_SERIES_BYTES: u64 = 256;

impl CommitFigures {
    fn took(&self, elapsed_us: u64) {
        self.commit_us.fetch_add(elapsed_us, Ordering::Relaxed);
        let bucket = COMMIT_BUCKETS_US.iter().position(|&bound| elapsed_us <= bound);
        self.commit_buckets[bucket.unwrap_or(COMMIT_BUCKETS_US.len())].fetch_add(1, Ordering::Relaxed);
    }
}

/// The committing thread's state.
pub(crate) struct Committer {
    store: Arc<Store>,
    queue: Arc<Queue>,
    maintenance: Arc<Maintenance>,
    figures: Arc<CommitFigures>,
    changes: Arc<Changes>,
    keys: Keys,
    checkpoint_asked_at: Option<Instant>,
}

/// The writes of one group on their way into one commit.
#[derive(Default)]
struct Group {
    commit: Commit,
    /// Series that the commit adds.
    new_series: SeededMap<SeriesKey, SeriesId>,
    /// Series that the commit adds to each metric, known or new.
    new_ordinals: FxHashMap<u32, u32>,
    new_metrics: SeededMap<MetricName, u32>,
    new_keys: SeededMap<IdempotencyKey, u64>,
    replies: Vec<(Reply, Receipt)>,
}

impl Committer {
    pub(crate) fn new(
        store: Arc<Store>,
        queue: Arc<Queue>,
        maintenance: Arc<Maintenance>,
        figures: Arc<CommitFigures>,
        changes: Arc<Changes>,
        stored: Vec<StoredKey>,
    ) -> Self {
        Self { store, queue, maintenance, figures, changes, keys: Keys::load(stored), checkpoint_asked_at: None }
    }

    /// Runs until the queue is closed and drained.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        let _end = Abandon(Arc::clone(&self.queue));
        let connection = self.store.database.connect()?;
        while let Some(jobs) = self.queue.take(self.store.options.commit_points) {
            let mut group = Group::default();
            let mut seals = Vec::new();
            for job in jobs {
                match job {
                    Job::Write(job) => self.admit(job, &mut group),
                    Job::Seal(reply) => seals.push(reply),
                }
            }
            let seal = self.make_room(!seals.is_empty());
            if let Some(error) = self.no_room(&group.commit, seal) {
                answer(std::mem::take(&mut group).replies, Err(error));
            }
            self.commit(&connection, group, seal);
            for reply in seals {
                let failure = self.store.failure.get();
                let answer = failure.map_or(Ok(Receipt { points: 0, replayed: false }), |f| Err(WriteError::Store(f)));
                let _ = reply.send(answer);
            }
        }
        Ok(())
    }

    /// Checks a write and adds it to the group, or answers it at once.
    fn admit(&self, job: WriteJob, group: &mut Group) {
        if let Some(failure) = self.store.failure.get() {
            let _ = job.reply.send(Err(WriteError::Store(failure)));
            return;
        }
        let points = job.batch.len() as u64;
        if let Some(key) = &job.key {
            if let Some(points) = self.keys.get(key) {
                let _ = job.reply.send(Ok(Receipt { points, replayed: true }));
                return;
            }
            if let Some(&points) = group.new_keys.get(key) {
                group.replies.push((job.reply, Receipt { points, replayed: true }));
                return;
            }
            let limit = self.store.options.max_keys;
            if self.keys.len() + group.new_keys.len() >= limit {
                let _ = job.reply.send(Err(WriteError::KeyLimit { limit }));
                return;
            }
        }
        match self.resolve(&job, group) {
            Err(error) => {
                let _ = job.reply.send(Err(error));
            }
            Ok(ids) => {
                let row = |s: &crate::model::Sample| Row {
                    series: ids[s.series.index()],
                    at: s.timestamp.micros(),
                    value: s.value,
                };
                group.commit.rows.extend(job.batch.samples().iter().map(row));
                if let Some(key) = job.key {
                    let at = self.store.clock.now();
                    group.commit.keys.push(StoredKey { key: key.as_str().to_owned(), points, at });
                    group.new_keys.insert(key, points);
                }
                group.replies.push((job.reply, Receipt { points, replayed: false }));
            }
        }
    }

    /// The numbers of a write's series, new ones included; all or none of these are taken into the group.
    fn resolve(&self, job: &WriteJob, group: &mut Group) -> Result<Vec<SeriesId>, WriteError> {
        let registry = self.store.registry.read();
        let keys = job.batch.series();
        let limit = self.store.options.max_labels;
        if let Some(key) = keys.iter().find(|key| key.labels.len() > limit) {
            return Err(WriteError::TooManyLabels { name: key.name.to_string(), labels: key.labels.len(), limit });
        }
        let known: Vec<Option<SeriesId>> =
            keys.iter().map(|key| registry.id(key).or_else(|| group.new_series.get(key).copied())).collect();
        let new = known.iter().filter(|id| id.is_none()).count();
        let limit = self.store.options.max_series;
        if new > 0 && registry.len() + group.new_series.len() + new > limit {
            return Err(WriteError::SeriesLimit { limit, new });
        }
        let mut number = |key: &SeriesKey| {
            let metrics = &mut group.new_metrics;
            let metric = registry.metric_id(&key.name).unwrap_or_else(|| {
                let next =
                    registry.next_metric_id() + u32::try_from(metrics.len()).expect("bounded by the series limit");
                *metrics.entry(key.name.clone()).or_insert(next)
            });
            let added = group.new_ordinals.entry(metric).or_insert(0);
            let id = SeriesId::new(metric, registry.next_ordinal(metric) + *added);
            *added += 1;
            group.new_series.insert(key.clone(), id);
            group.commit.series.push((id, key.clone()));
            id
        };
        Ok(keys.iter().zip(known).map(|(key, id)| id.unwrap_or_else(|| number(key))).collect())
    }

    /// Decides whether this commit seals the memtable, and waits where the memory for points is full: until the
    /// sealed ones are in chunks.
    fn make_room(&self, asked: bool) -> bool {
        let head_points = self.store.options.head_points.max(1);
        let snapshot = self.store.snapshot();
        let full = snapshot.active.len() >= head_points;
        if snapshot.sealed.is_none() {
            return (asked || full) && !snapshot.active.is_empty();
        }
        if asked || snapshot.active.len() >= 2 * head_points {
            self.maintenance.wait_for_flush(&self.store);
            return self.store.snapshot().sealed.is_none() && !snapshot.active.is_empty();
        }
        false
    }

    /// Points in memory, where these are as many as there may be and could not be moved into chunks.
    fn backlog(&self) -> Option<usize> {
        let snapshot = self.store.snapshot();
        let full = snapshot.sealed.is_some() && snapshot.active.len() >= 2 * self.store.options.head_points.max(1);
        full.then(|| snapshot.memtables().map(crate::store::Memtable::len).sum())
    }

    /// Why a group has to wait, if it has: points cannot be moved out of memory, the log cannot be moved into the file,
    /// or the disk is nearly full. All three end by themselves, or once somebody makes room.
    fn no_room(&mut self, commit: &Commit, seal: bool) -> Option<WriteError> {
        if commit.rows.is_empty() && commit.keys.is_empty() {
            return None;
        }
        if let Some(points) = self.backlog().filter(|_| !seal) {
            return Some(WriteError::Backlog { points });
        }
        let (wal_bytes, limit_bytes) = (self.store.wal_bytes(), self.store.options.wal_limit_bytes);
        if wal_bytes > limit_bytes.saturating_mul(WAL_LIMITS) {
            self.ask_for_checkpoint();
            return Some(WriteError::LogFull { wal_bytes, limit_bytes });
        }
        let full = self.store.space.take(logged_bytes(commit), wal_bytes).err()?;
        if wal_bytes > 0 {
            // The log takes room twice: itself, and where it is to go.
            self.ask_for_checkpoint();
        }
        Some(WriteError::DiskFull(full))
    }

    fn ask_for_checkpoint(&mut self) {
        if self.checkpoint_asked_at.is_none_or(|at| at.elapsed() >= CHECKPOINT_INTERVAL) {
            self.checkpoint_asked_at = Some(Instant::now());
            self.maintenance.ask_for_checkpoint();
        }
    }

    fn commit(&mut self, connection: &crate::store::Connection, group: Group, seal: bool) {
        let Group { commit, replies, .. } = group;
        if commit.rows.is_empty() && commit.keys.is_empty() && commit.series.is_empty() && !seal {
            answer(replies, Ok(()));
            return;
        }
        let (points, keys) = (commit.rows.len() as u64, commit.keys.clone());
        let changed = self.changes.are_recorded().then(|| changed_spans(&commit.rows));
        let begun = Instant::now();
        let result = self.store.commit(connection, commit, seal);
        let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                keys.iter().for_each(|key| self.keys.remember(key));
                self.figures.points.fetch_add(points, Ordering::Relaxed);
                self.figures.took(elapsed_us);
                if seal {
                    *self.figures.sealed_at.lock() = Some(Instant::now());
                }
                let commits = self.figures.commits.fetch_add(1, Ordering::Relaxed) + 1;
                // Before the answer: who wrote and then asks a watch has it told.
                self.tell(changed);
                answer(replies, Ok(()));
                self.after_commit(seal, commits);
            }
            Err(error) if error.is_out_of_space() => {
                tracing::warn!(%error, points, "a commit found no room on the disk: nothing of it is stored");
                answer(replies, Err(WriteError::NoRoom(error)));
            }
            Err(error) => {
                tracing::error!(%error, points, "a commit failed: no more writes are taken");
                self.store.failure.set(&error);
                answer(replies, Err(WriteError::Store(error)));
            }
        }
    }

    /// Tells those who watch, by the names of the metrics.
    fn tell(&self, changed: Option<FxHashMap<u32, Spans>>) {
        match changed {
            Some(changed) => {
                let registry = self.store.registry.read();
                let named = |(metric, spans)| Some((registry.metric_name(metric)?.clone(), spans));
                self.changes.tell(changed.into_iter().filter_map(named));
            }
            // The first watch began while this commit was under way, and may have asked before it could be read.
            None if self.changes.are_recorded() => self.changes.tell_anything(),
            None => {}
        }
    }

    fn after_commit(&mut self, sealed: bool, commits: u64) {
        if sealed {
            self.maintenance.wake();
        }
        if self.store.wal_bytes() > self.store.options.wal_limit_bytes {
            self.ask_for_checkpoint();
        }
        if commits.is_multiple_of(COMMITS_PER_KEY_LOOK) {
            let lifetime = i64::try_from(self.store.options.key_lifetime.as_micros()).unwrap_or(i64::MAX);
            let before = self.store.clock.now().saturating_sub(lifetime);
            if self.keys.expire(before) {
                self.maintenance.expire_keys(before);
            }
        }
    }
}

/// However the thread ends, nobody is left waiting for it.
struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What a commit takes in the write-ahead log, about, and rather too much.
fn logged_bytes(commit: &Commit) -> u64 {
    let texts = |key: &SeriesKey| key.labels.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
    let series: u64 = commit.series.iter().map(|(_, key)| LOGGED_SERIES_BYTES + texts(key) as u64).sum();
    series + (commit.rows.len() + 4 * commit.keys.len()) as u64 * LOGGED_POINT_BYTES
}

/// The spans in which each metric gets points.
fn changed_spans(rows: &[Row]) -> FxHashMap<u32, Spans> {
    let mut changed: FxHashMap<u32, Spans> = FxHashMap::default();
    for of_metric in rows.chunk_by(|a, b| a.series.metric() == b.series.metric()) {
        let spans = changed.entry(of_metric[0].series.metric()).or_default();
        of_metric.iter().for_each(|row| spans.add_instant(row.at));
    }
    changed
}

fn answer(replies: Vec<(Reply, Receipt)>, result: Result<(), WriteError>) {
    for (reply, receipt) in replies {
        // Whoever dropped the ticket does not want the answer.
        let _ = reply.send(result.clone().map(|()| receipt));
    }
}
