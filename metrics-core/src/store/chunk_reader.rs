//! Reading chunks' tables: the rows of some series in a span of time, column by column.
//!
//! DuckDB plans every execution of a statement that reads a table anew, prepared or not, which takes longer than a
//! small read itself. Small reads are therefore put together, several tables in one statement, and what they gave is
//! kept in memory: chunks never change.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::UInt8Type;
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
/// Most rows that are expected of one statement over several tables, which bounds what is held at a time.
const MAX_ROWS_TOGETHER: u64 = 262_144;

/// Makes reads and hands on the rows of each, in the order of the reads, within each in the table's order. A read may
/// come in several batches, or in none.
pub(crate) fn scan_tables<E: From<StoreError>>(
    connection: &Connection,
    cache: &ReadCache,
    scans: &[Scan],
    mut each: impl FnMut(&Scan, &Columns<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut held: Vec<Option<Arc<RecordBatch>>> =
        scans.iter().map(|scan| if scan.is_small() { cache.get(&scan.kept()) } else { None }).collect();
    for together in together(scans, &held) {
        read_together(connection, cache, scans, &together, &mut held)?;
    }
    for (scan, held) in scans.iter().zip(held) {
        match held {
            Some(kept) => {
                let rows = scan.rows_within(&kept);
                each(scan, &Columns::of(&kept.slice(rows.start, rows.len())))?;
            }
            None => stream(connection, scan, &mut each)?,
        }
    }
    Ok(())
}

/// The small reads that are still to be made, by their places, as they are put together.
fn together(scans: &[Scan], held: &[Option<Arc<RecordBatch>>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
    for (place, scan) in scans.iter().enumerate().filter(|(place, scan)| scan.is_small() && held[*place].is_none()) {
        let rows = scan.kept().expected_rows;
        let open = groups.iter_mut().find(|(expected, group)| {
            scans[group[0]].is_alike(scan) && group.len() < MAX_PARTS && expected + rows <= MAX_ROWS_TOGETHER
        });
        match open {
            Some((expected, group)) => {
                *expected += rows;
                group.push(place);
            }
            None => groups.push((rows, vec![place])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
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
    let mut statement = connection.prepare_cached(&parts.join(" UNION ALL ")).during(action)?;
    let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    statement.execute(&values[..]).during(action)?;
    let schema = statement.schema();
    let schema = Arc::new(schema.project(&(1..schema.fields().len()).collect::<Vec<_>>()).during(action)?);
    let mut found: Vec<Vec<RecordBatch>> = vec![Vec::new(); kept.len()];
    while let Some(batch) = statement.step().during(action)? {
        split(&RecordBatch::from(&batch), &mut found).during(action)?;
    }
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
    let action = "cannot read a chunk";
    let (source, values) = scan.source();
    let mut statement = connection.prepare_cached(&format!("SELECT {} {source}", scan.column_list())).during(action)?;
    let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    for batch in statement.stream_arrow(&values[..]).during(action)? {
        each(scan, &Columns::of(&batch.during(action)?))?;
    }
    Ok(())
}
