//! Reading a chunk's tables: the rows of some series in a span of time, column by column.

use arrow::array::RecordBatch;
use duckdb::{Connection, ToSql};

use super::chunk::{Chunk, ChunkTable, table_name};
use super::error::{During, StoreError};
use super::head::Columns;
use super::registry::SeriesId;
use crate::rollup::Tier;

/// What to read: series by number, time half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanRange {
    pub(crate) low: SeriesId,
    pub(crate) high: SeriesId,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Points as they stand in a table.
pub(crate) struct RawBatch<'a> {
    pub(crate) table: &'a ChunkTable,
    pub(crate) series: &'a [u64],
    pub(crate) t: &'a [i64],
    pub(crate) values: &'a [f64],
}

/// Partials as they stand in a table: the columns asked for, in the order asked for.
pub(crate) struct BucketBatch<'a> {
    pub(crate) table: &'a ChunkTable,
    pub(crate) series: &'a [u64],
    pub(crate) t: &'a [i64],
    pub(crate) counts: &'a [u64],
    columns: Columns<'a>,
}

/// Columns that every read of buckets takes: series, t, count.
const FIXED_COLUMNS: usize = 3;

impl<'a> BucketBatch<'a> {
    /// A column of numbers, by its place among those asked for.
    pub(crate) fn f64s(&self, place: usize) -> Result<&'a [f64], StoreError> {
        self.columns.f64s(FIXED_COLUMNS + place)
    }

    /// A column of times as distances from the bucket's start, by its place.
    pub(crate) fn i64s(&self, place: usize) -> Result<&'a [i64], StoreError> {
        self.columns.i64s(FIXED_COLUMNS + place)
    }

    /// A column of sketches, by its place.
    pub(crate) fn blobs(&self, place: usize) -> Result<&'a arrow::array::BinaryArray, StoreError> {
        self.columns.blobs(FIXED_COLUMNS + place)
    }
}

/// Tables up to which a result is made at once rather than streamed: streaming costs a fraction of a millisecond.
const MATERIALIZED_ROWS: u64 = 1_000_000;

/// Reads the rows of a table in a range. Batches come in the table's order: by series, then by time.
fn scan(
    connection: &Connection,
    chunk: &Chunk,
    table: &ChunkTable,
    columns: &str,
    range: ScanRange,
    mut each: impl FnMut(&Columns<'_>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let action = "cannot read a chunk";
    let name = table_name(chunk.id, table.tier);
    let (from, to) = (table.ceil(range.from), table.ceil(range.to));
    let mut rows = 0;
    let mut take = |batch: RecordBatch| {
        rows += batch.num_rows() as u64;
        each(&Columns::of(&batch))
    };
    let condition = if range.low == range.high { "series = ?" } else { "series BETWEEN ? AND ?" };
    let sql = format!("SELECT {columns} FROM {name} WHERE {condition} AND t >= ? AND t < ?");
    let mut statement = connection.prepare_cached(&sql).during(action)?;
    let series = [range.low.0, range.high.0];
    let series = if range.low == range.high { &series[..1] } else { &series[..] };
    let parameters: Vec<&dyn ToSql> =
        series.iter().map(|id| id as &dyn ToSql).chain([&from as &dyn ToSql, &to as &dyn ToSql]).collect();
    if range.low == range.high || table.rows <= MATERIALIZED_ROWS {
        statement.execute(&parameters[..]).during(action)?;
        while let Some(batch) = statement.step().during(action)? {
            take(RecordBatch::from(&batch))?;
        }
    } else {
        for batch in statement.stream_arrow(&parameters[..]).during(action)? {
            take(batch.during(action)?)?;
        }
    }
    Ok(rows)
}

/// Reads points. Gives back how many.
pub(crate) fn scan_raw(
    connection: &Connection,
    chunk: &Chunk,
    table: &ChunkTable,
    range: ScanRange,
    mut each: impl FnMut(RawBatch<'_>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    debug_assert_eq!(table.tier, Tier::Raw);
    scan(connection, chunk, table, "series, t, value", range, |columns| {
        let values = columns.values(2, table)?;
        each(RawBatch { table, series: columns.u64s(0)?, t: columns.i64s(1)?, values: &values })
    })
}

/// Reads buckets that start in the range, with the columns asked for (names of the rollup tables' own).
/// Gives back how many rows.
pub(crate) fn scan_buckets(
    connection: &Connection,
    chunk: &Chunk,
    table: &ChunkTable,
    wanted: &[&'static str],
    range: ScanRange,
    mut each: impl FnMut(BucketBatch<'_>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    debug_assert_ne!(table.tier, Tier::Raw);
    let columns = ["series", "t", "count"].iter().chain(wanted).copied().collect::<Vec<_>>().join(", ");
    scan(connection, chunk, table, &columns, range, |columns| {
        each(BucketBatch {
            table,
            series: columns.u64s(0)?,
            t: columns.i64s(1)?,
            counts: columns.u64s(2)?,
            columns: Columns::of(columns.batch()),
        })
    })
}
