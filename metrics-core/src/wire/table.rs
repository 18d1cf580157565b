//! Points in a table of typed columns, as Arrow and Parquet have them: a row is a point.
//!
//! Columns are found by name: `timestamp` (or `time`), `value`, `name` where no option gives the metric, and labels.
//! A column `labels` holds all labels of a row, as a map of texts or as the text of a JSON object; every other column
//! of texts is one label, null or empty where a row has none.

mod cells;
mod columns;
mod text;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::error::{DecodeError, Place, RowError, RowFault};
use super::intern::SeriesCache;
use crate::model::{Batch, MetricName, SeriesKey};
use cells::Cells;
pub(super) use cells::unreadable;
use columns::Columns;

pub(crate) use columns::column_of_label;

/// How many bytes of names and labels may be looked at for each byte that came in. Texts that refer to shared bytes
/// (views, dictionaries) could else make a small body as much work as one of any size.
const TEXT_FACTOR: usize = 64;
/// The same for the names and labels of all series, each once, which are kept in memory.
const SERIES_FACTOR: usize = 8;
/// What every table may take whatever its size, in bytes.
const FREE_BYTES: usize = 16 << 20;

/// Reads tables of one schema, one after the other.
#[derive(Debug)]
pub(super) struct TableReader {
    columns: Columns,
    batch: Batch,
    cache: SeriesCache,
    spelling: Vec<u8>,
    /// Rows read so far, of all tables.
    rows: usize,
    work: Work,
}

/// What came in and what was made of it, in bytes.
#[derive(Debug, Default)]
struct Work {
    came: usize,
    texts: usize,
    series: usize,
}

impl Work {
    fn check(&self) -> Result<(), DecodeError> {
        let allowed = |factor: usize| self.came.saturating_mul(factor).saturating_add(FREE_BYTES);
        let what = if self.texts > allowed(TEXT_FACTOR) {
            "names and labels that share their bytes are more than 64 times as long as the table"
        } else if self.series > allowed(SERIES_FACTOR) {
            "names and labels of all series are more than 8 times as long as the table"
        } else {
            return Ok(());
        };
        Err(DecodeError::Syntax { place: Place::Body, message: format!("{what}: send it in parts") })
    }
}

impl TableReader {
    /// Finds the columns.
    ///
    /// # Errors
    /// [`DecodeError::Schema`] when one is missing, has a type that is not taken, or contradicts the option.
    pub(super) fn new(schema: &Schema, name: Option<MetricName>) -> Result<Self, DecodeError> {
        Ok(Self {
            columns: Columns::of(schema, name)?,
            batch: Batch::new(),
            cache: SeriesCache::default(),
            spelling: Vec::new(),
            rows: 0,
            work: Work::default(),
        })
    }

    /// Tells that so many bytes came in.
    pub(super) fn came(&mut self, bytes: usize) {
        self.work.came = self.work.came.saturating_add(bytes);
    }

    /// Reads all rows of a table into the batch.
    ///
    /// # Errors
    /// [`DecodeError`] when the columns are not of the types that the schema announced, or texts are repeated without
    /// bound; bad rows go to `bad`.
    pub(super) fn read(&mut self, table: &RecordBatch, mut bad: impl FnMut(RowError)) -> Result<(), DecodeError> {
        let cells = Cells::of(table, &self.columns)?;
        // Words of a dictionary are told apart by their number, which means another word in the next table.
        self.cache = SeriesCache::default();
        for row in 0..table.num_rows() {
            if let Err(fault) = self.row(&cells, row) {
                bad(fault.at(Place::Index(self.rows)));
            }
            self.rows += 1;
            self.work.check()?;
        }
        Ok(())
    }

    /// The rows read so far; the next ones go to a new batch.
    pub(super) fn take_batch(&mut self) -> Batch {
        self.cache.next_batch();
        std::mem::take(&mut self.batch)
    }

    fn row(&mut self, cells: &Cells, row: usize) -> Result<(), RowFault> {
        let timestamp = cells.timestamp(row)?;
        let value = cells.value(row)?;
        self.spelling.clear();
        cells.spell(row, &mut self.spelling);
        self.work.texts = self.work.texts.saturating_add(self.spelling.len());
        let known = self.batch.series().len();
        let key = || cells.series(row, &self.columns);
        let series = self.cache.series(&mut self.batch, &self.spelling, key)?;
        if let Some(new) = self.batch.series().get(known) {
            self.work.series += key_bytes(new);
        }
        self.batch.push_sample(series, timestamp, value).map_err(|error| RowFault::of("value", error.to_string()))
    }
}

fn key_bytes(key: &SeriesKey) -> usize {
    let labels = key.labels.iter().map(|(name, value)| name.len() + value.len());
    key.name.as_str().len() + labels.sum::<usize>()
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
