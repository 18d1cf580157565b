//! The buffers of a record batch: whether they are what the schema's columns need, before anything is read of them.
//!
//! The reader behind checks what stands in the buffers (offsets that ascend and lie within, keys that have a word,
//! UTF-8, how many nulls there are). What it takes for granted, and panics on, is checked here.

use arrow::datatypes::{DataType, FieldRef};
use arrow::ipc::{CompressionType, RecordBatch};

use super::messages::damaged;
use crate::wire::error::DecodeError;

/// Bytes in front of a compressed buffer that tell its length.
const LENGTH_BYTES: usize = 8;
/// Bytes of a view: a length and a short text, or where a long one stands.
const VIEW_BYTES: usize = 16;

/// The lengths of a batch's buffers after decompression. Every length in it is checked against what is there; none
/// when all of them take more than `most` bytes.
pub(super) fn plain_lengths(
    batch: &RecordBatch<'_>,
    body: &[u8],
    most: usize,
) -> Result<Option<Vec<usize>>, DecodeError> {
    let compressed = match batch.compression().map(|compression| compression.codec()) {
        None => false,
        Some(CompressionType::LZ4_FRAME | CompressionType::ZSTD) => true,
        Some(_) => return Err(damaged("its compression is neither LZ4 nor zstd")),
    };
    let mut all: usize = 0;
    let mut lengths = Vec::new();
    for buffer in batch.buffers().iter().flatten() {
        let start = usize::try_from(buffer.offset()).ok();
        let length = usize::try_from(buffer.length()).ok();
        let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
        let bytes = start.zip(end).and_then(|(start, end)| body.get(start..end));
        let bytes = bytes.ok_or_else(|| damaged("a buffer lies outside its message"))?;
        let plain = if compressed { announced_bytes(bytes)? } else { bytes.len() };
        all = all.saturating_add(plain);
        if all > most {
            return Ok(None);
        }
        lengths.push(plain);
    }
    Ok(Some(lengths))
}

/// The length that stands in front of a compressed buffer.
fn announced_bytes(buffer: &[u8]) -> Result<usize, DecodeError> {
    let Some((length, rest)) = buffer.split_first_chunk::<LENGTH_BYTES>() else {
        return if buffer.is_empty() { Ok(0) } else { Err(damaged("a compressed buffer has no length")) };
    };
    match i64::from_le_bytes(*length) {
        // It is stored plain.
        -1 => Ok(rest.len()),
        length => usize::try_from(length).map_err(|_| damaged("a compressed buffer has a negative length")),
    }
}

/// Checks that a batch has the nodes and buffers of columns of these types, each buffer a whole number of values and
/// at least as many as its column has rows.
///
/// # Errors
/// [`DecodeError::Syntax`] says what does not fit.
pub(super) fn check<'a>(
    batch: &RecordBatch<'_>,
    lengths: &[usize],
    columns: impl Iterator<Item = &'a DataType>,
) -> Result<(), DecodeError> {
    // A row takes at least a bit of some buffer: a number of rows without buffers is forged.
    let most = lengths.iter().fold(0, |all: usize, length| all.saturating_add(*length)).saturating_mul(8);
    let rows = usize::try_from(batch.length()).ok().filter(|rows| *rows <= most).ok_or_else(too_many_rows)?;
    let nodes = batch.nodes().iter().flatten().map(|node| (node.length(), node.null_count())).collect::<Vec<_>>();
    let views = batch.variadicBufferCounts().iter().flatten().collect::<Vec<_>>();
    let mut walk = Walk { most, nodes: nodes.iter(), lengths: lengths.iter(), views: views.iter() };
    for column in columns {
        if walk.column(column)? != rows {
            return Err(damaged("a column has more or fewer rows than its table"));
        }
    }
    Ok(())
}

fn too_many_rows() -> DecodeError {
    damaged("it announces more rows than its buffers hold")
}

/// What is left of a batch's parts, in the order of the columns.
struct Walk<'a> {
    /// Most rows of any column.
    most: usize,
    /// Rows and nulls of each column and each part of one.
    nodes: std::slice::Iter<'a, (i64, i64)>,
    lengths: std::slice::Iter<'a, usize>,
    /// How many buffers of texts each column of views has.
    views: std::slice::Iter<'a, i64>,
}

impl Walk<'_> {
    /// Passes the parts of a column; gives back how many rows it has.
    fn column(&mut self, of: &DataType) -> Result<usize, DecodeError> {
        let (rows, nulls) = self.node()?;
        if *of == DataType::Null {
            return Ok(rows);
        }
        self.validity(rows, nulls)?;
        match of {
            DataType::Boolean => self.values_of(1, rows.div_ceil(8))?,
            DataType::Utf8 => self.texts(size_of::<i32>(), rows)?,
            DataType::LargeUtf8 => self.texts(size_of::<i64>(), rows)?,
            DataType::Utf8View => self.views(rows)?,
            DataType::Dictionary(keys, _) => self.values_of(width(keys)?, rows)?,
            DataType::Map(entries, _) => self.map(entries, rows)?,
            plain => self.values_of(width(plain)?, rows)?,
        }
        Ok(rows)
    }

    /// The next column's rows and nulls.
    fn node(&mut self) -> Result<(usize, usize), DecodeError> {
        let (rows, nulls) = self.nodes.next().ok_or_else(|| damaged("a column has no rows announced"))?;
        let rows = usize::try_from(*rows).ok().filter(|rows| *rows <= self.most).ok_or_else(too_many_rows)?;
        let nulls = usize::try_from(*nulls).ok().filter(|nulls| *nulls <= rows);
        Ok((rows, nulls.ok_or_else(|| damaged("a column has more nulls than rows"))?))
    }

    /// Passes the buffer that tells which rows are null; it may be empty where none is.
    fn validity(&mut self, rows: usize, nulls: usize) -> Result<(), DecodeError> {
        if self.buffer()? < rows.div_ceil(8) && nulls > 0 {
            return Err(damaged("a column tells of fewer rows than it has which are null"));
        }
        Ok(())
    }

    fn buffer(&mut self) -> Result<usize, DecodeError> {
        self.lengths.next().copied().ok_or_else(|| damaged("a column has fewer buffers than its type needs"))
    }

    /// Passes a buffer of values of one width.
    fn values_of(&mut self, width: usize, count: usize) -> Result<(), DecodeError> {
        let length = self.buffer()?;
        if length % width == 0 && length / width >= count {
            Ok(())
        } else {
            Err(damaged("a buffer's length is not that of its column's values"))
        }
    }

    /// Passes a buffer of offsets: one more than rows, or none without rows.
    fn offsets(&mut self, width: usize, rows: usize) -> Result<(), DecodeError> {
        match (rows, self.lengths.as_slice().first()) {
            (0, Some(0)) => self.values_of(width, 0),
            _ => self.values_of(width, rows + 1),
        }
    }

    fn texts(&mut self, width: usize, rows: usize) -> Result<(), DecodeError> {
        self.offsets(width, rows)?;
        self.buffer().map(drop)
    }

    fn views(&mut self, rows: usize) -> Result<(), DecodeError> {
        self.values_of(VIEW_BYTES, rows)?;
        let count = self.views.next().and_then(|count| usize::try_from(*count).ok());
        let left = count.and_then(|count| self.lengths.as_slice().get(count..));
        self.lengths = left.ok_or_else(|| damaged("a column of views has other buffers than it announces"))?.iter();
        Ok(())
    }

    fn map(&mut self, entries: &FieldRef, rows: usize) -> Result<(), DecodeError> {
        self.offsets(size_of::<i32>(), rows)?;
        let DataType::Struct(pair) = entries.data_type() else { return Err(not_taken(entries.data_type())) };
        let (count, nulls) = self.node()?;
        self.validity(count, nulls)?;
        for field in pair {
            if self.column(field.data_type())? != count {
                return Err(damaged("a map has more or fewer names than values"));
            }
        }
        Ok(())
    }
}

/// Bytes of a value.
fn width(of: &DataType) -> Result<usize, DecodeError> {
    of.primitive_width().ok_or_else(|| not_taken(of))
}

fn not_taken(of: &DataType) -> DecodeError {
    damaged(&format!("a column is of the type {of}"))
}
