//! Points in an Apache Parquet file (parquet.apache.org/docs/file-format): a row is a point, columns as in
//! [`arrow`](super::arrow).
//!
//! The end of a file tells where its parts are, so that it is read from a file and not from a stream.

use std::fs::File;

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::error::{Chunk, DecodeError};
use super::guard::{CONTRADICTION, guarded};
use super::table::{TableReader, unreadable};
use crate::model::MetricName;

/// Rows that are unpacked at a time.
const BATCH_ROWS: usize = 16_384;

/// Reads points of a file of any length, a few rows of one row group at a time. Bad rows are data: they come beside
/// the good ones, under their index.
#[derive(Debug)]
pub struct ParquetReader {
    batches: ParquetRecordBatchReader,
    rows: TableReader,
    /// What is left of the rows that were unpacked.
    left: Option<RecordBatch>,
    read_rows: u64,
    total_rows: u64,
}

impl ParquetReader {
    /// Reads the file's description. `name` is the metric of every row where there is no column `name`.
    ///
    /// # Errors
    /// [`DecodeError::Schema`] when its columns cannot be used, [`DecodeError::Syntax`] when it is no Parquet file.
    pub fn new(file: File, name: Option<MetricName>) -> Result<Self, DecodeError> {
        Self::of(file, name)
    }

    fn of<R: ChunkReader + 'static>(input: R, name: Option<MetricName>) -> Result<Self, DecodeError> {
        let input = Checked(input);
        let (schema, total_rows, batches) = checked(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(input)?;
            let (schema, rows) = (builder.schema().clone(), rows_of(builder.metadata())?);
            Ok::<_, ParquetError>((schema, rows, builder.with_batch_size(BATCH_ROWS).build()?))
        })?;
        let rows = TableReader::new(&schema, name)?;
        Ok(Self { batches, rows, left: None, read_rows: 0, total_rows })
    }

    /// The next rows, at most `most`; none at the end of the file.
    ///
    /// # Errors
    /// [`DecodeError`] when the file cannot be read or is damaged.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        let table = match self.left.take() {
            Some(left) => left,
            None => {
                let batches = &mut self.batches;
                let Some(table) = checked(|| batches.next().transpose())? else { return Ok(None) };
                self.rows.came(table.get_array_memory_size());
                table
            }
        };
        let most = most.max(1).min(table.num_rows());
        self.left = (most < table.num_rows()).then(|| table.slice(most, table.num_rows() - most));
        self.read_rows += most as u64;
        let mut errors = Vec::new();
        self.rows.read(&table.slice(0, most), |error| errors.push(error))?;
        Ok(Some(Chunk { batch: self.rows.take_batch(), errors }))
    }

    /// How many rows were read, and how many the file says that it has.
    pub fn progress(&self) -> (u64, u64) {
        (self.read_rows, self.total_rows)
    }
}

/// How many rows the file's parts have, if what it says of them can be true: its reader takes for granted that nothing
/// is negative.
fn rows_of(metadata: &ParquetMetaData) -> Result<u64, ParquetError> {
    let contradiction = |what: &str| ParquetError::General(format!("it says of its parts {what}"));
    let mut all: u64 = 0;
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).ok().and_then(|rows| all.checked_add(rows));
        all = rows
            .filter(|rows| *rows < i64::MAX as u64)
            .ok_or_else(|| contradiction("that they have impossibly many rows"))?;
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(0).min(column.data_page_offset());
            if start.min(column.compressed_size()) < 0 {
                return Err(contradiction("that one lies before its start"));
            }
        }
    }
    Ok(all)
}

/// Runs the reader of the file on bytes of which it makes more than can be checked beforehand.
fn checked<T, E: std::fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, DecodeError> {
    match guarded(read) {
        Some(result) => result.map_err(|error| unreadable("the Parquet file cannot be read", error)),
        None => Err(unreadable("the Parquet file is damaged", CONTRADICTION)),
    }
}

/// An input of which nothing is read that lies beyond its end: room is made for what is there, not for what a damaged
/// file announces.
struct Checked<R>(R);

impl<R: ChunkReader> Checked<R> {
    fn check(&self, start: u64, length: u64) -> Result<(), ParquetError> {
        match start.checked_add(length) {
            Some(end) if end <= self.0.len() => Ok(()),
            _ => Err(ParquetError::EOF(format!("it ends before byte {}", start.saturating_add(length)))),
        }
    }
}

impl<R: ChunkReader> Length for Checked<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Checked<R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> Result<R::T, ParquetError> {
        self.check(start, 0)?;
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.check(start, length as u64)?;
        self.0.get_bytes(start, length)
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
