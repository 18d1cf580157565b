//! Points in an Apache Parquet file (parquet.apache.org/docs/file-format): a row is a point, columns as in
//! [`arrow`](super::arrow).
//!
//! The end of a file tells where its parts are, so that it is read from a file and not from a stream.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::error::{Chunk, DecodeError};
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
        let (schema, total_rows, batches) = guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(input)?;
            let (schema, rows) = (builder.schema().clone(), builder.metadata().file_metadata().num_rows());
            Ok::<_, ParquetError>((schema, rows, builder.with_batch_size(BATCH_ROWS).build()?))
        })?;
        let rows = TableReader::new(&schema, name)?;
        Ok(Self { batches, rows, left: None, read_rows: 0, total_rows: u64::try_from(total_rows).unwrap_or(0) })
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
                let Some(table) = guarded(|| batches.next().transpose())? else { return Ok(None) };
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

/// Runs the reader of another library on bytes of which it makes more than can be checked beforehand: where it panics,
/// the file is refused, and the reader is not used again.
fn guarded<T, E: std::fmt::Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, DecodeError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| unreadable("the Parquet file cannot be read", error)),
        Err(_) => Err(unreadable("the Parquet file is damaged", "its structure contradicts itself")),
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
