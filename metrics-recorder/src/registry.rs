//! The metrics that there are: bounded maps from the facade's keys to cells.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use metrics::{Key, Unit};
use metrics_core::Timestamp;

use crate::cells::{CounterCell, GaugeCell};
use crate::histogram::HistogramCell;
use crate::publish::SeriesSet;

/// Maps that share a kind's keys, so that threads that look up different keys seldom meet.
const SHARDS: usize = 16;

/// A metric: what is counted, and the series that it is written as.
#[derive(Debug)]
pub(crate) struct Metric<T> {
    pub(crate) cell: T,
    pub(crate) born: Timestamp,
    /// Made at the first interval, when its unit is known; none of a name or labels that no store takes.
    pub(crate) series: OnceLock<Option<SeriesSet>>,
}

/// The facade's keys come with their hash.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A key writes its hash as one number; this is for completeness (FNV-1a, Fowler, Noll and Vo).
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Map<T> = HashMap<Key, Arc<Metric<T>>, BuildHasherDefault<KeyHasher>>;

/// The metrics of a kind.
#[derive(Debug)]
pub(crate) struct Kind<T> {
    shards: [RwLock<Map<T>>; SHARDS],
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl<T: Default> Kind<T> {
    /// The metric of a key; none when it is new and there are as many as there may be.
    fn get(&self, key: &Key, bounds: &Bounds) -> Option<Arc<Metric<T>>> {
        // The map inside takes the low bits of the hash: the shard takes the highest that do not mark its entries.
        let shard = &self.shards[(key.get_hash() >> 32) as usize % SHARDS];
        // A map is whole after each insertion: a panic elsewhere does not spoil it.
        if let Some(metric) = shard.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Some(Arc::clone(metric));
        }
        let mut map = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(metric) = map.get(key) {
            return Some(Arc::clone(metric));
        }
        if !bounds.take_one() {
            return None;
        }
        let metric = Metric { cell: T::default(), born: Timestamp::now(), series: OnceLock::new() };
        Some(Arc::clone(map.entry(key.to_retained()).or_insert(Arc::new(metric))))
    }

    /// Looks at every metric.
    pub(crate) fn each(&self, mut look: impl FnMut(&Key, &Metric<T>)) {
        for shard in &self.shards {
            // Taken out first: the look may be slow, and nobody is to wait for it.
            let metrics: Vec<(Key, Arc<Metric<T>>)> = {
                let map = shard.read().unwrap_or_else(PoisonError::into_inner);
                map.iter().map(|(key, metric)| (key.clone(), Arc::clone(metric))).collect()
            };
            metrics.iter().for_each(|(key, metric)| look(key, metric));
        }
    }
}

#[derive(Debug)]
struct Bounds {
    most: usize,
    metrics: AtomicUsize,
    refused: AtomicU64,
}

impl Bounds {
    fn take_one(&self) -> bool {
        let one_more = |metrics| (metrics < self.most).then_some(metrics + 1);
        let taken = self.metrics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        if !taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

/// All metrics of a recorder.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) counters: Kind<CounterCell>,
    pub(crate) gauges: Kind<GaugeCell>,
    pub(crate) histograms: Kind<HistogramCell>,
    units: RwLock<HashMap<String, Unit>>,
    bounds: Bounds,
}

impl Registry {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            counters: Kind::default(),
            gauges: Kind::default(),
            histograms: Kind::default(),
            units: RwLock::default(),
            bounds: Bounds { most, metrics: AtomicUsize::new(0), refused: AtomicU64::new(0) },
        }
    }

    pub(crate) fn counter(&self, key: &Key) -> Option<Arc<Metric<CounterCell>>> {
        self.counters.get(key, &self.bounds)
    }

    pub(crate) fn gauge(&self, key: &Key) -> Option<Arc<Metric<GaugeCell>>> {
        self.gauges.get(key, &self.bounds)
    }

    pub(crate) fn histogram(&self, key: &Key) -> Option<Arc<Metric<HistogramCell>>> {
        self.histograms.get(key, &self.bounds)
    }

    /// Notes the unit of the metrics of a name, of at most as many names as there may be metrics.
    pub(crate) fn describe(&self, name: &str, unit: Unit) {
        let mut units = self.units.write().unwrap_or_else(PoisonError::into_inner);
        if units.len() < self.bounds.most || units.contains_key(name) {
            units.insert(name.to_owned(), unit);
        }
    }

    pub(crate) fn unit(&self, name: &str) -> Option<Unit> {
        self.units.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.bounds.metrics.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.bounds.refused.load(Ordering::Relaxed)
    }
}
