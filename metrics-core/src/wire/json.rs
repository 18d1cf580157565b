//! Points as JSON: one object, an array of them, or one object a line (NDJSON).
//!
//! A point is `{"timestamp":…,"name":…,"value":…,"labels":{…}}` in any order of members. `timestamp` is RFC 3339 text or
//! an integer that [`Timestamp::from_epoch`] takes, and may be absent; `labels` may be absent too. Any other member,
//! the same member twice, null, and a value that is no finite number are refused.

mod lines;
mod point;

use std::io::BufRead;

pub use lines::{LinesReader, MAX_LINE_BYTES};
use point::PointReader;
#[cfg(feature = "arrow")]
pub(super) use point::labels;

use super::error::{DecodeError, Place, RowError, RowErrors, RowFault, strip_mark};
use super::scan::{Kind, ScanError, Scanner};
use crate::encode::text::{push_labels, push_number, push_string, push_time};
use crate::model::{Batch, Timestamp};

/// Reads one point or an array of points, all or nothing. `now` stands in for absent timestamps.
///
/// # Errors
/// [`DecodeError`] says what is wrong and where; bad elements of an array are listed by their index.
///
/// ```
/// use metrics_core::{Timestamp, wire::json};
/// let body = br#"[{"name":"load","value":0.5,"labels":{"host":"a"}},{"timestamp":1706874182,"name":"load","value":1}]"#;
/// assert_eq!(json::decode(body, Timestamp::now()).unwrap().len(), 2);
///
/// let error = json::decode(br#"[{"name":"load","value":"NaN"}]"#, Timestamp::now()).unwrap_err();
/// assert_eq!(error.to_string(), r#"index 0: value is the text "NaN": a finite number is required"#);
/// ```
pub fn decode(body: &[u8], now: Timestamp) -> Result<Batch, DecodeError> {
    let body = strip_mark(body)?;
    let mut points = PointReader::new(now);
    let mut errors = RowErrors::default();
    let mut place = Place::Body;
    match read_body(&mut Scanner::new(body), &mut points, &mut errors, &mut place) {
        Ok(()) => errors.all_or_nothing(points.take_batch()),
        Err(error) => Err(DecodeError::Syntax { place, message: error.describe(body) }),
    }
}

fn read_body(
    scanner: &mut Scanner<'_>,
    points: &mut PointReader,
    errors: &mut RowErrors,
    place: &mut Place,
) -> Result<(), ScanError> {
    if scanner.kind()? != Kind::Array {
        if let Err(fault) = points.read(scanner)?.and_then(|members| points.push(&members)) {
            errors.add(fault.at(Place::Body));
        }
        return scanner
            .end("the end after one point (many points are an array, or one a line as application/x-ndjson)");
    }
    scanner.enter()?;
    let mut first = true;
    for index in 0.. {
        *place = Place::Index(index);
        if !scanner.element(&mut first)? {
            break;
        }
        if let Err(fault) = points.read(scanner)?.and_then(|members| points.push(&members)) {
            errors.add(fault.at(*place));
        }
    }
    *place = Place::Body;
    scanner.end("the end after the array")
}

/// Reads one point a line, all or nothing; blank lines are passed over. `now` stands in for absent timestamps.
///
/// # Errors
/// [`DecodeError`] lists the first bad lines.
///
/// ```
/// use metrics_core::{Timestamp, wire::json};
/// let error = json::decode_lines(b"{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\"\n", Timestamp::now()).unwrap_err();
/// assert_eq!(error.to_string(), "line 2: expected a comma or }, found the end at column 12");
/// ```
pub fn decode_lines(body: &[u8], now: Timestamp) -> Result<Batch, DecodeError> {
    let mut rest = strip_mark(body)?;
    let mut points = PointReader::new(now);
    let mut errors = RowErrors::default();
    for number in 1.. {
        let whole = rest;
        let length = rest.skip_until(b'\n').map_err(|source| DecodeError::Read { line: number - 1, source })?;
        if length == 0 {
            break;
        }
        if let Err(error) = read_line(&whole[..length], number, &mut points) {
            errors.add(error);
        }
    }
    errors.all_or_nothing(points.take_batch())
}

/// Reads the point of a line, if there is one.
fn read_line(line: &[u8], number: u64, points: &mut PointReader) -> Result<(), RowError> {
    let line = line.trim_ascii_end();
    if line.is_empty() {
        return Ok(());
    }
    let mut scanner = Scanner::new(line);
    let read = points.read(&mut scanner).and_then(|read| {
        scanner.end("the end of the line after one point")?;
        Ok(read)
    });
    read.unwrap_or_else(|error| Err(RowFault::row(error.describe_in_line(line))))
        .and_then(|members| points.push(&members))
        .map_err(|fault| fault.at(Place::Line(number)))
}

/// Writes points as an array that [`decode`] reads back exactly, times in RFC 3339.
/// A value that is not finite is written as null, which readers refuse.
///
/// ```
/// use metrics_core::{Batch, Point, Timestamp, wire::json};
/// let point = Point::new("load", Timestamp::EPOCH, 0.5)?.with_labels([("host", "a")])?;
/// let text = br#"[{"name":"load","labels":{"host":"a"},"timestamp":"1970-01-01T00:00:00Z","value":0.5}]"#;
/// assert_eq!(json::encode(&Batch::from(point)), text);
/// # Ok::<(), metrics_core::PointError>(())
/// ```
pub fn encode(batch: &Batch) -> Vec<u8> {
    let mut heads = Vec::new();
    let mut ends = Vec::with_capacity(batch.series().len());
    for key in batch.series() {
        heads.extend_from_slice(b"{\"name\":");
        push_string(&mut heads, key.name.as_str());
        if !key.labels.is_empty() {
            heads.extend_from_slice(b",\"labels\":");
            push_labels(&mut heads, &key.labels);
        }
        heads.extend_from_slice(b",\"timestamp\":\"");
        ends.push(heads.len());
    }
    let mut out = Vec::with_capacity(2 + batch.len() * 80);
    out.push(b'[');
    for sample in batch.samples() {
        if out.len() > 1 {
            out.push(b',');
        }
        let series = sample.series.index();
        let start = if series == 0 { 0 } else { ends[series - 1] };
        out.extend_from_slice(&heads[start..ends[series]]);
        push_time(&mut out, sample.timestamp);
        out.extend_from_slice(b"\",\"value\":");
        push_number(&mut out, sample.value);
        out.push(b'}');
    }
    out.push(b']');
    out
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
