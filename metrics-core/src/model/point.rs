//! Points and batches of points. A value of these types has passed validation: there is no other way to make one.

use std::collections::hash_map::Entry;

use super::{LabelError, Labels, MetricName, SeededMap, SeriesKey, Timestamp, TimestampError};

/// What is wrong with a point.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PointError {
    /// Its name or labels break a bound.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Its time cannot be read or lies outside the range.
    #[error(transparent)]
    Timestamp(#[from] TimestampError),
    /// NaN or an infinity where only finite numbers are taken.
    #[error("value is {0}: a finite number is required")]
    NotFinite(f64),
}

/// One measurement: a value of a series at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    series: SeriesKey,
    timestamp: Timestamp,
    value: f64,
}

impl Point {
    /// A point with a finite value and no labels.
    ///
    /// # Errors
    /// [`PointError`] for a name outside its bounds, NaN or an infinity.
    ///
    /// ```
    /// use metrics_core::{Point, Timestamp};
    /// let point = Point::new("temperature", Timestamp::now(), 21.5)?;
    /// assert_eq!(point.series().to_string(), "temperature");
    /// assert!(Point::new("temperature", Timestamp::now(), f64::NAN).is_err());
    /// # Ok::<(), metrics_core::PointError>(())
    /// ```
    pub fn new(name: &str, timestamp: Timestamp, value: f64) -> Result<Self, PointError> {
        Self::of(SeriesKey::new(MetricName::new(name)?, Labels::empty()), timestamp, value)
    }

    /// A point of a series that was checked before.
    ///
    /// # Errors
    /// [`PointError::NotFinite`] for NaN or an infinity.
    pub fn of(series: SeriesKey, timestamp: Timestamp, value: f64) -> Result<Self, PointError> {
        if value.is_finite() { Ok(Self { series, timestamp, value }) } else { Err(PointError::NotFinite(value)) }
    }

    /// The same point with these labels in place of its own.
    ///
    /// # Errors
    /// [`PointError::Label`] when the labels break a bound.
    pub fn with_labels<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, PointError> {
        self.series.labels = Labels::new(pairs)?;
        Ok(self)
    }

    /// Name and labels.
    pub fn series(&self) -> &SeriesKey {
        &self.series
    }

    /// When it was measured.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// What was measured.
    pub fn value(&self) -> f64 {
        self.value
    }
}

/// Where a series stands in a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchSeries(u32);

impl BatchSeries {
    /// Position in [`Batch::series`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A sample of a series of the same batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Which series.
    pub series: BatchSeries,
    /// When.
    pub timestamp: Timestamp,
    /// The value: finite, except where a format has words for NaN and the infinities.
    pub value: f64,
}

/// Points that are written together: each series once, then samples that refer to it.
///
/// ```
/// use metrics_core::{Batch, Point, Timestamp};
/// let mut batch = Batch::new();
/// batch.push(Point::new("load", Timestamp::EPOCH, 0.5)?);
/// batch.push(Point::new("load", Timestamp::now(), 0.7)?);
/// assert_eq!((batch.len(), batch.series().len()), (2, 1));
/// # Ok::<(), metrics_core::PointError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    series: Vec<SeriesKey>,
    ids: SeededMap<SeriesKey, BatchSeries>,
    samples: Vec<Sample>,
}

impl Batch {
    /// A batch without points.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a point.
    pub fn push(&mut self, point: Point) {
        let series = self.intern(point.series);
        self.samples.push(Sample { series, timestamp: point.timestamp, value: point.value });
    }

    /// Registers a series, to add samples to it with [`Self::push_sample`] without looking it up each time.
    pub fn intern(&mut self, key: SeriesKey) -> BatchSeries {
        match self.ids.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let id = BatchSeries(u32::try_from(self.series.len()).expect("a batch holds fewer than 2^32 series"));
                self.series.push(new.key().clone());
                *new.insert(id)
            }
        }
    }

    /// Adds a finite sample to a series that [`Self::intern`] of this batch gave.
    ///
    /// # Errors
    /// [`PointError::NotFinite`] for NaN or an infinity.
    pub fn push_sample(&mut self, series: BatchSeries, timestamp: Timestamp, value: f64) -> Result<(), PointError> {
        if !value.is_finite() {
            return Err(PointError::NotFinite(value));
        }
        self.push_any(series, timestamp, value);
        Ok(())
    }

    /// Adds a sample whose value may be NaN or an infinity, for formats that have words for them.
    pub fn push_any(&mut self, series: BatchSeries, timestamp: Timestamp, value: f64) {
        assert!(series.index() < self.series.len(), "a BatchSeries belongs to the batch that gave it");
        self.samples.push(Sample { series, timestamp, value });
    }

    /// The series, each once.
    pub fn series(&self) -> &[SeriesKey] {
        &self.series
    }

    /// The samples in the order in which they were added.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// True without a sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The points one by one, each with its series spelled out.
    pub fn points(&self) -> impl Iterator<Item = (&SeriesKey, Timestamp, f64)> {
        self.samples.iter().map(|s| (&self.series[s.series.index()], s.timestamp, s.value))
    }

    /// The points in batches of at most `most` samples, in order; for readers of long files.
    pub fn split(self, most: usize) -> Vec<Self> {
        if self.len() <= most {
            return vec![self];
        }
        let mut parts = Vec::with_capacity(self.len().div_ceil(most));
        for samples in self.samples.chunks(most) {
            let mut part = Self::new();
            for sample in samples {
                let series = part.intern(self.series[sample.series.index()].clone());
                part.push_any(series, sample.timestamp, sample.value);
            }
            parts.push(part);
        }
        parts
    }
}

impl From<Point> for Batch {
    fn from(point: Point) -> Self {
        Self::from_iter([point])
    }
}

impl FromIterator<Point> for Batch {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut batch = Self::new();
        points.into_iter().for_each(|point| batch.push(point));
        batch
    }
}

impl Extend<Point> for Batch {
    fn extend<I: IntoIterator<Item = Point>>(&mut self, points: I) {
        points.into_iter().for_each(|point| self.push(point));
    }
}
