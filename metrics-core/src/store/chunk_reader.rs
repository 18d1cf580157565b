//! Reading chunks' tables: the rows of some series in a span of time, column by column.
//!
//! DuckDB plans every execution of a statement that reads a table anew, prepared or not, which takes longer than a
//! small read itself. Small reads are therefore put together, several tables in one statement, and what they gave is
//! kept in memory: chunks never change.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{SchemaRef, UInt8Type};
use duckdb::{Connection, ToSql};

use super::chunk::ChunkTable;
use super::error::{During, StoreError};
use super::head::Columns;
use super::read_cache::ReadCache;
use super::scan::{BucketColumns, SMALL_ROWS, Scan};

/// Points as they stand in a table.
pub(crate) struct RawBatch<'a> {
    pub(crate) series: &'a [u64],
    pub(crate) t: &'a [i64],
    pub(crate) values: std::borrow::Cow<'a, [f64]>,
}

impl<'a> RawBatch<'a> {
    /// Of the rows that a read of points gave.
    pub(crate) fn of(columns: &Columns<'a>, table: &ChunkTable) -> Result<Self, StoreError> {
        Ok(Self { series: columns.u64s(0)?, t: columns.i64s(1)?, values: columns.values(2, table)? })
    }
}

/// Partials as they stand in a table; of the columns that can be left out, those that were asked for.
pub(crate) struct BucketBatch<'a> {
    pub(crate) table: &'a ChunkTable,
    pub(crate) series: &'a [u64],
    pub(crate) t: &'a [i64],
    pub(crate) counts: &'a [u64],
    pub(crate) sums: &'a [f64],
    pub(crate) m2: Option<&'a [f64]>,
    /// `min` and `max`
    pub(crate) extremes: Option<(&'a [f64], &'a [f64])>,
    /// `first` and `last`, each with its distance from the bucket's start in microseconds.
    pub(crate) ends: Option<[(&'a [i64], &'a [f64]); 2]>,
    pub(crate) digests: Option<&'a arrow::array::BinaryArray>,
}

impl<'a> BucketBatch<'a> {
    /// Of the rows that a read of these columns gave.
    pub(crate) fn of(columns: &Columns<'a>, table: &'a ChunkTable, wanted: BucketColumns) -> Result<Self, StoreError> {
        let mut places = 4..;
        let mut next = || places.next().expect("endless");
        Ok(Self {
            table,
            series: columns.u64s(0)?,
            t: columns.i64s(1)?,
            counts: columns.u64s(2)?,
            sums: columns.f64s(3)?,
            m2: wanted.spread.then(|| columns.f64s(next())).transpose()?,
            extremes: if wanted.extremes { Some((columns.f64s(next())?, columns.f64s(next())?)) } else { None },
            ends: if wanted.ends {
                let first = (columns.i64s(next())?, columns.f64s(next())?);
                Some([first, (columns.i64s(next())?, columns.f64s(next())?)])
            } else {
                None
            },
            digests: wanted.digest.then(|| columns.blobs(next())).transpose()?,
        })
    }
}

/// Most tables in one statement: planning takes the same time a table.
const MAX_PARTS: usize = 16;
/// Most rows that are expected of the small reads that are held at a time.
const MAX_ROWS_TOGETHER: u64 = 262_144;

/// Makes reads and hands on the rows of each, in the order of the reads, within each in the table's order. A read may
/// come in several batches, or in none.
pub(crate) fn scan_tables<E: From<StoreError>>(
    connection: &Connection,
    cache: &ReadCache,
    scans: &[Scan],
    mut each: impl FnMut(&Scan, &Columns<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = scans;
    while !rest.is_empty() {
        let (held, later) = rest.split_at(held_together(rest));
        scan_held(connection, cache, held, &mut each)?;
        rest = later;
    }
    Ok(())
}

/// How many of the next reads, at least one, are expected to give as few rows as may be held at a time.
fn held_together(scans: &[Scan]) -> usize {
    let mut expected = 0;
    let rows = scans.iter().map(|scan| if scan.is_small() { scan.kept().expected_rows } else { 0 });
    rows.take_while(|rows| {
        expected += rows;
        expected <= MAX_ROWS_TOGETHER
    })
    .count()
    .max(1)
}

fn scan_held<E: From<StoreError>>(
    connection: &Connection,
    cache: &ReadCache,
    scans: &[Scan],
    each: &mut impl FnMut(&Scan, &Columns<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut held = Vec::with_capacity(scans.len());
    for scan in scans {
        held.push(found(connection, cache, scan)?);
    }
    for together in together(scans, &held) {
        read_together(connection, cache, scans, &together, &mut held)?;
    }
    for (scan, held) in scans.iter().zip(held) {
        match held {
            Some(kept) => {
                let rows = scan.rows_within(&kept);
                each(scan, &Columns::of(&kept.slice(rows.start, rows.len())))?;
            }
            None => stream(connection, scan, each)?,
        }
    }
    Ok(())
}

/// What a read finds in memory, or in a whole table that is read now to be kept.
fn found(connection: &Connection, cache: &ReadCache, scan: &Scan) -> Result<Option<Arc<RecordBatch>>, StoreError> {
    let action = "cannot read what is kept of a chunk";
    if let Some(table) = cache.tables.get(scan) {
        return Ok(Some(Arc::new(scan.taken_from(&table).during(action)?)));
    }
    if let Some(rows) = scan.is_small().then(|| cache.get(&scan.kept())).flatten() {
        return Ok(Some(rows));
    }
    let Some(whole) = cache.tables.admit(scan) else {
        return Ok(None);
    };
    let mut batches = Vec::new();
    stream(connection, &whole, &mut |_, columns| -> Result<(), StoreError> {
        batches.push(columns.batch().clone());
        Ok(())
    })?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let table = Arc::new(concat_batches(&first.schema(), &batches).during(action)?);
    cache.tables.put(&whole, Arc::clone(&table));
    Ok(Some(Arc::new(scan.taken_from(&table).during(action)?)))
}

/// The small reads that are still to be made, by their places, as they are put together.
fn together(scans: &[Scan], held: &[Option<Arc<RecordBatch>>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, scan) in scans.iter().enumerate().filter(|(place, scan)| scan.is_small() && held[*place].is_none()) {
        let open = groups.iter_mut().find(|group| scans[group[0]].is_alike(scan) && group.len() < MAX_PARTS);
        match open {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// Makes alike reads in one statement. One that gives many more rows than was expected stays unheld.
fn read_together(
    connection: &Connection,
    cache: &ReadCache,
    scans: &[Scan],
    places: &[usize],
    held: &mut [Option<Arc<RecordBatch>>],
) -> Result<(), StoreError> {
    let action = "cannot read chunks";
    let kept: Vec<Scan> = places.iter().map(|&place| scans[place].kept()).collect();
    let mut parts = Vec::with_capacity(kept.len());
    let mut values = Vec::new();
    for (part, scan) in kept.iter().enumerate() {
        let (source, more) = scan.source();
        let limit = 2 * SMALL_ROWS + 1;
        parts.push(format!("(SELECT {part}::UTINYINT, {} {source} LIMIT {limit})", scan.column_list()));
        values.extend(more);
    }
    let mut found: Vec<Vec<RecordBatch>> = vec![Vec::new(); kept.len()];
    let schema = each_batch(connection, &parts.join(" UNION ALL "), &values, |batch| -> Result<(), StoreError> {
        split(&batch, &mut found).during(action)
    })?;
    let schema = Arc::new(schema.project(&(1..schema.fields().len()).collect::<Vec<_>>()).during(action)?);
    for ((&place, scan), batches) in places.iter().zip(&kept).zip(found) {
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64 <= 2 * SMALL_ROWS {
            let rows = Arc::new(concat_batches(&schema, &batches).during(action)?);
            cache.put(scan, Arc::clone(&rows));
            held[place] = Some(rows);
        }
    }
    Ok(())
}

/// Copies the rows of each part out of a batch whose first column tells the part.
fn split(batch: &RecordBatch, found: &mut [Vec<RecordBatch>]) -> Result<(), arrow::error::ArrowError> {
    let parts = batch.column(0).as_primitive::<UInt8Type>().values();
    let columns: Vec<usize> = (1..batch.num_columns()).collect();
    let rest = batch.project(&columns)?;
    let mut start = 0;
    for run in parts.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        let rows = UInt32Array::from_iter_values((start..end).map(|row| row as u32));
        found[usize::from(run[0])].push(take_record_batch(&rest, &rows)?);
        start = end;
    }
    Ok(())
}

/// Reads many rows as DuckDB gives them, without holding them all.
fn stream<E: From<StoreError>>(
    connection: &Connection,
    scan: &Scan,
    each: &mut impl FnMut(&Scan, &Columns<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (source, values) = scan.source();
    let sql = format!("SELECT {} {source}", scan.column_list());
    each_batch(connection, &sql, &values, |batch| each(scan, &Columns::of(&batch))).map(|_| ())
}

/// Runs a statement and hands its batches on; gives back their schema. The statement is kept for the next time, unless
/// it was given up half way.
///
/// The rows come as a stream, also where all of them are wanted: a kept statement holds its last result, which of a stream
/// that has ended is empty, and of one that has not holds its transaction open.
fn each_batch<E: From<StoreError>>(
    connection: &Connection,
    sql: &str,
    values: &[Box<dyn ToSql>],
    mut each: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<SchemaRef, E> {
    let action = "cannot read a chunk";
    let mut statement = connection.prepare_cached(sql).during(action)?;
    let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    let stream = statement.stream_arrow(&values[..]).during(action);
    let ended = stream.map_err(E::from).and_then(|mut batches| {
        let schema = batches.get_schema();
        batches.try_for_each(|batch| each(batch.during(action)?))?;
        Ok(schema)
    });
    if ended.is_err() {
        statement.discard();
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::Tier;
    use crate::store::{ScanRange, SeriesId};

    fn scan(expected_rows: u64) -> Scan {
        let table = ChunkTable { tier: Tier::Raw, rows: 0, base: 0, unit: 1, scale: None, digest: false };
        let range = ScanRange { low: SeriesId(1), high: SeriesId(2), from: 0, to: 9 };
        let columns = BucketColumns::default();
        Scan { chunk: 1, table, columns, range, expected_rows, expected_rows_of_all_time: expected_rows }
    }

    #[test]
    fn no_more_rows_are_held_at_a_time_than_their_bound() {
        let many = vec![scan(SMALL_ROWS); 100];
        assert_eq!(held_together(&many) as u64, MAX_ROWS_TOGETHER / SMALL_ROWS);
        assert_eq!(held_together(&[scan(10), scan(20)]), 2);
        // What is streamed is not held.
        assert_eq!(held_together(&vec![scan(SMALL_ROWS + 1); 20]), 20);
    }
}
