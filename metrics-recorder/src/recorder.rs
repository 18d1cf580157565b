//! The recorder as the facade sees it.

use std::sync::Arc;

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

use crate::registry::{Metric, Registry};

/// Takes what the facade's macros record. Cheap to clone: clones record into the same metrics.
///
/// [`Builder::install`](crate::Builder::install) makes one the recorder of the program; one of
/// [`Builder::start`](crate::Builder::start) can be wrapped in layers, or used where
/// [`metrics::with_local_recorder`] takes it.
#[derive(Debug, Clone)]
pub struct Recorder {
    pub(crate) registry: Arc<Registry>,
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.registry.counter(key).map_or(Counter::noop(), Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.registry.gauge(key).map_or(Gauge::noop(), Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.registry.histogram(key).map_or(Histogram::noop(), Histogram::from_arc)
    }
}

impl Recorder {
    fn describe(&self, key: &KeyName, unit: Option<Unit>) {
        if let Some(unit) = unit {
            self.registry.describe(key.as_str(), unit);
        }
    }
}

impl<T: CounterFn> CounterFn for Metric<T> {
    fn increment(&self, value: u64) {
        self.cell.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.cell.absolute(value);
    }
}

impl<T: GaugeFn> GaugeFn for Metric<T> {
    fn increment(&self, value: f64) {
        self.cell.increment(value);
    }

    fn decrement(&self, value: f64) {
        self.cell.decrement(value);
    }

    fn set(&self, value: f64) {
        self.cell.set(value);
    }
}

impl<T: HistogramFn> HistogramFn for Metric<T> {
    fn record(&self, value: f64) {
        self.cell.record(value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.cell.record_many(value, count);
    }
}
