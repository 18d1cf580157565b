//! How a chunk stores the times and values of its points: as small whole numbers where that loses nothing.
//!
//! DuckDB packs a column of whole numbers by the distance from one to the next, which of a slowly moving value takes
//! half the bits that its packing of doubles (ALP) does.

use super::chunk_writer::gcd;

/// Most decimals that values are stored with as whole numbers.
const MAX_DECIMALS: u32 = 4;
/// Greatest magnitude of such values: times 10^[`MAX_DECIMALS`] it stays below 2^53, where a double holds every
/// whole number, so that a value of few decimals can also be stored with more.
const MAX_SCALED: f64 = 1e11;

/// Times are `base + t * unit`; values are doubles, or `v / scale` of whole numbers `v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) base: i64,
    /// Positive.
    pub(crate) unit: i64,
    /// A power of ten, or none for doubles.
    pub(crate) scale: Option<i64>,
}

impl Encoding {
    /// The encoding with the smallest numbers that gives back exactly these times and values, told run by run.
    pub(crate) fn of<'a, T, V>(times: impl Fn() -> T, values: impl Fn() -> V) -> Self
    where
        T: Iterator<Item = &'a [i64]>,
        V: Iterator<Item = &'a [f64]>,
    {
        let base = times().flatten().copied().min().unwrap_or(0);
        let unit = times().fold(0, |unit, run| common_unit(run, base, unit));
        let scale = values().flatten().try_fold(1, |scale, &value| scale_of(value, scale));
        Self { base, unit: i64::try_from(unit).unwrap_or(1).max(1), scale }
    }

    /// The encoding for the points of several chunks together.
    pub(crate) fn common(encodings: &[Self]) -> Self {
        let base = encodings.iter().map(|encoding| encoding.base).min().unwrap_or(0);
        let unit = encodings.iter().fold(0, |unit, e| gcd(gcd(unit, e.unit.unsigned_abs()), e.base.abs_diff(base)));
        let scale = encodings.iter().try_fold(1, |scale, encoding| Some(encoding.scale?.max(scale)));
        Self { base, unit: i64::try_from(unit).unwrap_or(1).max(1), scale }
    }

    /// The SQL of a point's value.
    pub(crate) fn value_sql(&self) -> String {
        self.scale.map_or_else(|| "value".to_owned(), |scale| format!("value / {scale}::DOUBLE"))
    }
}

/// The greatest common divisor of a number and the distances of times from a base. It is that of the first distance and
/// the steps, which are mostly the same: a division only for another one.
fn common_unit(times: &[i64], base: i64, unit: u64) -> u64 {
    let (mut unit, mut before, mut step) = (unit, base, 0);
    for &at in times {
        if at.abs_diff(before) != step {
            step = at.abs_diff(before);
            unit = gcd(unit, step);
        }
        before = at;
    }
    unit
}

/// The whole number that stands for a value, none where it would not give the value back to the bit.
pub(crate) fn scaled(value: f64, scale: i64) -> Option<i64> {
    // NaN is no multiple of anything either: the bits tell.
    if value.abs() > MAX_SCALED {
        return None;
    }
    // Numbers above this one have no fraction: what is added and taken away again is rounded, without a call.
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    let whole = ((value * scale as f64 + ROUNDER) - ROUNDER) as i64;
    (whole as f64 / scale as f64).to_bits().eq(&value.to_bits()).then_some(whole)
}

/// The least power of ten, not below `least`, that a value can be stored with.
fn scale_of(value: f64, least: i64) -> Option<i64> {
    let mut scale = least;
    while scale <= 10_i64.pow(MAX_DECIMALS) {
        if scaled(value, scale).is_some() {
            return Some(scale);
        }
        scale *= 10;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scale(values: &[f64]) -> Option<i64> {
        Encoding::of(|| [&[0][..]].into_iter(), || [values].into_iter()).scale
    }

    #[test]
    fn decimals_become_whole_numbers_and_others_stay_doubles() {
        assert_eq!(scale(&[1.0, -5.0]), Some(1));
        assert_eq!(scale(&[1.0, 20.25, 0.1]), Some(100));
        assert_eq!(scale(&[51.846_000_000_000_004]), None);
        for odd in [f64::NAN, f64::INFINITY, -0.0, 1e12, 1e-5, f64::MIN_POSITIVE] {
            assert_eq!(scale(&[1.5, odd]), None, "{odd}");
        }
    }

    #[test]
    fn times_share_their_greatest_unit() {
        let encoding = Encoding::of(|| [&[10, 40, 70][..], &[40]].into_iter(), || [].into_iter());
        assert_eq!((encoding.base, encoding.unit), (10, 30));
        let other = Encoding { base: 25, unit: 60, scale: None };
        assert_eq!(Encoding::common(&[encoding, other]), Encoding { base: 10, unit: 15, scale: None });
    }

    proptest! {
        #[test]
        fn prop_a_value_of_few_decimals_can_be_stored_with_more(whole in -1_000_000_000_000_000_i64..1_000_000_000_000_000, decimals in 0u32..=4) {
            let value = whole as f64 / 10f64.powi(decimals as i32);
            prop_assume!(value.abs() <= MAX_SCALED && value.to_bits() != (-0.0f64).to_bits());
            for more in decimals..=MAX_DECIMALS {
                let scale = 10_i64.pow(more);
                let stored = scaled(value, scale).expect("representable");
                prop_assert_eq!((stored as f64 / scale as f64).to_bits(), value.to_bits());
            }
        }
    }
}
