//! Prometheus remote write 1.0 (prometheus.io/docs/specs/prw/remote_write_spec): `prometheus.WriteRequest` in protobuf,
//! after its snappy coding is undone.
//!
//! The label `__name__` becomes the name, all others become labels. Values are kept as they are, the infinities and NaN
//! included, but for staleness markers: they are the end of a series, not a value of it, and are counted and dropped.
//! So are exemplars, native histograms and metadata, for which a store has no place. Bad series and samples are told
//! beside the good ones, which are kept: that is how Prometheus itself receives.

use super::error::{DecodeError, Place, RowError, RowErrors, RowFault};
use super::intern::{MAX_BATCH_POINTS, SeriesCache};
use super::protobuf::{Message, ProtobufError};
use crate::model::{Batch, BatchSeries, LabelError, Labels, MAX_LABELS, MetricName, SeriesKey, Timestamp};

/// The label that holds the name.
const NAME_LABEL: &str = "__name__";

/// The NaN by which Prometheus says that a series has ended (model/value/value.go, `StaleNaN`).
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What a body holds.
#[derive(Debug, Default)]
pub struct RemoteWriteOutcome {
    /// The good samples.
    pub batch: Batch,
    /// What is wrong, by the index of the series: the first, at most [`super::MAX_LISTED_ROWS`].
    pub errors: Vec<RowError>,
    /// Samples that are not in the batch because they, or the labels of their series, are bad.
    pub error_count: usize,
    /// Staleness markers, which are dropped.
    pub stale_markers: u64,
    /// Exemplars, which are skipped.
    pub exemplars: u64,
    /// Samples of native histograms, which are skipped.
    pub native_histograms: u64,
    /// Descriptions of metrics (type, help, unit), which are skipped.
    pub metadata: u64,
}

/// Reads a write request: good samples into the batch, bad ones into the errors.
///
/// # Errors
/// [`DecodeError::Syntax`] when the body is no such message, [`DecodeError::TooManyPoints`] beyond
/// [`super::MAX_BATCH_POINTS`]. Nothing of it is to be stored then.
///
/// ```
/// use metrics_core::wire::remote_write;
/// let request = b"\x0a\x27\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x08\x0a\x03job\x12\x01a\
///                 \x12\x0b\x09\0\0\0\0\0\0\xF0\x3F\x10\x05";
/// let outcome = remote_write::decode(request)?;
/// let points: Vec<String> = outcome.batch.points().map(|(key, at, value)| format!("{key} {at} {value}")).collect();
/// assert_eq!(points, [r#"up{job="a"} 1970-01-01T00:00:00.005Z 1"#]);
/// # Ok::<(), metrics_core::wire::DecodeError>(())
/// ```
pub fn decode(body: &[u8]) -> Result<RemoteWriteOutcome, DecodeError> {
    let mut reader = RequestReader::default();
    reader.read(body)?;
    let mut outcome = reader.outcome;
    (outcome.errors, outcome.error_count) = reader.errors.into_parts();
    Ok(outcome)
}

#[derive(Default)]
struct RequestReader {
    outcome: RemoteWriteOutcome,
    errors: RowErrors,
    cache: SeriesCache,
    /// The labels of the series at hand as they are spelled.
    spelling: Vec<u8>,
}

impl From<ProtobufError> for DecodeError {
    fn from(error: ProtobufError) -> Self {
        Self::Syntax { place: Place::Body, message: error.describe() }
    }
}

impl RequestReader {
    /// `WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }`
    fn read(&mut self, body: &[u8]) -> Result<(), DecodeError> {
        let mut request = Message::new(body);
        let mut index = 0;
        while let Some(field) = request.next()? {
            match field.number {
                1 => {
                    self.time_series(field.message()?, index)?;
                    index += 1;
                }
                3 => self.outcome.metadata += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// `TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3;
    /// repeated Histogram histograms = 4; }`, whose fields may stand in any order: labels are looked for first.
    fn time_series(&mut self, message: Message<'_>, index: usize) -> Result<(), DecodeError> {
        self.spelling.clear();
        let mut samples = 0;
        let mut fields = message;
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.spelling.extend_from_slice(field.raw),
                2 => samples += 1,
                3 => self.outcome.exemplars += 1,
                4 => self.outcome.native_histograms += 1,
                _ => {}
            }
        }
        if samples == 0 {
            return Ok(());
        }
        let mut series = None;
        let mut fields = message;
        while let Some(field) = fields.next()? {
            if field.number != 2 {
                continue;
            }
            let (millis, value) = sample(field.message()?)?;
            if value.to_bits() == STALE_MARKER_BITS {
                self.outcome.stale_markers += 1;
                continue;
            }
            let series = match series {
                Some(series) => series,
                // A series is registered with its first sample, so that none without is in the batch.
                None => match self.series(millis) {
                    Ok(found) => *series.insert(found),
                    Err(Unusable::Series(fault)) => {
                        return self.skip_series(fields, fault.at(Place::Index(index)));
                    }
                    Err(Unusable::Sample(fault)) => {
                        self.errors.add(fault.at(Place::Index(index)));
                        continue;
                    }
                },
            };
            match timestamp(millis) {
                Ok(timestamp) => self.push(series, timestamp, value)?,
                Err(fault) => self.errors.add(fault.at(Place::Index(index))),
            }
        }
        Ok(())
    }

    /// The series at hand, for a sample of that time.
    fn series(&mut self, millis: i64) -> Result<BatchSeries, Unusable> {
        let Self { cache, outcome, spelling, .. } = self;
        timestamp(millis).map_err(Unusable::Sample)?;
        cache.series(&mut outcome.batch, spelling, || series_key(spelling)).map_err(Unusable::Series)
    }

    /// Counts the samples from the one at hand on as bad.
    fn skip_series(&mut self, mut rest: Message<'_>, error: RowError) -> Result<(), DecodeError> {
        let mut count = 1;
        while let Some(field) = rest.next()? {
            if field.number == 2 {
                let (_, value) = sample(field.message()?)?;
                let stale = value.to_bits() == STALE_MARKER_BITS;
                self.outcome.stale_markers += u64::from(stale);
                count += usize::from(!stale);
            }
        }
        self.errors.add_many(count, error);
        Ok(())
    }

    fn push(&mut self, series: BatchSeries, timestamp: Timestamp, value: f64) -> Result<(), DecodeError> {
        if self.outcome.batch.len() >= MAX_BATCH_POINTS {
            return Err(DecodeError::TooManyPoints { limit: MAX_BATCH_POINTS });
        }
        self.outcome.batch.push_any(series, timestamp, value);
        Ok(())
    }
}

/// Why a sample has no place in the batch.
enum Unusable {
    /// Its own fault.
    Sample(RowFault),
    /// That of its series, so that all of its samples are bad.
    Series(RowFault),
}

/// `Sample { double value = 1; int64 timestamp = 2; }`, the timestamp in milliseconds.
fn sample(mut message: Message<'_>) -> Result<(i64, f64), ProtobufError> {
    let (mut millis, mut value) = (0, 0.0);
    while let Some(field) = message.next()? {
        match field.number {
            1 => value = field.double()?,
            2 => millis = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    Ok((millis, value))
}

fn timestamp(millis: i64) -> Result<Timestamp, RowFault> {
    let timestamp = millis.checked_mul(1_000).and_then(|micros| Timestamp::from_micros(micros).ok());
    timestamp.ok_or_else(|| RowFault::of("timestamp", format!("timestamp {millis} ms is outside the years 1 to 9999")))
}

/// Name and labels of a series: `Label { string name = 1; string value = 2; }` again and again.
fn series_key(spelling: &[u8]) -> Result<SeriesKey, RowFault> {
    let malformed = |error: ProtobufError| RowFault::of("labels", error.describe());
    let mut labels = Message::new(spelling);
    let mut metric = None;
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    while let Some(label) = labels.next().map_err(malformed)? {
        let (mut name, mut value) = ("", "");
        let mut fields = label.message().map_err(malformed)?;
        while let Some(field) = fields.next().map_err(malformed)? {
            match field.number {
                1 => name = field.text().map_err(malformed)?,
                2 => value = field.text().map_err(malformed)?,
                _ => {}
            }
        }
        match (name, metric) {
            (NAME_LABEL, None) => metric = Some(value),
            (NAME_LABEL, Some(_)) => return Err(RowFault::label(&LabelError::Duplicate(name.to_owned()))),
            _ => pairs.push((name, value)),
        }
        if pairs.len() > MAX_LABELS {
            return Err(RowFault::label(&LabelError::TooMany(pairs.len())));
        }
    }
    let metric = metric.ok_or_else(|| RowFault::of("name", "name is missing: the label __name__ holds it"))?;
    let metric = MetricName::new(metric).map_err(|error| RowFault::label(&error))?;
    Ok(SeriesKey::new(metric, Labels::new(pairs).map_err(|error| RowFault::label(&error))?))
}

#[cfg(test)]
#[path = "remote_write_tests.rs"]
mod tests;
