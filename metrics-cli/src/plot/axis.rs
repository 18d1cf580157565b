//! The value axis: a range and nice numbers on it.

/// A number that stands beside a row of the canvas.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueTick {
    /// Row of the canvas, 0 at the top.
    pub(crate) row: usize,
    /// The number in words.
    pub(crate) label: String,
}

/// The values that the canvas spans, with the numbers written beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueAxis {
    low: f64,
    high: f64,
    /// From the top down, at most one a row.
    pub(crate) ticks: Vec<ValueTick>,
}

/// Rows between two numbers: closer ones read as a wall of digits.
const ROWS_PER_TICK: usize = 4;
/// Share of a step by which rounding may put a number beyond an end of the range.
const SLACK: f64 = 1e-9;
/// Longest number in columns; what would be longer is written with an exponent.
const LABEL_COLUMNS: usize = 9;

impl ValueAxis {
    /// An axis over `rows` rows for values from `least` to `greatest`, both finite.
    pub(crate) fn new(least: f64, greatest: f64, rows: usize) -> Self {
        let (low, high) = span(least, greatest);
        let most = (rows / ROWS_PER_TICK + 1).clamp(2, 12);
        let step = nice_step(low, high, most);
        let unit = Unit::of(low.abs().max(high.abs()), step);
        let mut axis = Self { low, high, ticks: Vec::new() };
        // Steps below what the numbers resolve would give one label many times; a multiple is exact, a sum is not.
        let first = (low / step - SLACK).ceil();
        for index in 0..=most {
            let value = (first + index as f64) * step;
            if !value.is_finite() || value / step > high / step + SLACK {
                break;
            }
            let row = rows.saturating_sub(1).saturating_sub(axis.dot(value, rows * 4) / 4);
            let label = unit.write(value);
            if axis.ticks.last().is_none_or(|tick| tick.row > row && tick.label != label) {
                axis.ticks.push(ValueTick { row, label });
            }
        }
        axis.ticks.reverse();
        axis
    }

    /// Where a value stands among `dots` dots, counted from the bottom.
    pub(crate) fn dot(&self, value: f64, dots: usize) -> usize {
        // Halved first: the distance between two finite numbers may not be finite.
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        let top = dots.saturating_sub(1);
        // The cast sends NaN to 0 and holds what lies outside at the ends.
        ((share * top as f64).round() as usize).min(top)
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
            if text.len() <= LABEL_COLUMNS {
                return text;
            }
        }
        // The longest of these without decimals is -1e-308.
        let fits = |text: &String| text.len() <= LABEL_COLUMNS;
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

    fn labels(least: f64, greatest: f64, rows: usize) -> Vec<String> {
        ValueAxis::new(least, greatest, rows).ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn numbers_are_nice_and_go_down() {
        assert_eq!(labels(18.3, 24.9, 16), ["24", "22", "20"]);
        assert_eq!(labels(2.0, 97.0, 16), ["80", "60", "40", "20", "0"]);
        assert_eq!(labels(-3.0, 3.0, 12), ["2", "0", "-2"]);
    }

    #[test]
    fn large_numbers_share_a_unit() {
        assert_eq!(labels(251_643.0, 3_203_510.0, 12), ["3M", "2M", "1M", "0"]);
        assert_eq!(labels(0.0, 40_000.0, 8), ["40k", "20k", "0"]);
        assert_eq!(labels(0.0, 1e300, 8), ["1e300", "5e299", "0"]);
    }

    #[test]
    fn a_constant_lies_in_the_middle() {
        for value in [0.0, 21.5, -7.0, 1e-300, 1e300, f64::MAX, f64::MIN] {
            let axis = ValueAxis::new(value, value, 10);
            assert!((15..=24).contains(&axis.dot(value, 40)) || value.abs() == f64::MAX, "{value}: {axis:?}");
        }
    }

    #[test]
    fn ends_of_the_range_are_ends_of_the_canvas() {
        let axis = ValueAxis::new(10.0, 12.0, 5);
        assert_eq!(
            (axis.dot(10.0, 20), axis.dot(12.0, 20), axis.dot(99.0, 20), axis.dot(f64::NAN, 20)),
            (0, 19, 19, 0)
        );
    }

    proptest! {
        #[test]
        fn prop_ticks_are_in_the_canvas_in_order_and_short(
            a in prop_oneof![any::<f64>(), -1e3..1e3f64], b in prop_oneof![any::<f64>(), -1e3..1e3f64], rows in 0usize..60,
        ) {
            prop_assume!(a.is_finite() && b.is_finite());
            let axis = ValueAxis::new(a, b, rows);
            prop_assert!(axis.ticks.windows(2).all(|pair| pair[0].row < pair[1].row), "{axis:?}");
            prop_assert!(axis.ticks.iter().all(|tick| tick.row < rows.max(1) && tick.label.len() <= LABEL_COLUMNS), "{axis:?}");
            prop_assert!(axis.dot(a, rows * 4) <= (rows * 4).saturating_sub(1));
        }
    }
}
