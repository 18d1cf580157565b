//! Histograms that many threads record into: buckets on a scale that is linear within each power of two, as HdrHistogram
//! has it (hdrhistogram.org), found from the bits of the number without a logarithm.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use metrics::HistogramFn;

/// Buckets of a power of two: each is at most 1/32 of its numbers wide, its middle at most 1/64 off.
const BUCKETS: usize = 32;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();
/// Bits of a mantissa.
const MANTISSA_BITS: u32 = 52;
/// Powers of two with buckets of their own, 2^-48 (3.6e-15) to 2^48 (2.8e14); smaller numbers count as zero, greater
/// ones with the greatest.
const LEAST_EXPONENT: i32 = -48;
const OCTAVES: usize = 96;

/// Counts of the numbers of a power of two. An interval has fewer samples than 2^32: they would take minutes.
type Octave = [AtomicU32; BUCKETS];

/// Numbers of one sign, by magnitude.
#[derive(Debug)]
struct Side([OnceLock<Box<Octave>>; OCTAVES]);

impl Default for Side {
    fn default() -> Self {
        Self([const { OnceLock::new() }; OCTAVES])
    }
}

/// Samples since the last [`HistogramCell::take`].
#[derive(Debug)]
pub(crate) struct HistogramCell {
    positive: Side,
    /// Most histograms never need it.
    negative: OnceLock<Box<Side>>,
    zero: AtomicU32,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for HistogramCell {
    fn default() -> Self {
        Self {
            positive: Side::default(),
            negative: OnceLock::new(),
            zero: AtomicU32::new(0),
            sum: AtomicU64::new(0.0_f64.to_bits()),
            min: AtomicU64::new(f64::INFINITY.to_bits()),
            max: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
        }
    }
}

/// What was sampled in an interval.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interval {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Middles of buckets, ascending, with their counts.
    buckets: Vec<(f64, u64)>,
}

impl HistogramCell {
    fn add(&self, value: f64, count: u32) {
        if !value.is_finite() || count == 0 {
            return;
        }
        // The bucket comes last, and is taken first: of whatever is counted, sum, least and greatest are there.
        change(&self.sum, |sum| Some(sum + value * f64::from(count)));
        change(&self.min, |min| (value < min).then_some(value));
        change(&self.max, |max| (value > max).then_some(value));
        self.bucket(value).fetch_add(count, Ordering::Release);
    }

    fn bucket(&self, value: f64) -> &AtomicU32 {
        let Some((octave, bucket)) = place(value.abs()) else { return &self.zero };
        let side = if value > 0.0 { &self.positive } else { self.negative.get_or_init(Box::default) };
        &side.0[octave].get_or_init(|| Box::new([const { AtomicU32::new(0) }; BUCKETS]))[bucket]
    }

    /// What was sampled since the last time; none when nothing was. A sample that is recorded meanwhile may be counted
    /// in this interval and summed in the next, or the other way round; none is lost.
    pub(crate) fn take(&self) -> Option<Interval> {
        let mut buckets = Vec::new();
        if let Some(negative) = self.negative.get() {
            negative.take(-1.0, &mut buckets);
            buckets.reverse();
        }
        match self.zero.swap(0, Ordering::Acquire) {
            0 => {}
            count => buckets.push((0.0, u64::from(count))),
        }
        self.positive.take(1.0, &mut buckets);
        let count = buckets.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return None;
        }
        let swap = |cell: &AtomicU64, with: f64| f64::from_bits(cell.swap(with.to_bits(), Ordering::Relaxed));
        let (min, max) = (swap(&self.min, f64::INFINITY), swap(&self.max, f64::NEG_INFINITY));
        // Those of a sample that was recorded meanwhile may have gone with the last interval.
        let (first, last) = (buckets[0].0, buckets[buckets.len() - 1].0);
        let (min, max) = if min <= max { (min, max) } else { (first, last) };
        Some(Interval { count, sum: swap(&self.sum, 0.0), min, max, buckets })
    }
}

impl Side {
    /// Takes the counts, by magnitude ascending.
    fn take(&self, sign: f64, into: &mut Vec<(f64, u64)>) {
        for (at, octave) in self.0.iter().enumerate() {
            for (bucket, count) in octave.get().into_iter().flat_map(|octave| octave.iter()).enumerate() {
                // Most are empty; to look is cheaper than to swap.
                if count.load(Ordering::Relaxed) > 0 {
                    into.push((sign * middle(at, bucket), u64::from(count.swap(0, Ordering::Acquire))));
                }
            }
        }
    }
}

impl HistogramFn for HistogramCell {
    fn record(&self, value: f64) {
        self.add(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.add(value, u32::try_from(count).unwrap_or(u32::MAX));
    }
}

/// Octave and bucket of a magnitude; none of one that counts as zero.
fn place(magnitude: f64) -> Option<(usize, usize)> {
    let bits = magnitude.to_bits();
    let exponent = i32::try_from(bits >> MANTISSA_BITS).expect("eleven bits without a sign") - 1_023;
    let octave = usize::try_from(exponent - LEAST_EXPONENT).ok()?;
    if octave >= OCTAVES {
        return Some((OCTAVES - 1, BUCKETS - 1));
    }
    Some((octave, (bits >> (MANTISSA_BITS - BUCKET_BITS)) as usize % BUCKETS))
}

fn middle(octave: usize, bucket: usize) -> f64 {
    let power = 2.0_f64.powi(LEAST_EXPONENT + i32::try_from(octave).expect("fewer than 96"));
    power * (1.0 + (bucket as f64 + 0.5) / BUCKETS as f64)
}

fn change(cell: &AtomicU64, change: impl Fn(f64) -> Option<f64>) {
    // An error says that nothing was to be changed.
    let _ =
        cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| change(f64::from_bits(bits)).map(f64::to_bits));
}

impl Interval {
    /// The value at a share, 0 to 1, of the samples in their order.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (share.clamp(0.0, 1.0) * (self.count - 1) as f64).round() as u64;
        if rank == 0 {
            return self.min;
        }
        if rank == self.count - 1 {
            return self.max;
        }
        let mut before = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            before += count;
            before > rank
        });
        found.map_or(self.max, |(middle, _)| middle.max(self.min).min(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Interval {
        let cell = HistogramCell::default();
        values.into_iter().for_each(|value| cell.record(value));
        cell.take().expect("samples")
    }

    #[test]
    fn quantiles_are_within_their_bound_of_the_sample_of_their_rank() {
        // Magnitudes from 1e-9 to 1e9 and both signs.
        let mut values: Vec<f64> = (0..20_000)
            .map(|i| {
                let magnitude = 10_f64.powf(f64::from(i % 1_800) / 100.0 - 9.0);
                if i % 3 == 0 { -magnitude } else { magnitude }
            })
            .collect();
        let interval = of(values.iter().copied());
        values.sort_by(f64::total_cmp);
        for step in 0..=1_000 {
            let share = f64::from(step) / 1_000.0;
            let exact = values[(share * (values.len() - 1) as f64).round() as usize];
            let answer = interval.quantile(share);
            assert!((answer - exact).abs() <= exact.abs() / 64.0, "{share}: {answer} for {exact}");
        }
        assert_eq!((interval.quantile(0.0), interval.quantile(1.0)), (values[0], values[values.len() - 1]));
    }

    #[test]
    fn count_sum_least_and_greatest_are_exact() {
        let interval = of([3.0, -1.5, 0.0, 8.25]);
        assert_eq!((interval.count, interval.sum, interval.min, interval.max), (4, 9.75, -1.5, 8.25));
        let one = of([0.1]);
        assert_eq!((one.quantile(0.5), one.quantile(0.99)), (0.1, 0.1), "one sample is every quantile");
    }

    #[test]
    fn an_interval_is_taken_once() {
        let cell = HistogramCell::default();
        assert_eq!(cell.take(), None);
        cell.record_many(2.0, 5);
        let interval = cell.take().expect("samples");
        assert_eq!((interval.count, interval.sum), (5, 10.0));
        assert_eq!(cell.take(), None);
    }

    #[test]
    fn what_is_beyond_the_scale_is_counted_and_what_is_no_number_is_not() {
        let interval = of([f64::NAN, f64::INFINITY, 1e300, f64::MIN_POSITIVE, -1e-30]);
        assert_eq!((interval.count, interval.min, interval.max), (3, -1e-30, 1e300));
        assert_eq!(interval.quantile(0.5), 0.0);
    }

    #[test]
    fn threads_lose_no_sample() {
        let cell = HistogramCell::default();
        let mut taken = (0, 0.0);
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (1..=50_000).for_each(|value| cell.record(f64::from(value))))).collect();
            while !threads.iter().all(|thread| thread.is_finished()) {
                if let Some(interval) = cell.take() {
                    taken = (taken.0 + interval.count, taken.1 + interval.sum);
                }
            }
        });
        let rest = cell.take().map_or((0, 0.0), |rest| (rest.count, rest.sum));
        assert_eq!(taken.0 + rest.0, 200_000);
        let left = f64::from_bits(cell.sum.load(Ordering::Relaxed));
        assert_eq!(taken.1 + rest.1 + left, 4.0 * 50_000.0 * 50_001.0 / 2.0);
    }
}
