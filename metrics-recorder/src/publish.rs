//! An interval's points, made of what the metrics hold.

use std::collections::HashMap;

use metrics::Key;
use metrics_core::{Batch, LabelError, Labels, MetricName, SeriesKey, Timestamp};

use crate::registry::{Metric, Registry};

/// The series that a metric is written as.
#[derive(Debug)]
pub(crate) struct SeriesSet {
    /// The metric's own; of a histogram one for each quantile.
    own: Vec<SeriesKey>,
    /// Of a histogram: count, sum, least, greatest.
    parts: Vec<SeriesKey>,
}

/// How metrics are written.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// Labels of every series, unless the metric has its own of that name.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) unit_label: bool,
    pub(crate) quantiles: Vec<f64>,
    /// Samples and their sum since the start, of each histogram.
    pub(crate) totals: HashMap<Key, (u64, f64)>,
    /// Metrics that no store takes.
    pub(crate) unfit: u64,
}

impl Publisher {
    /// The points of the interval that ends now.
    pub(crate) fn publish(&mut self, registry: &Registry, now: Timestamp) -> Batch {
        let mut batch = Batch::new();
        registry.counters.each(|key, metric| {
            let Some((set, is_first)) = self.series(registry, key, metric, false) else { return };
            let value = metric.cell.value() as f64;
            add_count(&mut batch, &set.own[0], value, is_first.then_some(metric.born), now);
        });
        registry.gauges.each(|key, metric| {
            let Some(value) = metric.cell.value() else { return };
            if let Some((set, _)) = self.series(registry, key, metric, false) {
                add(&mut batch, &set.own[0], now, value);
            }
        });
        registry.histograms.each(|key, metric| {
            let Some((set, is_first)) = self.series(registry, key, metric, true) else { return };
            let interval = metric.cell.take();
            let total = self.totals.entry(key.clone()).or_default();
            if let Some(interval) = &interval {
                *total = (total.0 + interval.count, total.1 + interval.sum);
                let extremes = [interval.min, interval.max];
                set.parts[2..].iter().zip(extremes).for_each(|(series, value)| add(&mut batch, series, now, value));
                for (series, share) in set.own.iter().zip(&self.quantiles) {
                    add(&mut batch, series, now, interval.quantile(*share));
                }
            }
            let born = is_first.then_some(metric.born);
            add_count(&mut batch, &set.parts[0], total.0 as f64, born, now);
            add_count(&mut batch, &set.parts[1], total.1, born, now);
        });
        batch
    }

    /// A metric's series, and whether they are written for the first time; none when no store takes them.
    fn series<'m, T>(
        &mut self,
        registry: &Registry,
        key: &Key,
        metric: &'m Metric<T>,
        histogram: bool,
    ) -> Option<(&'m SeriesSet, bool)> {
        let mut is_first = false;
        let set = metric.series.get_or_init(|| {
            is_first = true;
            self.make(registry, key, histogram).ok()
        });
        if is_first && set.is_none() {
            self.unfit += 1;
        }
        set.as_ref().map(|set| (set, is_first))
    }

    fn make(&self, registry: &Registry, key: &Key, histogram: bool) -> Result<SeriesSet, LabelError> {
        let unit = registry.unit(key.name()).filter(|_| self.unit_label).map(|unit| unit.as_str());
        let of = |suffix: &str, unit: Option<&str>, quantile: Option<f64>| {
            let quantile = quantile.map(|share| share.to_string());
            let own = key.labels().map(|label| (label.key(), label.value()));
            let own = own.chain(unit.map(|unit| ("unit", unit)));
            let own = own.chain(quantile.as_deref().map(|share| ("quantile", share)));
            let mut pairs: Vec<(&str, &str)> = own.collect();
            let all = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            pairs.extend(all.filter(|(name, _)| !key.labels().any(|label| label.key() == *name)));
            let name = MetricName::new(&format!("{}{suffix}", key.name()))?;
            Ok(SeriesKey::new(name, Labels::new(pairs)?))
        };
        if !histogram {
            return Ok(SeriesSet { own: vec![of("", unit, None)?], parts: Vec::new() });
        }
        let quantiles = self.quantiles.iter().map(|share| of("", unit, Some(*share)));
        let parts = [("_count", None), ("_sum", unit), ("_min", unit), ("_max", unit)];
        let parts = parts.into_iter().map(|(suffix, unit)| of(suffix, unit, None));
        Ok(SeriesSet { own: quantiles.collect::<Result<_, LabelError>>()?, parts: parts.collect::<Result<_, _>>()? })
    }
}

/// Adds a count that grew from 0 at its birth, which is told the first time.
fn add_count(batch: &mut Batch, series: &SeriesKey, value: f64, born: Option<Timestamp>, now: Timestamp) {
    if let Some(born) = born.filter(|born| *born < now) {
        add(batch, series, born, 0.0);
    }
    add(batch, series, now, value);
}

/// Adds a point, unless a sum has left the numbers.
fn add(batch: &mut Batch, series: &SeriesKey, at: Timestamp, value: f64) {
    if value.is_finite() {
        let series = batch.intern(series.clone());
        batch.push_any(series, at, value);
    }
}
