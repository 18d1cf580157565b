//! How long requests took, in bounded memory.

use std::time::Duration;

/// Buckets to each doubling: a quantile is at most 9 % above the truth.
const PER_DOUBLING: f64 = 8.0;
/// From a microsecond to beyond an hour.
const BUCKETS: usize = 260;

/// Counts of durations in buckets whose width grows with the duration.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Latencies {
    /// Adds one.
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = took.as_secs_f64() * 1e6;
        let bucket = (micros.max(1.0).log2() * PER_DOUBLING).ceil() as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
    }

    /// Adds all of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
    }

    /// The duration that a share (0 to 1) of all do not exceed; none when there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_secs_f64((bucket as f64 / PER_DOUBLING).exp2() / 1e6))
    }
}

/// A duration in three digits at most: `850us`, `3.2ms`, `41ms`, `1.5s`.
pub(crate) fn brief(took: Duration) -> String {
    let micros = took.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        1e6.. => (micros / 1e6, "s"),
        1e3.. => (micros / 1e3, "ms"),
        _ => (micros, "us"),
    };
    if value < 10.0 && unit != "us" { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close_and_never_below() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        (1..=1_000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        for (share, truth) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0), (0.0, 0.001)] {
            let found = latencies.quantile(share).expect("not empty").as_secs_f64();
            assert!((truth..truth * 1.1).contains(&found), "{share}: {found}");
        }
    }

    #[test]
    fn extremes_stay_inside() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::MAX);
        let mut all = Latencies::default();
        all.merge(&latencies);
        assert!(
            all.quantile(1.0) > Some(Duration::from_secs(3_600)) && all.quantile(0.1) == Some(Duration::from_micros(1))
        );
    }

    #[test]
    fn three_digits_are_enough() {
        let texts = [850, 3_240, 41_200, 1_500_000].map(|us| brief(Duration::from_micros(us)));
        assert_eq!(texts, ["850us", "3.2ms", "41ms", "1.5s"]);
    }
}
