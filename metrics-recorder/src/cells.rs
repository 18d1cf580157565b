//! Counters and gauges: one atomic number each.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{CounterFn, GaugeFn};

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct CounterCell(AtomicU64);

impl CounterCell {
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl CounterFn for CounterCell {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

/// Stands for a gauge that was never set: a NaN that no arithmetic gives.
const UNSET: u64 = 0x7FF8_5E7A_0000_0001;

/// The bits of a number.
#[derive(Debug)]
pub(crate) struct GaugeCell(AtomicU64);

impl Default for GaugeCell {
    fn default() -> Self {
        Self(AtomicU64::new(UNSET))
    }
}

impl GaugeCell {
    /// The value; none before the first, and of NaN and the infinities, which no store takes.
    pub(crate) fn value(&self) -> Option<f64> {
        Some(f64::from_bits(self.0.load(Ordering::Relaxed))).filter(|value| value.is_finite())
    }

    fn change(&self, change: impl Fn(f64) -> f64) {
        let changed = |bits| Some(change(if bits == UNSET { 0.0 } else { f64::from_bits(bits) }).to_bits());
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed).expect("it is always changed");
    }
}

impl GaugeFn for GaugeCell {
    fn increment(&self, value: f64) {
        self.change(|old| old + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|old| old - value);
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_never_goes_back() {
        let counter = CounterCell::default();
        counter.increment(3);
        counter.absolute(2);
        assert_eq!(counter.value(), 3);
        counter.absolute(7);
        assert_eq!(counter.value(), 7);
    }

    #[test]
    fn a_gauge_has_no_value_before_its_first() {
        let gauge = GaugeCell::default();
        assert_eq!(gauge.value(), None);
        gauge.increment(2.0);
        gauge.decrement(0.5);
        assert_eq!(gauge.value(), Some(1.5));
        gauge.set(f64::NAN);
        assert_eq!(gauge.value(), None);
        gauge.set(-4.0);
        assert_eq!(gauge.value(), Some(-4.0));
    }
}
