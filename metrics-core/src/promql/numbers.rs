//! Sums, quantiles and means as Prometheus computes them.

/// A sum that keeps what rounding loses (Kahan's, as Neumaier improved it).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: f64) {
        let next = self.sum + value;
        self.lost = if next.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.lost + ((self.sum - next) + value)
        } else {
            self.lost + ((value - next) + self.sum)
        };
        self.sum = next;
    }

    fn scaled(self, factor: f64) -> Self {
        Self { sum: self.sum * factor, lost: self.lost * factor }
    }

    pub(crate) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A mean: of the sum while that is finite, then moved by each value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    count: u64,
    /// The sum of the values, or their mean once the sum would overflow.
    sum: Sum,
    is_mean: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        let count = self.count as f64;
        if !self.is_mean {
            let mut next = self.sum;
            next.add(value);
            if self.count == 1 || !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.is_mean = true;
            self.sum = self.sum.scaled(1.0 / (count - 1.0));
        }
        let mut next = self.sum.scaled((count - 1.0) / count);
        next.add(value / count);
        self.sum = next;
    }

    pub(crate) fn value(self) -> f64 {
        let count = self.count as f64;
        match self.is_mean {
            true => self.sum.total(),
            false if self.sum.sum.is_infinite() => self.sum.sum,
            false => self.sum.sum / count + self.sum.lost / count,
        }
    }
}

/// The spread around the mean, moved by each value (Welford).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.lost);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.lost)));
    }

    /// Of the whole population.
    pub(crate) fn value(self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}

/// The order in which quantiles see values: what is no number first.
pub(crate) fn nan_first(a: &f64, b: &f64) -> std::cmp::Ordering {
    b.is_nan().cmp(&a.is_nan()).then_with(|| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
}

/// The quantile of some values, between two of them where it falls there. Sorts them.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(nan_first);
    let last = (values.len() - 1) as f64;
    let rank = q * last;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last);
    let weight = rank - rank.floor();
    values[lower as usize] * (1.0 - weight) + values[upper as usize] * weight
}

/// The greater of two numbers, and no number if one of them is none.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The lesser of two numbers, and no number if one of them is none.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// A number as text, as Go's `FormatFloat(f, 'f', -1, 64)` gives it.
pub(crate) fn plain(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_of_a_sum_are_not_lost() {
        let mut sum = Sum::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.total(), 2.0);
        let mut sum = Sum::default();
        [f64::INFINITY, 1.0].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.total(), f64::INFINITY);
    }

    #[test]
    fn a_mean_outlives_the_overflow_of_its_sum() {
        let mut mean = Mean::default();
        [f64::MAX, f64::MAX, f64::MAX].into_iter().for_each(|value| mean.add(value));
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-12, "{}", mean.value());
        let mut mean = Mean::default();
        [1.0, 2.0, 6.0].into_iter().for_each(|value| mean.add(value));
        assert_eq!(mean.value(), 3.0);
        let mut mean = Mean::default();
        [f64::INFINITY, 2.0].into_iter().for_each(|value| mean.add(value));
        assert_eq!(mean.value(), f64::INFINITY);
    }

    #[test]
    fn the_spread_of_large_close_values_survives() {
        let mut variance = Variance::default();
        (0..10).for_each(|i| variance.add(1e9 + f64::from(i)));
        assert!((variance.value() - 8.25).abs() < 1e-9, "{}", variance.value());
    }

    #[test]
    fn quantiles_lie_between_values() {
        let of = |q| quantile(q, &mut [4.0, 1.0, 3.0, 2.0]);
        assert_eq!((of(0.0), of(0.5), of(0.75), of(1.0)), (1.0, 2.5, 3.25, 4.0));
        assert_eq!((of(-0.1), of(1.1)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(of(f64::NAN).is_nan() && quantile(0.5, &mut []).is_nan());
        assert!(quantile(0.0, &mut [1.0, f64::NAN]).is_nan(), "what is no number is the least");
    }

    #[test]
    fn numbers_are_written_without_an_exponent() {
        let texts = [1e21, 1.5, -0.0, f64::NAN, f64::NEG_INFINITY].map(plain);
        assert_eq!(texts, ["1000000000000000000000", "1.5", "-0", "NaN", "-Inf"]);
    }
}
