//! What is read of a chunk's tables, and its SQL.

use std::ops::Range;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, UInt64Type};
use arrow::error::ArrowError;
use duckdb::ToSql;

use super::chunk::{ChunkId, ChunkTable, table_name};
use super::registry::SeriesId;
use crate::rollup::Tier;

/// What to read: series by number, time half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScanRange {
    pub(crate) low: SeriesId,
    pub(crate) high: SeriesId,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Columns of a rollup table that a read takes beside `series`, `t`, `count` and `sum`, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct BucketColumns {
    /// `m2`
    pub(crate) spread: bool,
    /// `min`, `max`
    pub(crate) extremes: bool,
    /// `first_at`, `first`, `last_at`, `last`
    pub(crate) ends: bool,
    /// `digest`
    pub(crate) digest: bool,
}

/// One read of one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    pub(crate) chunk: ChunkId,
    pub(crate) table: ChunkTable,
    /// Of a rollup; the points' table has just its own.
    pub(crate) columns: BucketColumns,
    pub(crate) range: ScanRange,
    /// Rows that are expected of it, and of its series in the whole table.
    pub(crate) expected_rows: u64,
    pub(crate) expected_rows_of_all_time: u64,
}

/// Reads expected to give at most so many rows are put together and kept.
pub(super) const SMALL_ROWS: u64 = 32_768;
impl Scan {
    pub(super) fn is_small(&self) -> bool {
        self.expected_rows <= SMALL_ROWS
    }

    fn has_one_series(&self) -> bool {
        self.range.low == self.range.high
    }

    /// The read that is made and kept in its place: of one series all that the table holds, if that is little, so that
    /// the next one finds it whatever its time.
    pub(super) fn kept(&self) -> Self {
        let mut kept = *self;
        if self.has_one_series() && self.expected_rows_of_all_time <= SMALL_ROWS {
            (kept.range.from, kept.range.to) = (i64::MIN, i64::MAX);
            kept.expected_rows = self.expected_rows_of_all_time;
        }
        kept
    }

    /// Of the rows that were kept, in the table's order, those that are asked for.
    pub(super) fn rows_within(&self, kept: &RecordBatch) -> Range<usize> {
        if !self.has_one_series() {
            return 0..kept.num_rows();
        }
        let t = kept.column(1).as_primitive::<Int64Type>().values();
        debug_assert!(t.is_sorted(), "the rows of one series stand in the order of time");
        let (from, to) = self.bounds();
        let first = t.partition_point(|&t| t < from);
        first..first + t[first..].partition_point(|&t| t < to)
    }

    /// The read of the whole table that it can be taken from: a rollup's, with the columns that averages and charts
    /// take. None where it takes others.
    pub(super) fn whole(&self) -> Option<Self> {
        let BucketColumns { spread, extremes: _, ends, digest } = self.columns;
        (self.table.tier != Tier::Raw && !spread && !ends && !digest).then(|| Self {
            columns: BucketColumns { extremes: true, ..BucketColumns::default() },
            range: ScanRange { low: SeriesId(0), high: SeriesId(u64::MAX), from: i64::MIN, to: i64::MAX },
            expected_rows: self.table.rows,
            expected_rows_of_all_time: self.table.rows,
            ..*self
        })
    }

    /// Bytes that the rows of a whole table take: six columns of eight bytes each.
    pub(super) fn whole_bytes(&self) -> u64 {
        self.table.rows * 6 * 8
    }

    /// Its rows out of those of the whole table.
    pub(super) fn taken_from(&self, whole: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = if self.columns.extremes { whole.num_columns() } else { 4 };
        let series = whole.column(0).as_primitive::<UInt64Type>().values();
        let first = series.partition_point(|&series| series < self.range.low.0);
        let count = series[first..].partition_point(|&series| series <= self.range.high.0);
        let rows = whole.project(&(0..columns).collect::<Vec<_>>())?.slice(first, count);
        let (from, to) = self.bounds();
        let is_within = |&t: &i64| from <= t && t < to;
        let t = rows.column(1).as_primitive::<Int64Type>().values();
        if t.iter().all(is_within) {
            return Ok(rows);
        }
        let within: BooleanArray = t.iter().map(|t| Some(is_within(t))).collect();
        filter_record_batch(&rows, &within)
    }

    /// Its time as stored: half-open.
    fn bounds(&self) -> (i64, i64) {
        (self.table.ceil(self.range.from), self.table.ceil(self.range.to))
    }

    pub(super) fn column_list(&self) -> String {
        if self.table.tier == Tier::Raw {
            return "series, t, value".into();
        }
        let BucketColumns { spread, extremes, ends, digest } = self.columns;
        let more = [
            (spread, ", m2"),
            (extremes, ", min, max"),
            (ends, ", first_at, first, last_at, last"),
            (digest, ", digest"),
        ];
        let more = more.iter().filter(|(wanted, _)| *wanted).map(|(_, names)| *names);
        ["series, t, count, sum"].into_iter().chain(more).collect()
    }

    /// `FROM` and `WHERE`, and the values of its parameters.
    pub(super) fn source(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let name = table_name(self.chunk, self.table.tier);
        let (from, to) = self.bounds();
        let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(self.range.low.0)];
        let series = if self.has_one_series() {
            "series = ?"
        } else {
            values.push(Box::new(self.range.high.0));
            "series BETWEEN ? AND ?"
        };
        values.extend([Box::new(from) as Box<dyn ToSql>, Box::new(to)]);
        (format!("FROM {name} WHERE {series} AND t >= ? AND t < ?"), values)
    }

    /// Whether both give columns of the same types, and can stand in one statement.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        let points = |scan: &Self| (scan.table.tier == Tier::Raw).then_some(scan.table.scale.is_some());
        points(self) == points(other) && (points(self).is_some() || self.columns == other.columns)
    }
}
