//! How long requests took, by spans of the run.

use std::time::Duration;

/// Length of a span.
pub(crate) const SPAN: Duration = Duration::from_secs(300);

/// Times in microseconds, in one list for each span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Vec<u32>>);

/// The number of the span that holds a moment.
pub(crate) fn span_of(since_start: Duration) -> usize {
    (since_start.as_secs() / SPAN.as_secs()) as usize
}

impl Times {
    pub(crate) fn add(&mut self, since_start: Duration, took: Duration) {
        let span = span_of(since_start);
        if self.0.len() <= span {
            self.0.resize_with(span + 1, Vec::new);
        }
        self.0[span].push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize_with(other.0.len(), Vec::new);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(own, others)| own.extend(others));
    }

    /// The time in milliseconds that a part of a span's requests did not pass.
    pub(crate) fn quantile_ms(&self, span: usize, part: f64) -> f64 {
        let mut times = self.0.get(span).cloned().unwrap_or_default();
        times.sort_unstable();
        let at = (times.len() as f64 * part).ceil() as usize;
        times.get(at.saturating_sub(1)).map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
    }

    /// The same of all spans.
    pub(crate) fn overall_ms(&self, part: f64) -> f64 {
        Self(vec![self.0.concat()]).quantile_ms(0, part)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_their_span() {
        let mut times = Times::default();
        (1..=100).for_each(|ms| times.add(Duration::ZERO, Duration::from_millis(ms)));
        times.add(SPAN, Duration::from_millis(7));
        assert_eq!(
            [times.quantile_ms(0, 0.99), times.quantile_ms(0, 1.0), times.quantile_ms(1, 0.5)],
            [99.0, 100.0, 7.0]
        );
        assert!(times.quantile_ms(2, 0.5).is_nan());
        assert_eq!(times.count(), 101);
    }
}
