//! The store: the only place that names DuckDB.
//!
//! A point is in exactly one of three places: the active memtable (and its head table), the sealed memtable (and
//! its head tables), or a chunk. A query takes a [`Snapshot`] of that and reads each place once; moving points
//! replaces the snapshot after the transaction that moved them.

mod catalog;
mod check;
mod chunk;
mod chunk_reader;
mod chunk_writer;
mod clock;
mod compaction;
mod connection;
mod encoding;
mod error;
mod failure;
mod flushes;
mod head;
mod mark;
mod memtable;
mod options;
mod ownership;
mod preimage;
mod read_cache;
mod registry;
mod retention;
mod rewrite;
mod rollup_buffer;
mod rollup_merge;
mod row_merge;
mod run_merge;
mod scan;
mod schema;
mod snapshot;
mod space;
mod sql;
mod table_cache;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

pub(crate) use chunk::{Chunk, ChunkTable};
pub(crate) use chunk_reader::{BucketBatch, RawBatch};
pub(crate) use chunk_writer::gcd;
pub(crate) use connection::Database;
/// A connection of one's own to the store's database.
pub(crate) use duckdb::Connection;
pub(crate) use head::Columns;
use memtable::Segment;
pub(crate) use memtable::{Memtable, Row, Run};
pub(crate) use registry::{Registry, Selection, SeriesId, SeriesStats};
pub(crate) use rewrite::Doomed;
pub(crate) use scan::{BucketColumns, Scan, ScanRange};
pub(crate) use snapshot::Snapshot;
pub(crate) use space::DiskSpace;

pub use check::CheckReport;
pub use error::{OpenError, StoreError};
pub use failure::Failed;
pub use options::Options;
pub use ownership::{LOG_ENDINGS, NOTE_ENDINGS, Ownership, beside, remove_with_companions};
pub use retention::{Keep, RetentionError, RetentionRule};
pub use space::DiskFull;
pub use sql::{MAX_SQL_BYTES, SqlError, SqlLimits};
pub(crate) use transfer::{settle, whole_or_absent};

use chunk_writer::Rollups;
use clock::Clock;
use error::During;
pub(crate) use failure::Failure;
use flushes::Flushes;
use head::HeadId;
use mark::{Mark, Noted, Torn};
use preimage::Preimages;
use read_cache::ReadCache;
use snapshot::Current;

use crate::rollup::Tier;

/// What a point takes at most in a merged chunk with its rollups, but for rare ones.
const MERGED_POINT_BYTES: u64 = 8;

/// A key that was stored with a write, and what that write was answered.
#[derive(Debug, Clone)]
pub(crate) struct StoredKey {
    pub(crate) key: String,
    pub(crate) points: u64,
    /// Microseconds since the epoch.
    pub(crate) at: i64,
}

/// What one commit brings.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) series: Vec<(SeriesId, crate::model::SeriesKey)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) keys: Vec<StoredKey>,
}

/// Head tables of the file: those of the sealed memtable, and the one that takes points.
#[derive(Debug)]
struct Heads {
    sealed: Vec<HeadId>,
    active: HeadId,
    /// Points in the active one.
    active_points: u64,
}

impl Heads {
    fn all(&self) -> Vec<HeadId> {
        self.sealed.iter().copied().chain([self.active]).collect()
    }

    fn noted(&self) -> Noted {
        Noted { head: self.active, points: self.active_points }
    }
}

/// An open store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) options: Options,
    pub(crate) database: Database,
    pub(crate) registry: RwLock<Registry>,
    current: Current,
    read_cache: ReadCache,
    /// Whether it takes no more writes.
    pub(crate) failure: Arc<Failure>,
    /// The files of the write-ahead log.
    logs: [PathBuf; 2],
    /// The disk of its file.
    pub(crate) space: DiskSpace,
    heads: Mutex<Heads>,
    next_chunk: AtomicU64,
    /// Held by whoever changes what is listed, from the transaction to the snapshot that shows it, and during
    /// checkpoints, which DuckDB refuses while another transaction writes. Never held while points are moved.
    gate: Mutex<()>,
    pub(crate) clock: Clock,
    mark: Mark,
    preimages: Preimages,
    checkpoint_owed: AtomicBool,
    flushes: Flushes,
    /// Dropped last: the next owner finds the database closed.
    _ownership: Ownership,
}

impl Store {
    /// Opens or creates a store; what is remembered of earlier writes comes with it.
    pub(crate) fn open(path: &Path, options: Options) -> Result<(Self, Vec<StoredKey>), OpenError> {
        // Behind a link the lock and the write-ahead log would stand beside the link, unseen by who takes another way.
        let target = path.is_symlink().then(|| path.canonicalize().ok()).flatten();
        let path = target.as_deref().unwrap_or(path);
        let ownership = Ownership::take(path)?;
        let failed = |error| OpenError::store(path)(error);
        let (database, connection) = open_whole(path, &options)?;
        schema::migrate(&connection, path)?;
        let loaded = catalog::load(&connection).map_err(failed)?;
        let keys = catalog::load_keys(&connection).map_err(failed)?;
        let heads =
            Heads { active: loaded.active_head, active_points: loaded.active_points, sealed: loaded.sealed_heads };
        let clock = Clock::load(&connection, options.clock).map_err(failed)?;
        schema::ensure_points_view(&connection, &heads.all(), &loaded.chunks).map_err(failed)?;
        drop(connection);
        // Last: what is refused stays as it was, with what is beside it.
        let mark = Mark::begin(path, heads.noted());
        let preimages = Preimages::of(path).during("cannot read the database").map_err(failed)?;
        let store = Self {
            next_chunk: AtomicU64::new(loaded.chunks.iter().map(|chunk| chunk.id + 1).max().unwrap_or(1)),
            database,
            registry: RwLock::new(loaded.registry),
            current: Current::default(),
            read_cache: ReadCache::new(options.read_cache_bytes),
            failure: Arc::default(),
            logs: [".wal", ".wal.checkpoint"].map(|suffix| beside(path, suffix)),
            space: DiskSpace::of(path, options.min_free_disk_bytes),
            heads: Mutex::new(heads),
            gate: Mutex::new(()),
            clock,
            mark,
            preimages,
            checkpoint_owed: AtomicBool::new(false),
            flushes: Flushes::default(),
            options,
            _ownership: ownership,
        };
        store.current.update(|snapshot| {
            snapshot.chunks = Arc::new(loaded.chunks);
            snapshot.active = loaded.memtable;
        });
        Ok((store, keys))
    }

    /// The view that a query reads.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load()
    }

    /// Commits points, new series and keys: durable when this returns, and seen by every query from then on.
    /// With `seal` they go into a new head table, and the memtable so far is sealed.
    pub(crate) fn commit(&self, connection: &Connection, commit: Commit, seal: bool) -> Result<(), StoreError> {
        let gate = self.gate.lock();
        let mut heads = self.heads.lock();
        let target = if seal { heads.active + 1 } else { heads.active };
        connection::transaction(connection, || {
            if seal {
                // The statement that is kept for the head so far would hold on to it.
                connection.flush_prepared_statement_cache();
                head::create(connection, target)?;
                let all: Vec<HeadId> = heads.all().into_iter().chain([target]).collect();
                schema::replace_points_view(connection, &all, &self.current.load().chunks)?;
            }
            if !commit.series.is_empty() {
                head::append_series(connection, &commit.series)?;
            }
            if !commit.rows.is_empty() {
                head::append_rows(connection, target, &commit.rows)?;
            }
            catalog::append_keys(connection, &commit.keys)
        })?;
        if seal {
            let sealed = heads.active;
            heads.sealed.push(sealed);
            (heads.active, heads.active_points) = (target, 0);
        }
        heads.active_points += commit.rows.len() as u64;
        self.mark.note(heads.noted());
        drop(heads);
        let segment = Segment::from_rows(&commit.rows);
        let mut registry = self.registry.write();
        commit.series.into_iter().for_each(|(id, key)| registry.insert(id, key));
        segment.stats().for_each(|(id, stats)| registry.record(id, &stats));
        drop(registry);
        self.current.update(|snapshot| {
            if seal {
                snapshot.sealed = Some(std::mem::take(&mut snapshot.active));
            }
            snapshot.active = snapshot.active.with_segment(segment);
        });
        drop(gate);
        Ok(())
    }

    /// Moves the sealed memtable into chunks. Without one there is nothing to do.
    pub(crate) fn flush_sealed(&self, connection: &Connection) -> Result<(), StoreError> {
        let Some(sealed) = self.current.load().sealed.clone() else { return Ok(()) };
        // Queries read the same points from one segment from now on, so that its parts are not held besides.
        let segment = sealed.to_segment();
        self.current.update(|snapshot| snapshot.sealed = Some(Arc::clone(&segment).into()));
        drop(sealed);
        let moved = compaction::write_segment(connection, &segment, || self.next_chunk_id())
            .and_then(|chunks| self.publish(connection, &[], chunks, true, false));
        self.flushes.note(moved.is_ok());
        moved
    }

    /// How often moving a sealed memtable into chunks has failed.
    pub(crate) fn failed_flushes(&self) -> u64 {
        self.flushes.failed()
    }

    /// Waits until no sealed memtable is left, or moving it into chunks has failed more often than `before`, or whoever
    /// moves it has `stopped`.
    pub(crate) fn wait_for_flush(&self, before: u64, stopped: impl Fn() -> bool) {
        self.flushes.wait(before, || self.current.load().sealed.is_none() || stopped());
    }

    /// Merges chunks once; false when there are none that should be merged.
    pub(crate) fn merge_once(&self, connection: &Connection) -> Result<bool, StoreError> {
        let Some(picked) = compaction::pick_merge(&self.current.load().chunks, self.options.chunk_points) else {
            return Ok(false);
        };
        // What a merge writes goes into the log: over its bound, and held up, it would only grow.
        if self.owes_checkpoint() && self.wal_bytes() > self.options.wal_limit_bytes {
            return Ok(false);
        }
        // A merge makes reading faster; it can wait until there is room for both the old chunks and the new one.
        let points: u64 = picked.iter().map(|chunk| chunk.points).sum();
        if let Err(full) = self.space.take(points.saturating_mul(MERGED_POINT_BYTES), self.wal_bytes()) {
            tracing::warn!("chunks are not merged now: {full}");
            return Ok(false);
        }
        let id = self.next_chunk_id();
        let merged = if picked.iter().all(|chunk| chunk.table(Tier::Raw).is_some()) {
            compaction::merge(&self.database, connection, &picked, id, Rollups::ThatPay, |_| true)?
        } else {
            rollup_merge::merge_rollups(&self.database, connection, &picked, id, |_| true)?
        };
        self.publish(connection, &picked, merged.into_iter().collect(), false, false)?;
        Ok(true)
    }

    /// Lists new chunks and unlists those they replace, in one transaction; then the same for queries to come. What has
    /// been sealed meanwhile follows: work on many chunks takes long, and writers must not wait for all of it once their
    /// memtable is full.
    fn publish(
        &self,
        connection: &Connection,
        old: &[Arc<Chunk>],
        new: Vec<Chunk>,
        drop_sealed: bool,
        points_left: bool,
    ) -> Result<(), StoreError> {
        let gate = self.gate.lock();
        let mut heads = self.heads.lock();
        let mut chunks: Vec<Arc<Chunk>> = self.current.load().chunks.iter().cloned().collect();
        chunks.retain(|chunk| old.iter().all(|old| old.id != chunk.id));
        let new: Vec<Arc<Chunk>> = new.into_iter().map(Arc::new).collect();
        chunks.extend(new.iter().cloned());
        chunks.sort_by_key(|chunk| (chunk.first_at, chunk.id));
        let kept = if drop_sealed { vec![heads.active] } else { heads.all() };
        connection::transaction(connection, || {
            catalog::relist(connection, old, &new)?;
            schema::replace_points_view(connection, &kept, &chunks)?;
            if drop_sealed {
                heads.sealed.iter().try_for_each(|head| head::drop_table(connection, *head))?;
            }
            Ok(())
        })?;
        if drop_sealed {
            heads.sealed.clear();
        }
        self.current.update(|snapshot| {
            snapshot.chunks = Arc::new(chunks);
            if drop_sealed {
                snapshot.sealed = None;
            }
        });
        self.read_cache.forget(|chunk| old.iter().any(|old| old.id == chunk));
        self.database.forget_statements();
        if points_left {
            self.count_anew(connection)?;
        }
        drop((heads, gate));
        self.checkpoint(connection)?;
        if drop_sealed { Ok(()) } else { self.flush_sealed(connection) }
    }

    /// Waits until the snapshot shows the change of tables that is under way, if any.
    pub(crate) fn wait_for_publication(&self) {
        drop(self.heads.lock());
    }

    /// Cuts free blocks off the end of the file. DuckDB frees what was dropped in one checkpoint and cuts it off in
    /// the next that has anything to write: it is given a trifle.
    pub(super) fn shrink(&self, connection: &Connection) -> Result<(), StoreError> {
        for _ in 0..2 {
            {
                let _gate = self.gate.lock();
                connection
                    .execute_batch(
                        "DELETE FROM meta WHERE key = 'shrunk_at'; \
                         INSERT INTO meta VALUES ('shrunk_at', epoch_us(now())::VARCHAR)",
                    )
                    .during("cannot shrink the file")?;
            }
            self.checkpoint(connection)?;
        }
        Ok(())
    }

    /// Counts every series' points from what is listed, after some of them were deleted. The caller holds the gate,
    /// so that no commit comes in between.
    fn count_anew(&self, connection: &Connection) -> Result<(), StoreError> {
        let snapshot = self.current.load();
        let mut counted = SeriesCounts::default();
        for chunk in snapshot.chunks.iter() {
            catalog::each_series(connection, chunk, |id, stats| tally(&mut counted, id, stats))?;
        }
        for (id, stats) in snapshot.memtables().flat_map(Memtable::segments).flat_map(|segment| segment.stats()) {
            tally(&mut counted, id, stats);
        }
        let mut registry = self.registry.write();
        registry.clear_stats();
        counted.iter().for_each(|(id, stats)| registry.record(*id, stats));
        Ok(())
    }

    /// A small read through DuckDB.
    pub(crate) fn probe(&self) -> Result<(), StoreError> {
        self.database.read(|connection| {
            connection
                .query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, u64>(0))
                .during("cannot read the store")
                .map(|_| ())
        })
    }

    /// Reads chunks' tables on one of the reading connections, as [`chunk_reader::scan_tables`] does.
    pub(crate) fn scan<E: From<StoreError>>(
        &self,
        scans: &[Scan],
        each: impl FnMut(&Scan, &head::Columns<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if scans.is_empty() {
            return Ok(());
        }
        self.database.read(|connection| chunk_reader::scan_tables(connection, &self.read_cache, scans, each))
    }

    /// Bytes of rows that are kept in memory because they were read before.
    pub(crate) fn read_cache_bytes(&self) -> u64 {
        self.read_cache.bytes()
    }

    /// The last act of an owner: everything in the file, nothing in the log, and nothing beside the file that another
    /// file in its place would be compared with.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        self.checkpoint(&self.database.connect()?)?;
        if self.wal_bytes() == 0 {
            self.mark.end();
            self.preimages.end();
        }
        Ok(())
    }

    /// Moves the write-ahead log into the file. Where a query is under way that began before the last change of
    /// tables, DuckDB cannot: nothing is lost, and the next checkpoint does it.
    pub(crate) fn checkpoint(&self, connection: &Connection) -> Result<(), StoreError> {
        let _gate = self.gate.lock();
        self.preimages.keep(connection)?;
        match connection.execute_batch("CHECKPOINT").during("cannot checkpoint") {
            Err(error) if error.is_busy() => {
                tracing::debug!("the checkpoint is left to the next: a query is under way");
                self.checkpoint_owed.store(true, Ordering::Relaxed);
                self.preimages.forget()
            }
            result => {
                self.checkpoint_owed.store(false, Ordering::Relaxed);
                result
            }
        }
    }

    /// Whether the last checkpoint was held up by a query.
    pub(crate) fn owes_checkpoint(&self) -> bool {
        self.checkpoint_owed.load(Ordering::Relaxed)
    }

    /// Forgets keys that were stored before an instant.
    pub(crate) fn expire_keys(&self, connection: &Connection, before: i64) -> Result<(), StoreError> {
        let _gate = self.gate.lock();
        connection
            .execute("DELETE FROM idempotency WHERE stored_at < ?", [before])
            .during("cannot expire idempotency keys")
            .map(|_| ())
    }

    /// Bytes of the database file and of its write-ahead log.
    pub(crate) fn file_bytes(&self) -> (u64, u64) {
        (length(self.database.path()), self.wal_bytes())
    }

    /// Bytes of the write-ahead log: all of it, also the part that a checkpoint under way has put aside.
    pub(crate) fn wal_bytes(&self) -> u64 {
        self.logs.iter().map(|log| length(log)).sum()
    }
}

/// The length of a file, 0 where there is none.
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Opens a database that holds all that was noted beside it. Where only the end of its log is torn, of which nobody was
/// told, it is opened without that.
fn open_whole(path: &Path, options: &Options) -> Result<(Database, Connection), OpenError> {
    let failed = |error| OpenError::store(path)(error);
    let noted = mark::read(path);
    if preimage::put_back(path).during("cannot put blocks back").map_err(failed)? {
        tracing::info!("a checkpoint was not finished: what it had written over is put back");
    }
    let open = || -> Result<(Database, Connection), StoreError> {
        let database = Database::open(path, options)?;
        let connection = database.connect()?;
        Ok((database, connection))
    };
    let compared = |(database, connection): (Database, Connection)| match noted {
        Some(noted) => noted.compare(&connection, path).map(|()| (database, connection)),
        None => Ok((database, connection)),
    };
    let error = match open() {
        Ok(opened) => return compared(opened),
        Err(error) => error,
    };
    // Without a note nothing tells a torn end from a damaged middle.
    let torn = noted.map_or(Ok(None), |_| Torn::cut(path, &error));
    let torn = torn.map_err(|error| failed(StoreError::new("cannot set the torn end of the log aside", error)))?;
    let Some(torn) = torn else { return Err(refine_open_error(path, error)) };
    match open().map_err(failed).and_then(compared) {
        Ok(opened) => {
            torn.tell();
            Ok(opened)
        }
        Err(OpenError::Store { .. }) => {
            torn.put_back();
            Err(refine_open_error(path, error))
        }
        Err(error) => {
            torn.put_back();
            Err(error)
        }
    }
}

/// The open errors of DuckDB that mean something to a user.
fn refine_open_error(path: &Path, error: StoreError) -> OpenError {
    if error.to_string().contains("Conflicting lock") {
        OpenError::Owned { path: path.to_owned() }
    } else {
        OpenError::store(path)(error)
    }
}

/// What is known of some series.
type SeriesCounts = rustc_hash::FxHashMap<SeriesId, SeriesStats>;

fn tally(counts: &mut SeriesCounts, id: SeriesId, stats: SeriesStats) {
    counts.entry(id).and_modify(|known| known.merge(&stats)).or_insert(stats);
}
