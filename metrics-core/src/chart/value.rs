//! The value axis: a range and nice numbers in it.

/// The values that a chart spans, with the numbers written beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueScale {
    low: f64,
    high: f64,
    /// Nice numbers in the range with their words, ascending.
    pub ticks: Vec<(f64, String)>,
}

/// Share of a step by which rounding may put a number beyond an end of the range.
const SLACK: f64 = 1e-9;
/// Longest number in characters; what would be longer is written with an exponent.
pub const MAX_VALUE_CHARS: usize = 9;

impl ValueScale {
    /// A scale for values from `least` to `greatest`, both finite, with at most `most` numbers.
    pub fn new(least: f64, greatest: f64, most: usize) -> Self {
        let (low, high) = span(least, greatest);
        let most = most.max(2);
        let step = nice_step(low, high, most);
        let unit = Unit::of(low.abs().max(high.abs()), step);
        // Steps below what the numbers resolve would give one label many times; a multiple is exact, a sum is not.
        let first = (low / step - SLACK).ceil();
        let values = (0..=most).map(|index| (first + index as f64) * step);
        let inside = values.take_while(|value| value.is_finite() && value / step <= high / step + SLACK);
        let mut ticks: Vec<(f64, String)> = inside.map(|value| (value, unit.write(value))).collect();
        ticks.dedup_by(|later, earlier| later.1 == earlier.1);
        Self { low, high, ticks }
    }

    /// Where a value stands, from 0 at the bottom to 1 at the top; what lies outside stands at the ends.
    pub fn share(&self, value: f64) -> f64 {
        // Halved first: the distance between two finite numbers may not be finite.
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

/// The range shown: zero belongs to it where it is near, and a constant gets room on both sides.
fn span(least: f64, greatest: f64) -> (f64, f64) {
    let (least, greatest) = if least <= greatest { (least, greatest) } else { (greatest, least) };
    let width = greatest - least;
    if width <= greatest.abs().max(least.abs()) * 1e-12 {
        let room = if least == 0.0 { 1.0 } else { (least.abs() * 0.05).max(f64::MIN_POSITIVE) };
        return ((least - room).max(f64::MIN), (greatest + room).min(f64::MAX));
    }
    if least > 0.0 && least < 0.4 * width {
        (0.0, greatest)
    } else if greatest < 0.0 && -greatest < 0.4 * width {
        (least, 0.0)
    } else {
        (least, greatest)
    }
}

/// The finest of 1, 2, 2.5 and 5 times a power of ten that gives at most `most` numbers from `low` to `high`.
fn nice_step(low: f64, high: f64, most: usize) -> f64 {
    let rough = (high / most as f64 - low / most as f64).max(f64::MIN_POSITIVE);
    let power = rough.log10().floor();
    let count = |step: f64| (high / step + SLACK).floor() - (low / step - SLACK).ceil() + 1.0;
    (-1..=2)
        .flat_map(|up| [1.0, 2.0, 2.5, 5.0].map(|digit| digit * 10f64.powi(power as i32 + up)))
        .find(|&step| step >= rough * 0.5 && step.is_normal() && count(step) <= most as f64)
        .unwrap_or(rough)
}

/// How the numbers of one axis are written.
#[derive(Debug, Clone, Copy)]
struct Unit {
    divisor: f64,
    suffix: &'static str,
    decimals: usize,
}

impl Unit {
    fn of(greatest: f64, step: f64) -> Self {
        let (divisor, suffix) = match greatest {
            1e15.. => (0.0, ""),
            1e12.. => (1e12, "T"),
            1e9.. => (1e9, "G"),
            1e6.. => (1e6, "M"),
            1e4.. if step >= 100.0 => (1e3, "k"),
            1e-4.. => (1.0, ""),
            _ => (0.0, ""),
        };
        let decimals = (0..9).find(|&d| {
            let scaled = step / if divisor == 0.0 { 1.0 } else { divisor } * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled && scaled >= 0.5
        });
        Self { divisor, suffix, decimals: decimals.unwrap_or(9) as usize }
    }

    fn write(self, value: f64) -> String {
        if value == 0.0 {
            return "0".into();
        }
        if self.divisor > 0.0 {
            let text = format!("{:.*}{}", self.decimals, value / self.divisor, self.suffix);
            if text.len() <= MAX_VALUE_CHARS {
                return text;
            }
        }
        // The longest of these without decimals is -1e-308.
        let fits = |text: &String| text.len() <= MAX_VALUE_CHARS;
        (0..7).rev().map(|decimals| exponential(value, decimals)).find(fits).expect("without decimals it fits")
    }
}

/// `1.5e300`: no zeros at the end of the decimals.
fn exponential(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(least: f64, greatest: f64, most: usize) -> Vec<String> {
        ValueScale::new(least, greatest, most).ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn numbers_are_nice_and_share_a_unit() {
        assert_eq!(labels(18.3, 24.9, 5), ["20", "22", "24"]);
        assert_eq!(labels(-3.0, 3.0, 4), ["-2", "0", "2"]);
        assert_eq!(labels(251_643.0, 3_203_510.0, 4), ["0", "1M", "2M", "3M"]);
        assert_eq!(labels(0.0, 1e300, 3), ["0", "5e299", "1e300"]);
    }

    #[test]
    fn a_constant_lies_in_the_middle() {
        for value in [0.0, 21.5, -7.0, 1e-300, 1e300] {
            let share = ValueScale::new(value, value, 4).share(value);
            assert!((share - 0.5).abs() < 0.01, "{value} at {share}");
        }
    }

    proptest! {
        #[test]
        fn prop_ticks_ascend_in_the_range_and_are_short(a in any::<f64>(), b in any::<f64>(), most in 0usize..20) {
            prop_assume!(a.is_finite() && b.is_finite());
            let scale = ValueScale::new(a, b, most);
            prop_assert!(scale.ticks.windows(2).all(|pair| pair[0].0 < pair[1].0), "{scale:?}");
            prop_assert!(scale.ticks.iter().all(|(_, label)| label.len() <= MAX_VALUE_CHARS), "{scale:?}");
            prop_assert!((0.0..=1.0).contains(&scale.share(a)));
        }
    }
}
