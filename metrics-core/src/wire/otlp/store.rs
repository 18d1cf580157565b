//! From a data point, however it was written, to the points of its series.

use super::OtlpOutcome;
use super::labels::{PointLabels, double, metric_name};
use crate::model::{Batch, Labels, MetricName, SeriesKey, Timestamp};
use crate::wire::error::{DecodeError, Place, RowErrors, RowFault};
use crate::wire::intern::{MAX_BATCH_POINTS, MAX_BATCH_SERIES, SeriesRoom, pairs_bytes, too_many_series};

/// Most buckets of a histogram, and quantiles of a summary.
pub const MAX_BUCKETS: usize = 1_024;

/// Most bytes that suffix, bound and temporality add to a series, about.
const PART_BYTES: usize = 512;

/// The flag of a data point that stands for the end of its series.
const NO_RECORDED_VALUE: u64 = 1;

/// What a metric's data points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl Kind {
    /// The number of its field in `Metric`.
    pub(super) fn of_field(number: u64) -> Option<Self> {
        Some(match number {
            5 => Self::Gauge,
            7 => Self::Sum,
            9 => Self::Histogram,
            10 => Self::ExponentialHistogram,
            11 => Self::Summary,
            _ => return None,
        })
    }

    /// The name of its member in JSON.
    pub(super) fn of_member(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"gauge" => Self::Gauge,
            b"sum" => Self::Sum,
            b"histogram" => Self::Histogram,
            b"exponentialHistogram" => Self::ExponentialHistogram,
            b"summary" => Self::Summary,
            _ => return None,
        })
    }

    /// Kinds that add up over time and have to say since when.
    fn has_temporality(self) -> bool {
        matches!(self, Self::Sum | Self::Histogram | Self::ExponentialHistogram)
    }
}

/// What the data points of a metric have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metric<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// 1 for deltas, 2 for what adds up since a start.
    pub(super) temporality: u64,
}

/// A data point as it was read; which of these it has depends on its kind.
#[derive(Debug, Default)]
pub(super) struct DataPoint {
    pub(super) time_ns: u64,
    pub(super) flags: u64,
    pub(super) exemplars: u64,
    pub(super) value: Option<f64>,
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) bucket_counts: Vec<u64>,
    pub(super) bounds: Vec<f64>,
    pub(super) quantiles: Vec<(f64, f64)>,
    /// The first thing that is wrong with it.
    pub(super) fault: Option<RowFault>,
}

impl DataPoint {
    /// Begins a new one in the room of the one before.
    pub(super) fn begin(&mut self) {
        self.bucket_counts.clear();
        self.bounds.clear();
        self.quantiles.clear();
        *self = Self {
            bucket_counts: std::mem::take(&mut self.bucket_counts),
            bounds: std::mem::take(&mut self.bounds),
            quantiles: std::mem::take(&mut self.quantiles),
            ..Self::default()
        };
    }

    /// Remembers what is wrong, if nothing was before.
    pub(super) fn note(&mut self, result: Result<(), RowFault>) {
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
    }

    pub(super) fn add_bucket(&mut self, count: u64) {
        let result = push_bounded(&mut self.bucket_counts, count);
        self.note(result);
    }

    pub(super) fn add_bound(&mut self, bound: f64) {
        let result = push_bounded(&mut self.bounds, bound);
        self.note(result);
    }

    pub(super) fn add_quantile(&mut self, quantile: f64, value: f64) {
        let result = push_bounded(&mut self.quantiles, (quantile, value));
        self.note(result);
    }

    /// Buckets are one more than the bounds between them, or none of both, and bounds ascend.
    fn check_buckets(&self) -> Result<(), RowFault> {
        let (counts, bounds) = (self.bucket_counts.len(), self.bounds.len());
        if counts != 0 && counts != bounds + 1 || counts == 0 && bounds != 0 {
            let message = format!("{counts} bucket counts and {bounds} bounds: there is one count more than bounds");
            return Err(RowFault::row(message));
        }
        if self.bounds.iter().any(|bound| bound.is_nan()) || !self.bounds.is_sorted_by(|a, b| a < b) {
            return Err(RowFault::row("the bounds of the buckets do not ascend"));
        }
        Ok(())
    }
}

/// One more is kept beyond the bound, to tell that it is passed; the rest of a long list is not.
fn push_bounded<T>(list: &mut Vec<T>, item: T) -> Result<(), RowFault> {
    if list.len() < MAX_BUCKETS {
        list.push(item);
        return Ok(());
    }
    Err(RowFault::row(format!("more than {MAX_BUCKETS} buckets or quantiles")))
}

/// A point of one of the series that a data point gives.
struct Part {
    suffix: &'static str,
    /// A label of the format's own, and its value.
    label: Option<(&'static str, f64)>,
    value: f64,
}

/// Takes data points into a batch.
pub(super) struct Collector {
    now: Timestamp,
    batch: Batch,
    room: SeriesRoom,
    /// The labels of the data point at hand.
    pub(super) labels: PointLabels,
    /// The data point at hand.
    pub(super) point: DataPoint,
    parts: Vec<Part>,
    keys: Vec<(SeriesKey, f64)>,
    errors: RowErrors,
    outcome: OtlpOutcome,
}

impl Collector {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            batch: Batch::new(),
            room: SeriesRoom::default(),
            labels: PointLabels::default(),
            point: DataPoint::default(),
            parts: Vec::new(),
            keys: Vec::new(),
            errors: RowErrors::default(),
            outcome: OtlpOutcome::default(),
        }
    }

    pub(super) fn finish(self) -> OtlpOutcome {
        let (errors, rejected) = self.errors.into_parts();
        OtlpOutcome { batch: self.batch, errors, rejected, ..self.outcome }
    }

    /// Begins a data point of the resource at hand.
    pub(super) fn begin_point(&mut self) {
        self.labels.begin_point();
        self.point.begin();
    }

    /// Takes an attribute of the data point at hand.
    pub(super) fn attribute(&mut self, key: &str, value: Result<String, RowFault>) {
        if self.point.fault.is_none() {
            let result = value.and_then(|value| self.labels.add(key, value));
            self.point.note(result);
        }
    }

    /// Takes the data point at hand.
    ///
    /// # Errors
    /// [`DecodeError::TooManyPoints`] when the batch is full.
    pub(super) fn take_point(&mut self, metric: &Metric<'_>) -> Result<(), DecodeError> {
        self.outcome.exemplars += self.point.exemplars;
        if self.point.flags & NO_RECORDED_VALUE != 0 {
            self.outcome.stale_markers += 1;
            return Ok(());
        }
        match self.keep(metric) {
            Ok(()) if self.batch.len() > MAX_BATCH_POINTS => {
                Err(DecodeError::TooManyPoints { limit: MAX_BATCH_POINTS })
            }
            Ok(()) => {
                self.outcome.exponential_histograms += u64::from(metric.kind == Kind::ExponentialHistogram);
                Ok(())
            }
            Err(fault) => {
                self.errors.add(fault.under(metric.name).at(Place::Body));
                Ok(())
            }
        }
    }

    fn keep(&mut self, metric: &Metric<'_>) -> Result<(), RowFault> {
        if let Some(fault) = self.point.fault.take() {
            return Err(fault);
        }
        if metric.kind.has_temporality() && !matches!(metric.temporality, 1 | 2) {
            let message =
                format!("aggregation temporality {}: 1 (delta) or 2 (cumulative) is required", metric.temporality);
            return Err(RowFault::row(message));
        }
        self.parts.clear();
        self.split(metric.kind)?;
        let timestamp = match self.point.time_ns {
            0 => self.now,
            nanos => Timestamp::clamped((nanos / 1_000).cast_signed()),
        };
        self.make_keys(metric)?;
        for (key, value) in self.keys.drain(..) {
            let series = self.room.intern(&mut self.batch, key).expect("make_keys has looked for room");
            self.batch.push_any(series, timestamp, value);
        }
        Ok(())
    }

    /// The points that the data point at hand gives.
    fn split(&mut self, kind: Kind) -> Result<(), RowFault> {
        let Self { point, parts, .. } = self;
        match kind {
            Kind::Gauge | Kind::Sum => {
                let value = point.value.ok_or_else(|| RowFault::row("a data point without a value"))?;
                parts.push(Part { suffix: "", label: None, value });
                return Ok(());
            }
            Kind::Histogram => {
                point.check_buckets()?;
                let mut below = 0_u64;
                for (bound, count) in point.bounds.iter().zip(&point.bucket_counts) {
                    below = below.saturating_add(*count);
                    parts.push(Part { suffix: "_bucket", label: Some(("le", *bound)), value: below as f64 });
                }
                if !point.bucket_counts.is_empty() && point.bounds.last() != Some(&f64::INFINITY) {
                    let label = Some(("le", f64::INFINITY));
                    parts.push(Part { suffix: "_bucket", label, value: point.count as f64 });
                }
            }
            Kind::ExponentialHistogram => {}
            Kind::Summary => {
                let of_quantile = |(quantile, value): &(f64, f64)| {
                    let label = Some(("quantile", *quantile));
                    Part { suffix: "", label, value: *value }
                };
                parts.extend(point.quantiles.iter().map(of_quantile));
            }
        }
        parts.extend(point.sum.map(|value| Part { suffix: "_sum", label: None, value }));
        parts.push(Part { suffix: "_count", label: None, value: point.count as f64 });
        Ok(())
    }

    /// Names and labels of all parts before any of them is taken.
    fn make_keys(&mut self, metric: &Metric<'_>) -> Result<(), RowFault> {
        let Self { room, batch, labels, parts, keys, .. } = self;
        keys.clear();
        let base = metric_name(metric.name);
        if batch.series().len() + parts.len() > MAX_BATCH_SERIES {
            return Err(too_many_series());
        }
        room.check((pairs_bytes(&base, labels.pairs(&[])) + PART_BYTES).saturating_mul(parts.len()))?;
        let delta = metric.kind.has_temporality() && metric.temporality == 1;
        let fixed = delta.then_some(("temporality", "delta"));
        let mut plain = None;
        for part in parts {
            let name = MetricName::new(&format!("{base}{}", part.suffix)).map_err(|error| RowFault::label(&error))?;
            let labels = match (part.label, &plain) {
                (None, Some(labels)) => Labels::clone(labels),
                (label, _) => {
                    let text = label.map(|(name, value)| (name, double(value)));
                    let own = text.iter().map(|(name, value)| (*name, value.as_str())).chain(fixed);
                    let taken = [label.map_or("", |(name, _)| name), fixed.map_or("", |(name, _)| name)];
                    let made = Labels::new(labels.pairs(&taken).chain(own));
                    let made = made.map_err(|error| RowFault::label(&error))?;
                    plain = plain.or_else(|| label.is_none().then(|| made.clone()));
                    made
                }
            };
            keys.push((SeriesKey::new(name, labels), part.value));
        }
        Ok(())
    }
}
