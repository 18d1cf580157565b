//! What reads of chunks gave, kept in memory while there is room: rows of small reads, and whole small tables. Chunks
//! never change, so that nothing in here is ever out of date.

use std::sync::Arc;

use arrow::array::RecordBatch;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::chunk::ChunkId;
use super::scan::{BucketColumns, Scan, ScanRange};
use super::table_cache::TableCache;
use crate::rollup::Tier;

/// Bytes that an entry takes beside its rows: key, schema, places in the cache's own tables.
const ENTRY_BYTES: u64 = 1_024;
/// Bytes of an entry of some rows, for the cache to know how many it will hold.
const USUAL_BYTES: u64 = 8 << 10;

/// A read, without what was only expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    chunk: ChunkId,
    tier: Tier,
    columns: BucketColumns,
    range: ScanRange,
}

impl Key {
    fn of(scan: &Scan) -> Self {
        Self { chunk: scan.chunk, tier: scan.table.tier, columns: scan.columns, range: scan.range }
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<RecordBatch>> for ByBytes {
    fn weight(&self, _: &Key, rows: &Arc<RecordBatch>) -> u64 {
        rows.get_array_memory_size() as u64 + ENTRY_BYTES
    }
}

/// Rows by the read that gave them, the least used going first; and whole tables.
#[derive(Debug)]
pub(crate) struct ReadCache {
    reads: Option<Cache<Key, Arc<RecordBatch>, ByBytes>>,
    pub(super) tables: TableCache,
}

impl ReadCache {
    /// A cache of at most so many bytes, one half for reads and one for tables; of 0 it keeps nothing.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let of_reads = limit_bytes / 2;
        let entries = usize::try_from(of_reads / USUAL_BYTES).unwrap_or(usize::MAX).max(1);
        Self {
            reads: (of_reads > 0).then(|| Cache::with_weighter(entries, of_reads, ByBytes)),
            tables: TableCache::new(limit_bytes - of_reads),
        }
    }

    pub(crate) fn get(&self, scan: &Scan) -> Option<Arc<RecordBatch>> {
        self.reads.as_ref()?.get(&Key::of(scan))
    }

    pub(crate) fn put(&self, scan: &Scan, rows: Arc<RecordBatch>) {
        if let Some(cache) = &self.reads {
            cache.insert(Key::of(scan), rows);
        }
    }

    /// Gives up what was read of chunks that are no more.
    pub(crate) fn forget(&self, gone: impl Fn(ChunkId) -> bool) {
        if let Some(cache) = &self.reads {
            cache.retain(|key, _| !gone(key.chunk));
        }
        self.tables.forget(gone);
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.reads.as_ref().map_or(0, Cache::weight) + self.tables.bytes()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::store::SeriesId;
    use crate::store::chunk::ChunkTable;

    fn scan(chunk: ChunkId) -> Scan {
        let table = ChunkTable { tier: Tier::Hour, rows: 9, base: 0, unit: 1, scale: None, digest: false };
        let range = ScanRange { low: SeriesId(1), high: SeriesId(1), from: 0, to: 9 };
        let columns = BucketColumns::default();
        Scan { chunk, table, columns, range, expected_rows: 9, expected_rows_of_all_time: 9 }
    }

    fn rows(len: usize) -> Arc<RecordBatch> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7; len]));
        Arc::new(RecordBatch::try_from_iter([("t", column)]).expect("one column"))
    }

    #[test]
    fn it_never_holds_more_than_its_limit() {
        let cache = ReadCache::new(100_000);
        (0..200).for_each(|chunk| cache.put(&scan(chunk), rows(1_000)));
        assert!((1..=100_000).contains(&cache.bytes()), "{}", cache.bytes());
        cache.put(&scan(1_000), rows(20_000));
        assert_eq!(cache.get(&scan(1_000)), None, "an entry larger than all of it is not kept");
    }

    #[test]
    fn what_was_read_of_a_chunk_goes_with_it() {
        let cache = ReadCache::new(1 << 20);
        cache.put(&scan(1), rows(10));
        cache.put(&scan(2), rows(20));
        cache.forget(|chunk| chunk == 1);
        assert_eq!(cache.get(&scan(1)), None);
        assert_eq!(cache.get(&scan(2)), Some(rows(20)));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let cache = ReadCache::new(0);
        cache.put(&scan(1), rows(10));
        assert_eq!((cache.get(&scan(1)), cache.bytes()), (None, 0));
    }
}
