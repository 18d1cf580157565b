//! Points as CSV (RFC 4180): a header, then one point a line.
//!
//! The columns `timestamp` and `value` are required, `name` too where the options give none; every other column is a
//! label, and an empty cell is no label. Commas separate, double quotes enclose, lines end in LF or CRLF, blank lines
//! are passed over. A time without zone is UTC.

mod columns;
mod reader;

pub use reader::{CsvReader, MAX_ROW_BYTES};

use super::error::{DecodeError, RowErrors, strip_mark};
use crate::model::{Batch, Labels, MetricName};

/// What stands for columns that a CSV does not have.
#[derive(Debug, Clone, Default)]
pub struct CsvOptions {
    /// The metric of every row, for a CSV without the column `name`.
    pub name: Option<MetricName>,
    /// Labels of every row, beside those of its columns.
    pub labels: Labels,
}

/// Reads all rows or none.
///
/// # Errors
/// [`DecodeError`] says what is wrong and where; bad rows are listed by their line.
///
/// ```
/// use metrics_core::{MetricName, wire::csv};
/// let options = csv::CsvOptions { name: Some(MetricName::new("cpu").unwrap()), ..Default::default() };
/// let batch = csv::decode(b"timestamp,value\n2014-02-14 14:27:00,51.8\n", &options).unwrap();
/// assert_eq!(batch.points().next().unwrap().0.to_string(), "cpu");
///
/// let error = csv::decode(b"timestamp,value\n2014-02-14 14:27:00,many\n", &options).unwrap_err();
/// assert_eq!(error.to_string(), "line 2: value \"many\" is not a number");
/// ```
pub fn decode(body: &[u8], options: &CsvOptions) -> Result<Batch, DecodeError> {
    let mut reader = CsvReader::new(strip_mark(body)?, options.clone())?;
    let mut errors = RowErrors::default();
    reader.read_rows(usize::MAX, |error| errors.add(error))?;
    errors.all_or_nothing(reader.take_batch())
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
