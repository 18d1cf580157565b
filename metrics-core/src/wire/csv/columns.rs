//! What the columns of a CSV are: its header, and the cells of a row by it.

use csv::ByteRecord;

use super::CsvOptions;
use crate::model::{Labels, MetricName, SeriesKey, Timestamp};
use crate::wire::decimal;
use crate::wire::error::{DecodeError, RowFault, UTF_16, excerpt};
use crate::wire::time;

/// Most columns; a wide table of one metric a column is another format.
const MAX_COLUMNS: usize = 256;

/// Where the cells of a point stand in a row.
#[derive(Debug)]
pub(super) struct Columns {
    count: usize,
    timestamp: usize,
    value: usize,
    /// None where the options name the metric.
    name: Option<usize>,
    /// The other columns and the label of each.
    labels: Vec<(usize, String)>,
    options: CsvOptions,
}

fn header_error(message: impl Into<String>) -> DecodeError {
    DecodeError::Header(message.into())
}

impl Columns {
    /// Finds the columns by the header.
    ///
    /// # Errors
    /// [`DecodeError::Header`] when one is missing, stands twice, or contradicts the options.
    pub(super) fn of(header: &ByteRecord, options: CsvOptions) -> Result<Self, DecodeError> {
        let names = header.iter().map(column_name).collect::<Result<Vec<_>, _>>()?;
        if names.len() > MAX_COLUMNS {
            return Err(header_error(format!("{} columns: at most {MAX_COLUMNS} are allowed", names.len())));
        }
        let mut sorted = names.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(header_error(format!("column {:?} stands twice", pair[0])));
        }
        let find = |wanted: &str| names.iter().position(|name| *name == wanted);
        let missing = |wanted: &str, remedy: &str| {
            header_error(format!("no column {wanted:?} in {}: {remedy}", excerpt(names.join(",").as_bytes())))
        };
        let usual = "a header such as timestamp,name,value with commas between is required";
        let timestamp = find("timestamp").ok_or_else(|| missing("timestamp", usual))?;
        let value = find("value").ok_or_else(|| missing("value", usual))?;
        let name = find("name");
        match (&options.name, name) {
            (Some(_), Some(_)) => {
                return Err(header_error(
                    "the metric's name is given as an option and as the column \"name\": use only one",
                ));
            }
            (None, None) => return Err(missing("name", "add it, or give the metric's name as an option")),
            _ => {}
        }
        let labels: Vec<(usize, String)> = names
            .into_iter()
            .enumerate()
            .filter(|(at, _)| ![Some(timestamp), Some(value), name].contains(&Some(*at)))
            .collect();
        if let Some((_, label)) = labels.iter().find(|(_, label)| options.labels.get(label).is_some()) {
            return Err(header_error(format!("label {label:?} is given as an option and as a column: use only one")));
        }
        Labels::new(labels.iter().map(|(_, label)| (label, ""))).map_err(|error| header_error(error.to_string()))?;
        Ok(Self { count: header.len(), timestamp, value, name, labels, options })
    }

    /// Refuses a row with more or fewer cells than the header.
    ///
    /// # Errors
    /// [`RowFault`] tells both counts.
    pub(super) fn check_count(&self, row: &ByteRecord) -> Result<(), RowFault> {
        if row.len() == self.count {
            return Ok(());
        }
        Err(RowFault::row(format!("{} cells: the header has {} columns", row.len(), self.count)))
    }

    /// The time of a row.
    ///
    /// # Errors
    /// [`RowFault`] when the cell holds none.
    pub(super) fn timestamp(&self, row: &ByteRecord) -> Result<Timestamp, RowFault> {
        let cell = trimmed("timestamp", self.cell(row, self.timestamp))?;
        time::parse(cell).map_err(|error| match cell {
            [] => RowFault::of("timestamp", "timestamp is empty: RFC 3339 such as 2024-02-02T11:43:02Z is required"),
            _ => RowFault::of("timestamp", error.to_string()),
        })
    }

    /// The value of a row, a finite number.
    ///
    /// # Errors
    /// [`RowFault`] when the cell holds none.
    pub(super) fn value(&self, row: &ByteRecord) -> Result<f64, RowFault> {
        let text = trimmed("value", self.cell(row, self.value))?;
        let fault = |problem: &str| RowFault::of("value", format!("value {}{problem}", excerpt(text)));
        match decimal::parse_f64(text) {
            Some(value) if value.is_finite() => Ok(value),
            Some(_) if text.iter().any(u8::is_ascii_digit) => {
                Err(fault(" is beyond the range of a 64-bit float, 1.8e308"))
            }
            Some(_) => Err(fault(": a finite number is required")),
            None if text.is_empty() => Err(RowFault::of("value", "value is empty: a finite number is required")),
            None => Err(fault(" is not a number")),
        }
    }

    /// Appends what tells the series of a row, and of no other.
    pub(super) fn spell(&self, row: &ByteRecord, spelling: &mut Vec<u8>) {
        let name = self.name.into_iter();
        for at in name.chain(self.labels.iter().map(|(at, _)| *at)) {
            spelling.extend_from_slice(self.cell(row, at));
            // No valid cell holds this byte, and all rows have as many cells: the spelling of a valid row is its own.
            spelling.push(0xFF);
        }
    }

    /// The series of a row.
    ///
    /// # Errors
    /// [`RowFault`] names the cell that breaks a bound.
    pub(super) fn series(&self, row: &ByteRecord) -> Result<SeriesKey, RowFault> {
        let name = match (self.name, &self.options.name) {
            (None, Some(name)) => name.clone(),
            (at, _) => {
                let at = at.expect("a header without the column name is refused where no option names the metric");
                let text =
                    self.text(row, at).ok_or_else(|| RowFault::of("name", "name holds bytes that are no UTF-8"))?;
                MetricName::new(text).map_err(|error| RowFault::label(&error))?
            }
        };
        let mut pairs: Vec<(&str, &str)> = self.options.labels.iter().collect();
        for (at, label) in &self.labels {
            let no_text = || RowFault::of(label, format!("{label} holds bytes that are no UTF-8"));
            pairs.push((label, self.text(row, *at).ok_or_else(no_text)?));
        }
        let labels = Labels::new(pairs).map_err(|error| RowFault::label(&error))?;
        Ok(SeriesKey::new(name, labels))
    }

    fn text<'a>(&self, row: &'a ByteRecord, at: usize) -> Option<&'a str> {
        std::str::from_utf8(self.cell(row, at)).ok()
    }

    /// A cell; the carriage return of a CRLF belongs to the line's end, not to the last cell.
    fn cell<'a>(&self, row: &'a ByteRecord, at: usize) -> &'a [u8] {
        let cell = row.get(at).unwrap_or_default();
        if at + 1 == self.count { cell.strip_suffix(b"\r").unwrap_or(cell) } else { cell }
    }
}

/// A cell without blanks at its ends. A line's end there is what an open quote leaves, and refused.
fn trimmed<'a>(column: &str, cell: &'a [u8]) -> Result<&'a [u8], RowFault> {
    let mut text = cell;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    if let [b'\n', ..] | [.., b'\n'] = text {
        return Err(RowFault::of(
            column,
            format!("{column} {} holds a line break: is a quote left open?", excerpt(cell)),
        ));
    }
    Ok(text)
}

fn column_name(cell: &[u8]) -> Result<String, DecodeError> {
    if cell.starts_with(b"\xFF\xFE") || cell.starts_with(b"\xFE\xFF") {
        return Err(header_error(UTF_16));
    }
    match std::str::from_utf8(cell) {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(_) => Err(header_error(format!("column {} holds bytes that are no UTF-8", excerpt(cell)))),
    }
}
