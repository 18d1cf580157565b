//! InfluxDB's line protocol (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol).
//!
//! `measurement,tag=a field=1.5,other=2i 1706874182099000000`: each numeric or boolean field becomes the metric
//! `measurement_field`, or just `measurement` when the field is called `value`; tags become labels; text fields are
//! counted and skipped, duplicate points are all kept. A bad line is answered beside the good ones, which are kept: senders expect partial writes.

mod cursor;
mod known;
mod reader;

use std::fmt;
use std::str::FromStr;

use cursor::{Cursor, FieldValue};
use known::{KnownSeries, SourceId};
pub use reader::{LinesReader, MAX_LINE_BYTES};

use super::error::{Place, RowError, RowErrors, RowFault};
use super::intern::{MAX_BATCH_SERIES, too_many_series};
use crate::model::{Batch, BatchSeries, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, SeriesKey, Timestamp};

/// The unit of a line's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Nanoseconds; what lies below the microsecond is cut off.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes, which InfluxDB 1 has.
    Minutes,
    /// Hours, which InfluxDB 1 has.
    Hours,
}

/// A word that is no precision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a precision: use ns, us, ms, s, m or h")]
pub struct PrecisionError(String);

impl FromStr for Precision {
    type Err = PrecisionError;

    /// The words of InfluxDB 2 (`ns`, `us`, `ms`, `s`) and those that version 1 has besides (`n`, `u`, `m`, `h`).
    fn from_str(word: &str) -> Result<Self, PrecisionError> {
        Ok(match word {
            "ns" | "n" => Self::Nanoseconds,
            "us" | "u" | "µ" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return Err(PrecisionError(word.chars().take(32).collect())),
        })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "m",
            Self::Hours => "h",
        })
    }
}

impl Precision {
    fn timestamp(self, number: i64) -> Option<Timestamp> {
        let micros = match self {
            Self::Nanoseconds => Some(number.div_euclid(1_000)),
            Self::Microseconds => Some(number),
            Self::Milliseconds => number.checked_mul(1_000),
            Self::Seconds => number.checked_mul(MICROS_PER_SECOND),
            Self::Minutes => number.checked_mul(MICROS_PER_MINUTE),
            Self::Hours => number.checked_mul(MICROS_PER_HOUR),
        };
        Timestamp::from_micros(micros?).ok()
    }
}

/// What lines do not tell.
#[derive(Debug, Clone, Copy)]
pub struct LineOptions {
    /// The unit of timestamps.
    pub precision: Precision,
    /// The time of lines without one.
    pub now: Timestamp,
}

/// What a body holds.
#[derive(Debug, Default)]
pub struct LineOutcome {
    /// The points of the good lines.
    pub batch: Batch,
    /// The first bad lines, at most [`super::MAX_LISTED_ROWS`]. No point of a bad line is in the batch.
    pub errors: Vec<RowError>,
    /// How many lines are bad.
    pub error_count: usize,
    /// Text fields of good lines, which hold no number.
    pub skipped_strings: u64,
}

/// Reads lines: good ones into the batch, bad ones into the errors.
///
/// ```
/// use metrics_core::{Timestamp, wire::line};
/// let options = line::LineOptions { precision: line::Precision::Seconds, now: Timestamp::now() };
/// let outcome = line::decode(b"cpu,host=a user=1.5,idle=98i,state=\"ok\" 1706874182\nmem value=\n", &options);
/// let metrics: Vec<String> = outcome.batch.series().iter().map(ToString::to_string).collect();
/// assert_eq!(metrics, [r#"cpu_user{host="a"}"#, r#"cpu_idle{host="a"}"#]);
/// assert_eq!((outcome.skipped_strings, outcome.error_count), (1, 1));
/// assert_eq!(outcome.errors[0].to_string(), "line 2: value: the value is missing: a number, a boolean or a text in quotes is required");
/// ```
pub fn decode(body: &[u8], options: &LineOptions) -> LineOutcome {
    let mut errors = RowErrors::default();
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let (batch, skipped_strings) = read(body, options, |error| errors.add(error));
    let (errors, error_count) = errors.into_parts();
    LineOutcome { batch, errors, error_count, skipped_strings }
}

/// The points of the good lines and how many text fields they have; bad lines go to `bad`.
fn read(text: &[u8], options: &LineOptions, mut bad: impl FnMut(RowError)) -> (Batch, u64) {
    let mut reader = LineReader {
        cursor: Cursor::new(text),
        options,
        known: KnownSeries::default(),
        batch: Batch::new(),
        values: Vec::new(),
        new: Vec::new(),
        interned: Vec::new(),
        skipped_strings: 0,
    };
    while reader.cursor.next_line() {
        let place = Place::Line(reader.cursor.line());
        if let Err(fault) = reader.take_line() {
            reader.cursor.skip_line();
            bad(fault.at(place));
        }
    }
    (reader.batch, reader.skipped_strings)
}

/// Where a field's points go.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// A series of the batch.
    Known(BatchSeries),
    /// An entry of the line's new series.
    New(usize),
}

struct LineReader<'a, 'o> {
    cursor: Cursor<'a>,
    options: &'o LineOptions,
    known: KnownSeries,
    batch: Batch,
    /// The numbers of the line at hand.
    values: Vec<(Target, f64)>,
    /// Series that the line at hand is the first to use, each with its field's place and key.
    new: Vec<(usize, &'a [u8], SeriesKey)>,
    /// Where those series stand in the batch.
    interned: Vec<BatchSeries>,
    skipped_strings: u64,
}

impl<'a> LineReader<'a, '_> {
    /// Reads one line. Nothing of it is kept unless all of it is good.
    fn take_line(&mut self) -> Result<(), RowFault> {
        self.values.clear();
        self.new.clear();
        let source = if self.cursor.skip_same(self.known.last_spelling()) {
            self.known.last()
        } else {
            self.known.find(self.cursor.series()?)?
        };
        self.cursor.fields();
        let mut strings = 0;
        loop {
            let key = self.cursor.field_key()?;
            match self.cursor.field_value().map_err(|problem| field_fault(key, &problem))? {
                FieldValue::Number(value) => self.take_value(source, key, value)?,
                FieldValue::Text => strings += 1,
            }
            if !self.cursor.another_field() {
                break;
            }
        }
        let timestamp = match self.cursor.timestamp()? {
            Some(number) => self.timestamp(number)?,
            None => self.options.now,
        };
        self.keep(source, timestamp)?;
        self.skipped_strings += strings;
        Ok(())
    }

    fn take_value(&mut self, source: SourceId, key: &'a [u8], value: f64) -> Result<(), RowFault> {
        let target = match self.known.field(source, self.values.len(), key) {
            Some(series) => Target::Known(series),
            None => {
                let position = self.values.len();
                self.new.push((position, key, self.known.series_key(source, position, key)?));
                Target::New(self.new.len() - 1)
            }
        };
        self.values.push((target, value));
        Ok(())
    }

    fn timestamp(&self, number: i64) -> Result<Timestamp, RowFault> {
        let precision = self.options.precision;
        precision.timestamp(number).ok_or_else(|| {
            RowFault::of("timestamp", format!("timestamp {number} {precision} is outside the years 1 to 9999"))
        })
    }

    /// Takes the values of the line at hand into the batch.
    fn keep(&mut self, source: SourceId, timestamp: Timestamp) -> Result<(), RowFault> {
        if self.batch.series().len() + self.new.len() > MAX_BATCH_SERIES {
            return Err(too_many_series());
        }
        self.interned.clear();
        for (position, key, series_key) in self.new.drain(..) {
            let series = self.batch.intern(series_key);
            self.known.remember(source, position, key, series);
            self.interned.push(series);
        }
        for (target, value) in &self.values {
            let series = match target {
                Target::Known(series) => *series,
                Target::New(at) => self.interned[*at],
            };
            let pushed = self.batch.push_sample(series, timestamp, *value);
            pushed.expect("the values of a line are finite");
        }
        Ok(())
    }
}

/// What is wrong with a field's value, under its key.
fn field_fault(key: &[u8], problem: &str) -> RowFault {
    RowFault::of(&String::from_utf8_lossy(key).chars().take(64).collect::<String>(), problem)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
