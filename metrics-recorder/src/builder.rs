//! A recorder's settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics_core::{LabelError, Labels};

use crate::publish::Publisher;
use crate::registry::Registry;
use crate::reporter::Guard;
use crate::{Recorder, Sink};

/// Settings of a recorder.
pub fn builder() -> Builder {
    Builder::default()
}

/// Settings of a [`Recorder`]; made by [`builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until install or start is called"]
pub struct Builder {
    interval: Duration,
    labels: Vec<(String, String)>,
    unit_label: bool,
    quantiles: Vec<f64>,
    max_metrics: usize,
}

/// Why a recorder was not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The program has a recorder already.
    #[error("a recorder is installed already: a program has one")]
    Installed,
    /// The thread that writes could not be started.
    #[error("cannot start the recorder's thread: {0}")]
    Thread(#[source] std::io::Error),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            interval: Self::DEFAULT_INTERVAL,
            labels: Vec::new(),
            unit_label: true,
            quantiles: vec![0.5, 0.9, 0.95, 0.99],
            max_metrics: Self::DEFAULT_MAX_METRICS,
        }
    }
}

impl Builder {
    /// How often points are written where nothing else is asked for.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// Shortest [`Self::interval`].
    pub const MIN_INTERVAL: Duration = Duration::from_millis(10);
    /// Most metrics, each name with each set of labels, where nothing else is asked for.
    pub const DEFAULT_MAX_METRICS: usize = 10_000;
    /// Most [`Self::quantiles`].
    pub const MAX_QUANTILES: usize = 16;

    /// How often points are written. Default [`Self::DEFAULT_INTERVAL`], at least [`Self::MIN_INTERVAL`].
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Self::MIN_INTERVAL);
        self
    }

    /// Adds a label to every series that has none of that name.
    ///
    /// # Errors
    /// [`LabelError`] when no store takes it, or it was added before.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Result<Self, LabelError> {
        self.labels.push((name.into(), value.into()));
        Labels::new(self.labels.iter().map(|(name, value)| (name, value)))?;
        Ok(self)
    }

    /// Whether a unit that a metric was described with becomes the label `unit`. Default true.
    pub fn unit_label(mut self, unit_label: bool) -> Self {
        self.unit_label = unit_label;
        self
    }

    /// The quantiles of histograms, shares of 0 to 1; the first [`Self::MAX_QUANTILES`] that are. Default 0.5, 0.9, 0.95
    /// and 0.99.
    pub fn quantiles(mut self, shares: impl IntoIterator<Item = f64>) -> Self {
        let shares = shares.into_iter().filter(|share| (0.0..=1.0).contains(share));
        self.quantiles = shares.take(Self::MAX_QUANTILES).collect();
        self.quantiles.sort_by(f64::total_cmp);
        self.quantiles.dedup();
        self
    }

    /// Most metrics, each name with each set of labels counting as one. What comes beyond is not recorded.
    /// Default [`Self::DEFAULT_MAX_METRICS`].
    pub fn max_metrics(mut self, metrics: usize) -> Self {
        self.max_metrics = metrics;
        self
    }

    /// Makes this the recorder of the program. Keep the guard: when it is dropped, the last points are written and nothing
    /// more is.
    ///
    /// # Errors
    /// [`BuildError`] when the program has a recorder, or no thread can be started.
    pub fn install(self, sink: impl Sink) -> Result<Guard, BuildError> {
        let (recorder, guard) = self.start(sink)?;
        metrics::set_global_recorder(recorder).map_err(|_| BuildError::Installed)?;
        Ok(guard)
    }

    /// A recorder that is not the program's yet, to be wrapped in layers or used in part of it.
    ///
    /// # Errors
    /// [`BuildError::Thread`] when no thread can be started.
    pub fn start(self, sink: impl Sink) -> Result<(Recorder, Guard), BuildError> {
        let registry = Arc::new(Registry::new(self.max_metrics));
        let publisher = Publisher {
            labels: self.labels,
            unit_label: self.unit_label,
            quantiles: self.quantiles,
            totals: HashMap::new(),
            unfit: 0,
        };
        let guard = Guard::start(Arc::clone(&registry), publisher, self.interval, Box::new(sink));
        Ok((Recorder { registry }, guard.map_err(BuildError::Thread)?))
    }
}
