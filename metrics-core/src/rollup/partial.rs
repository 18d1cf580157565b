//! What a bucket of points keeps of them.

use std::cmp::Ordering;

/// The mergeable summary of at least one point.
///
/// The spread is kept as the sum of squared distances from the mean, merged as Chan, Golub and LeVeque give it
/// ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979): a plain sum of squares
/// would lose every digit of the spread of large, close values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Partial {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// Sum of squared distances from the mean.
    pub(crate) m2: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) first_at: i64,
    pub(crate) first: f64,
    pub(crate) last_at: i64,
    pub(crate) last: f64,
}

impl Partial {
    /// The summary of one point.
    pub(crate) fn of(at: i64, value: f64) -> Self {
        Self {
            count: 1,
            sum: value,
            m2: 0.0,
            min: value,
            max: value,
            first_at: at,
            first: value,
            last_at: at,
            last: value,
        }
    }

    /// The summary of points in order, of which there is at least one; of several at one time the greater comes later.
    ///
    /// The spread is summed up around the mean, in a second pass: exact, and without a division for each point.
    pub(crate) fn of_points(times: &[i64], values: &[f64]) -> Self {
        let mut partial = Self::of(times[0], values[0]);
        for &value in &values[1..] {
            partial.sum += value;
            partial.min = partial.min.min(value);
            partial.max = partial.max.max(value);
        }
        let (last_at, last) = (times[times.len() - 1], values[values.len() - 1]);
        partial = Self { count: values.len() as u64, last_at, last, ..partial };
        if partial.sum.is_finite() {
            let mean = partial.sum / values.len() as f64;
            partial.m2 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        } else {
            // There is no distance from an infinite mean, but from one point to the next.
            let mut sum = values[0];
            for (count, &value) in (1..).zip(&values[1..]) {
                partial.m2 += spread_between(count, sum, 1, value);
                sum += value;
            }
        }
        partial
    }

    /// Takes another summary in, of any times.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.m2 += other.m2 + spread_between(self.count, self.sum, other.count, other.sum);
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if earlier(other.first_at, other.first, self.first_at, self.first) {
            (self.first_at, self.first) = (other.first_at, other.first);
        }
        if earlier(self.last_at, self.last, other.last_at, other.last) {
            (self.last_at, self.last) = (other.last_at, other.last);
        }
    }
}

/// What the distance between two means adds to the sum of squared distances when their points are put together.
pub(crate) fn spread_between(count_a: u64, sum_a: f64, count_b: u64, sum_b: f64) -> f64 {
    if count_a == 0 || count_b == 0 {
        return 0.0;
    }
    let (a, b) = (count_a as f64, count_b as f64);
    let distance = sum_b / b - sum_a / a;
    distance * distance * (a * b / (a + b))
}

/// The order of points of one series: by time, then by value.
pub(crate) fn earlier(at_a: i64, a: f64, at_b: i64, b: f64) -> bool {
    at_a.cmp(&at_b).then_with(|| a.total_cmp(&b)) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(i64, f64)]) -> Partial {
        let (times, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
        Partial::of_points(&times, &values)
    }

    #[test]
    fn merging_halves_equals_the_whole_in_either_order() {
        let points: Vec<(i64, f64)> = (0..100).map(|i| (i / 2, f64::from(i as i32 % 7) + 1e9)).collect();
        let whole = of(&points);
        for cut in 1..100 {
            for swapped in [false, true] {
                let (mut a, mut b) = (of(&points[..cut]), of(&points[cut..]));
                if swapped {
                    std::mem::swap(&mut a, &mut b);
                }
                a.merge(&b);
                assert!((a.m2 - whole.m2).abs() < 1e-4, "{} {}", a.m2, whole.m2);
                assert_eq!((a.count, a.min, a.max), (whole.count, whole.min, whole.max));
                assert_eq!((a.first_at, a.first, a.last_at), (whole.first_at, whole.first, whole.last_at));
            }
        }
    }

    #[test]
    fn a_summary_of_points_is_that_of_each_added_to_those_before() {
        let with_infinity = [(1, 1.0), (2, f64::INFINITY), (3, 2.0)];
        for points in [&[(1, 3.0)][..], &[(1, 1.0), (1, 2.0), (9, 0.5), (10, -4.0)], &with_infinity] {
            let mut merged = Partial::of(points[0].0, points[0].1);
            points[1..].iter().for_each(|&(at, value)| merged.merge(&Partial::of(at, value)));
            let whole = of(points);
            let near = (whole.m2 - merged.m2).abs() < 1e-9 || whole.m2.to_bits() == merged.m2.to_bits();
            assert!(near, "{} {}", whole.m2, merged.m2);
            assert_eq!(Partial { m2: 0.0, ..whole }, Partial { m2: 0.0, ..merged });
        }
    }

    #[test]
    fn of_points_at_one_time_the_least_is_first_and_the_greatest_last() {
        let mut a = Partial::of(5, 2.0);
        a.merge(&Partial::of(5, 3.0));
        a.merge(&Partial::of(5, 1.0));
        assert_eq!((a.first, a.last, a.count), (1.0, 3.0, 3));
    }
}
