//! Points as an Apache Arrow IPC stream (arrow.apache.org/docs/format/Columnar.html): a row is a point.
//!
//! Columns: `timestamp` (or `time`: timestamp of any unit with or without a zone, date, epoch integer, or text as in
//! JSON), `value` (any number), `name`, and labels: one column `labels` (a map of texts, or the text of a JSON object),
//! or a column of texts for each label; null or empty where a row has none. Texts may be plain, large, views or
//! dictionaries; buffers plain or compressed with LZ4 or zstd. A label whose name is that of another column has the
//! column `label.<name>`. The answer to a query of points in this format, and exported files, are read back as they are.
//! Files of the IPC file format (Feather) that hold a stream are read too: those of pyarrow and pandas, not of polars.

mod buffers;
mod messages;

use std::collections::VecDeque;
use std::io::Read;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;

use super::error::{Chunk, DecodeError, RowErrors};
use super::guard::{CONTRADICTION, guarded};
use super::table::{TableReader, unreadable};
use crate::model::{Batch, MetricName};
use messages::{Bound, Kind, Message, Messages};

/// Largest message of a stream, one table of rows or one dictionary, plain and after decompression, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Dictionaries are looked through with every table that uses them: how many of their bytes may be, for each byte of
/// the stream. Many tiny tables with a huge dictionary could else take quadratic time.
const DICTIONARY_FACTOR: usize = 64;
/// What may be looked through whatever the stream's length.
const FREE_DICTIONARY_BYTES: usize = 256 << 20;

/// Reads all rows or none. `name` is the metric of every row where there is no column `name`; `limit_bytes` is the
/// most that all buffers may take after decompression.
///
/// # Errors
/// [`DecodeError`] says what is wrong and where; bad rows are listed by their index.
pub fn decode(body: &[u8], name: Option<MetricName>, limit_bytes: usize) -> Result<Batch, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::Empty);
    }
    let bound = Bound { message: limit_bytes.min(MAX_MESSAGE_BYTES), all: limit_bytes };
    let mut reader = ArrowReader::bounded(body, name, bound)?;
    let mut errors = RowErrors::default();
    while let Some(table) = reader.table()? {
        reader.rows.read(&table, |error| errors.add(error))?;
    }
    errors.all_or_nothing(reader.rows.take_batch())
}

/// Reads points of a stream of any length, in the memory of its largest message. Bad rows are data: they come beside
/// the good ones.
#[derive(Debug)]
pub struct ArrowReader<R> {
    messages: Messages<R>,
    decoder: StreamDecoder,
    tables: VecDeque<RecordBatch>,
    rows: TableReader,
    /// Bytes of dictionaries that were looked through.
    dictionary_bytes: usize,
}

impl<R: Read> ArrowReader<R> {
    /// Reads the schema. `name` is the metric of every row where there is no column `name`.
    ///
    /// # Errors
    /// [`DecodeError::Schema`] when it cannot be used, [`DecodeError::Syntax`] when this is no Arrow stream,
    /// [`DecodeError::Read`] when the input fails.
    pub fn new(input: R, name: Option<MetricName>) -> Result<Self, DecodeError> {
        Self::bounded(input, name, Bound { message: MAX_MESSAGE_BYTES, all: usize::MAX })
    }

    fn bounded(input: R, name: Option<MetricName>, bound: Bound) -> Result<Self, DecodeError> {
        let mut messages = Messages::new(input, bound);
        let (schema, message) = messages.schema()?;
        let rows = TableReader::new(&schema, name)?;
        let decoder = StreamDecoder::new();
        let mut reader = Self { messages, decoder, tables: VecDeque::new(), rows, dictionary_bytes: 0 };
        reader.take(message)?;
        Ok(reader)
    }

    /// The next rows, at most `most`; none at the end of the stream.
    ///
    /// # Errors
    /// [`DecodeError`] when the input fails, is damaged, or passes a bound.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Chunk>, DecodeError> {
        let Some(table) = self.table()? else { return Ok(None) };
        let most = most.max(1).min(table.num_rows());
        if most < table.num_rows() {
            self.tables.push_front(table.slice(most, table.num_rows() - most));
        }
        let mut errors = Vec::new();
        self.rows.read(&table.slice(0, most), |error| errors.push(error))?;
        Ok(Some(Chunk { batch: self.rows.take_batch(), errors }))
    }

    /// The next table with rows.
    fn table(&mut self) -> Result<Option<RecordBatch>, DecodeError> {
        loop {
            if let Some(table) = self.tables.pop_front() {
                return Ok(Some(table));
            }
            let Some(message) = self.messages.next()? else { return Ok(None) };
            self.take(message)?;
        }
    }

    /// Hands a message over to the decoder.
    fn take(&mut self, message: Message) -> Result<(), DecodeError> {
        self.rows.came(message.bytes.len().max(message.plain_bytes));
        if let Kind::Rows { dictionary_bytes } | Kind::Delta { dictionary_bytes } = message.kind {
            self.dictionary_bytes = self.dictionary_bytes.saturating_add(dictionary_bytes);
            let allowed = self.messages.read_bytes().saturating_mul(DICTIONARY_FACTOR);
            if self.dictionary_bytes > allowed.saturating_add(FREE_DICTIONARY_BYTES) {
                let message = "the dictionaries are too large for so few rows at a time";
                return Err(unreadable(message, "write larger record batches, or plain texts"));
            }
        }
        let mut buffer = Buffer::from_vec(message.bytes);
        while !buffer.is_empty() {
            let decoder = &mut self.decoder;
            // What reaches the decoder was looked at, and its own checks are on.
            let table = match guarded(|| decoder.decode(&mut buffer)) {
                Some(result) => result.map_err(|error| unreadable("the Arrow stream is damaged", error))?,
                None => return Err(unreadable("the Arrow stream is damaged", CONTRADICTION)),
            };
            self.tables.extend(table.filter(|table| table.num_rows() > 0));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "arrow_tests.rs"]
mod tests;
