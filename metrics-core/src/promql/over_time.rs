//! What the values in a range come to, whatever their times.

use super::numbers::{self, Mean, Sum, Variance};

pub(crate) fn sum(values: &[f64]) -> f64 {
    let mut sum = Sum::default();
    values.iter().for_each(|value| sum.add(*value));
    sum.total()
}

pub(crate) fn avg(values: &[f64]) -> f64 {
    let mut mean = Mean::default();
    values.iter().for_each(|value| mean.add(*value));
    mean.value()
}

/// The least that is a number.
pub(crate) fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

/// The greatest that is a number.
pub(crate) fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

pub(crate) fn variance(values: &[f64]) -> f64 {
    let mut variance = Variance::default();
    values.iter().for_each(|value| variance.add(*value));
    variance.value()
}

pub(crate) fn quantile(q: f64, values: &[f64]) -> f64 {
    numbers::quantile(q, &mut values.to_vec())
}

/// How often a value differs from the one before.
pub(crate) fn changes(values: &[f64]) -> f64 {
    let differ = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    values.windows(2).filter(differ).count() as f64
}

/// How often a value is less than the one before.
pub(crate) fn resets(values: &[f64]) -> f64 {
    values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_neither_least_nor_greatest() {
        let values = [f64::NAN, 2.0, 1.0, f64::NAN];
        assert_eq!((min(&values), max(&values)), (1.0, 2.0));
        assert!(min(&[f64::NAN]).is_nan() && sum(&values).is_nan());
        assert_eq!((changes(&values), resets(&values)), (3.0, 1.0));
        assert_eq!(changes(&[f64::NAN, f64::NAN, 1.0, 1.0]), 1.0);
    }
}
