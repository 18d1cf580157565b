//! Whole tables of chunks kept in memory: small ones that are asked again and again, such as the rollups per hour and
//! day. What is asked of them then costs a binary search instead of a statement, whatever series and time it asks for,
//! so that a chart over many chunks opens as fast as one over few. Chunks never change.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parking_lot::Mutex;

use super::chunk::ChunkId;
use super::scan::Scan;
use crate::rollup::Tier;

/// A table takes at most this share of the cache: several must have room.
const LARGEST_SHARE: u64 = 3;
/// So many reads must have passed a table by before another may take its place: reading whole tables must not become
/// what each query does.
const STALE_READS: u64 = 4_096;

/// Whole tables, at most so many bytes of them.
#[derive(Debug)]
pub(super) struct TableCache {
    limit_bytes: u64,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// None: asked for once, not held.
    held: HashMap<(ChunkId, Tier), Option<Held>>,
    bytes: u64,
    /// Reads so far, as a clock.
    reads: u64,
}

#[derive(Debug)]
struct Held {
    rows: Arc<RecordBatch>,
    bytes: u64,
    used: u64,
}

impl TableCache {
    /// A cache of at most so many bytes; of 0 it keeps nothing.
    pub(super) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, tables: Mutex::default() }
    }

    /// The table that a read can be taken from.
    pub(super) fn get(&self, scan: &Scan) -> Option<Arc<RecordBatch>> {
        scan.whole()?;
        let mut tables = self.tables.lock();
        tables.reads += 1;
        let now = tables.reads;
        let held = tables.held.get_mut(&key(scan))?.as_mut()?;
        held.used = now;
        Some(Arc::clone(&held.rows))
    }

    /// The read of the whole table to make in a read's place, if the table is asked for again and there is room.
    pub(super) fn admit(&self, scan: &Scan) -> Option<Scan> {
        let whole = scan.whole()?;
        let bytes = whole.whole_bytes();
        if bytes > self.limit_bytes / LARGEST_SHARE {
            return None;
        }
        let mut tables = self.tables.lock();
        if let Entry::Vacant(first) = tables.held.entry(key(scan)) {
            first.insert(None);
            return None;
        }
        tables.make_room(self.limit_bytes, bytes).then_some(whole)
    }

    /// Keeps a table that was admitted.
    pub(super) fn put(&self, whole: &Scan, rows: Arc<RecordBatch>) {
        let bytes = rows.get_array_memory_size() as u64;
        let mut tables = self.tables.lock();
        let used = tables.reads;
        if tables.make_room(self.limit_bytes, bytes) {
            tables.bytes += bytes;
            let before = tables.held.insert(key(whole), Some(Held { rows, bytes, used }));
            tables.bytes -= before.flatten().map_or(0, |before| before.bytes);
        }
    }

    /// Gives up the tables of chunks that are no more.
    pub(super) fn forget(&self, gone: impl Fn(ChunkId) -> bool) {
        let mut tables = self.tables.lock();
        tables.held.retain(|(chunk, _), _| !gone(*chunk));
        tables.bytes = tables.held.values().flatten().map(|held| held.bytes).sum();
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.tables.lock().bytes
    }
}

impl Tables {
    /// Whether so many bytes more stay within the limit, once tables that nobody reads any more are given up.
    fn make_room(&mut self, limit: u64, bytes: u64) -> bool {
        if self.bytes + bytes <= limit {
            return true;
        }
        let old = self.reads.saturating_sub(STALE_READS);
        let stale = |held: &Option<Held>| held.as_ref().is_some_and(|held| held.used < old);
        let freed: u64 = self.held.values().filter(|held| stale(held)).flatten().map(|held| held.bytes).sum();
        if self.bytes - freed + bytes > limit {
            return false;
        }
        self.held.values_mut().filter(|held| stale(held)).for_each(|held| *held = None);
        self.bytes -= freed;
        true
    }
}

fn key(scan: &Scan) -> (ChunkId, Tier) {
    (scan.chunk, scan.table.tier)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt64Array};

    use super::*;
    use crate::store::chunk::ChunkTable;
    use crate::store::scan::BucketColumns;
    use crate::store::{ScanRange, SeriesId};

    const ROWS: u64 = 100;

    /// One read of a table of a hundred rows: ten series of ten buckets each.
    fn scan(chunk: ChunkId, series: (u64, u64), time: (i64, i64)) -> Scan {
        let table = ChunkTable { tier: Tier::Hour, rows: ROWS, base: 0, unit: 1, scale: None, digest: false };
        let range = ScanRange { low: SeriesId(series.0), high: SeriesId(series.1), from: time.0, to: time.1 };
        let columns = BucketColumns::default();
        Scan { chunk, table, columns, range, expected_rows: 1, expected_rows_of_all_time: 10 }
    }

    fn table() -> Arc<RecordBatch> {
        let u64s = |each: fn(u64) -> u64| Arc::new(UInt64Array::from_iter_values((0..ROWS).map(each))) as ArrayRef;
        let t = Arc::new(Int64Array::from_iter_values((0..ROWS as i64).map(|row| row % 10))) as ArrayRef;
        let values = Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64))) as ArrayRef;
        let columns = [
            ("series", u64s(|row| row / 10)),
            ("t", t),
            ("count", u64s(|_| 1)),
            ("sum", Arc::clone(&values)),
            ("min", Arc::clone(&values)),
            ("max", values),
        ];
        Arc::new(RecordBatch::try_from_iter(columns).expect("columns of one length"))
    }

    fn room_for(tables: u64) -> TableCache {
        let bytes = table().get_array_memory_size() as u64;
        TableCache::new(tables.max(LARGEST_SHARE) * bytes)
    }

    fn holds(cache: &TableCache, chunk: ChunkId) -> bool {
        cache.get(&scan(chunk, (0, 0), (0, 1))).is_some()
    }

    #[test]
    fn a_table_is_read_as_a_whole_when_it_is_asked_for_again() {
        let cache = room_for(3);
        let asked = scan(1, (2, 2), (0, 10));
        assert!(cache.admit(&asked).is_none(), "once is not again");
        let whole = cache.admit(&scan(1, (5, 6), (3, 4))).expect("asked for again");
        cache.put(&whole, table());
        let rows = cache.get(&asked).expect("it is held");
        let taken = asked.taken_from(&rows).expect("columns of one length");
        assert_eq!(taken, rows.slice(20, 10).project(&[0, 1, 2, 3]).expect("four columns"));
    }

    #[test]
    fn what_is_taken_from_a_table_are_the_series_and_times_asked_for() {
        let asked = scan(1, (3, 5), (2, 4));
        let taken = asked.taken_from(&table()).expect("columns of one length");
        let sums: Vec<f64> = taken.column(3).to_data().buffer::<f64>(0)[..taken.num_rows()].to_vec();
        assert_eq!(sums, [32.0, 33.0, 42.0, 43.0, 52.0, 53.0]);
    }

    #[test]
    fn it_stays_within_its_limit_and_keeps_what_is_in_use() {
        let cache = room_for(3);
        for chunk in 1..=4 {
            cache.put(&scan(chunk, (0, 0), (0, 1)), table());
        }
        assert_eq!(cache.bytes(), 3 * table().get_array_memory_size() as u64);
        assert!(!holds(&cache, 4) && (1..=3).all(|chunk| holds(&cache, chunk)));
    }

    #[test]
    fn a_table_that_nobody_reads_any_more_makes_room() {
        let cache = room_for(3);
        (1..=3).for_each(|chunk| cache.put(&scan(chunk, (0, 0), (0, 1)), table()));
        (0..=STALE_READS).for_each(|_| assert!(holds(&cache, 2)));
        cache.put(&scan(4, (0, 0), (0, 1)), table());
        assert!(holds(&cache, 4) && holds(&cache, 2) && !holds(&cache, 1) && !holds(&cache, 3));
    }

    #[test]
    fn tables_go_with_their_chunk() {
        let cache = room_for(3);
        (1..=2).for_each(|chunk| cache.put(&scan(chunk, (0, 0), (0, 1)), table()));
        cache.forget(|chunk| chunk == 1);
        assert!(!holds(&cache, 1) && holds(&cache, 2));
        assert_eq!(cache.bytes(), table().get_array_memory_size() as u64);
    }
}
