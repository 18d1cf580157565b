//! CSV of any size, row by row.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::CsvOptions;
use super::columns::Columns;
use crate::model::Batch;
use crate::wire::error::{Chunk, DecodeError, Place, RowError, RowFault};
use crate::wire::intern::SeriesCache;

/// Longest row, in bytes, before reading is given up: a quote left open would else take the rest of the file.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Reads points row by row in constant memory. Bad rows are data: they come beside the good ones.
///
/// ```
/// use metrics_core::wire::csv::{CsvOptions, CsvReader};
/// let file = &b"timestamp,name,value,host\n2024-02-02,load,0.5,a\n2024-02-30,load,0.5,a\n"[..];
/// let mut reader = CsvReader::new(file, CsvOptions::default())?;
/// let chunk = reader.next_batch(10_000)?.expect("two rows");
/// assert_eq!((chunk.batch.len(), chunk.errors[0].to_string().starts_with("line 3: ")), (1, true));
/// assert!(reader.next_batch(10_000)?.is_none());
/// # Ok::<(), metrics_core::wire::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct CsvReader<R> {
    input: csv::Reader<Bounded<R>>,
    columns: Columns,
    row: ByteRecord,
    batch: Batch,
    cache: SeriesCache,
    spelling: Vec<u8>,
}

impl<R: Read> CsvReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`DecodeError::Empty`] without one, [`DecodeError::Header`] when it cannot be used, [`DecodeError::Read`] when
    /// the input fails.
    pub fn new(input: R, options: CsvOptions) -> Result<Self, DecodeError> {
        // Lines end at LF alone, so that they can be counted; the CR of a CRLF is taken off the last cell.
        let mut input = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Bounded { input, left: 0, last: b'\n' });
        let mut row = ByteRecord::new();
        loop {
            if !read_row(&mut input, &mut row)? {
                return Err(DecodeError::Empty);
            }
            if !is_blank(&row) {
                break;
            }
        }
        let columns = Columns::of(&row, options)?;
        Ok(Self { input, columns, row, batch: Batch::new(), cache: SeriesCache::default(), spelling: Vec::new() })
    }

    /// The next rows, at most `most`; none at the end of the file.
    ///
    /// # Errors
    /// [`DecodeError::Read`] when the input fails, [`DecodeError::Syntax`] when a row exceeds [`MAX_ROW_BYTES`].
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        let mut errors = Vec::new();
        let rows = self.read_rows(most.max(1), |error| errors.push(error))?;
        Ok((rows > 0).then(|| Chunk { batch: self.take_batch(), errors }))
    }

    /// Reads at most so many rows into the batch and tells how many there were.
    pub(super) fn read_rows(&mut self, most: usize, mut bad: impl FnMut(RowError)) -> Result<usize, DecodeError> {
        let mut rows = 0;
        while rows < most && read_row(&mut self.input, &mut self.row)? {
            if is_blank(&self.row) {
                continue;
            }
            rows += 1;
            if let Err(fault) = self.take_row() {
                bad(fault.at(Place::Line(self.line())));
            }
        }
        Ok(rows)
    }

    /// The rows read so far; the next ones go to a new batch.
    pub(super) fn take_batch(&mut self) -> Batch {
        self.cache.next_batch();
        std::mem::take(&mut self.batch)
    }

    fn take_row(&mut self) -> Result<(), RowFault> {
        self.columns.check_count(&self.row)?;
        let timestamp = self.columns.timestamp(&self.row)?;
        let value = self.columns.value(&self.row)?;
        self.spelling.clear();
        self.columns.spell(&self.row, &mut self.spelling);
        let series = self.cache.series(&mut self.batch, &self.spelling, || self.columns.series(&self.row))?;
        self.batch.push_sample(series, timestamp, value).map_err(|error| RowFault::of("value", error.to_string()))
    }

    /// The line on which the row at hand starts.
    fn line(&self) -> u64 {
        let inside = self.row.as_slice().iter().filter(|byte| **byte == b'\n').count();
        let inside = u64::try_from(inside).expect("lengths fit into 64 bits");
        // The row's own position is that of blank lines before it; an open quote ends a row without a line's end.
        let least = self.row.position().map_or(1, csv::Position::line);
        self.input.position().line().saturating_sub(1 + inside).max(least)
    }
}

fn read_row<R: Read>(input: &mut csv::Reader<Bounded<R>>, row: &mut ByteRecord) -> Result<bool, DecodeError> {
    input.get_mut().left = MAX_ROW_BYTES;
    let line = input.position().line();
    input.read_byte_record(row).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(source) if source.get_ref().is_some_and(|inner| inner.is::<LongRow>()) => {
            DecodeError::Syntax { place: Place::Line(line), message: LongRow.to_string() }
        }
        csv::ErrorKind::Io(source) => DecodeError::Read { line: line - 1, source },
        kind => DecodeError::Syntax { place: Place::Line(line), message: format!("{kind:?}") },
    })
}

fn is_blank(row: &ByteRecord) -> bool {
    row.len() <= 1 && row.as_slice().trim_ascii().is_empty()
}

/// A row that goes on beyond its bound.
#[derive(Debug, thiserror::Error)]
#[error("a row is longer than {MAX_ROW_BYTES} bytes: is a quote left open?")]
struct LongRow;

/// Input that gives at most so many bytes for a row, and a line's end after the last one.
#[derive(Debug)]
struct Bounded<R> {
    input: R,
    left: usize,
    last: u8,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(LongRow));
        }
        let most = buffer.len().min(self.left);
        let length = self.input.read(&mut buffer[..most])?;
        self.left -= length;
        if length > 0 {
            self.last = buffer[length - 1];
            return Ok(length);
        }
        if self.last == b'\n' || most == 0 {
            return Ok(0);
        }
        self.last = b'\n';
        buffer[0] = b'\n';
        Ok(1)
    }
}
