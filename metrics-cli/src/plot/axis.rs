//! The value axis: the rows of a canvas beside a scale of values.

use metrics_core::chart::ValueScale;

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
    scale: ValueScale,
    /// From the top down, at most one a row.
    pub(crate) ticks: Vec<ValueTick>,
}

/// Rows between two numbers: closer ones read as a wall of digits.
const ROWS_PER_TICK: usize = 4;

impl ValueAxis {
    /// An axis over `rows` rows for values from `least` to `greatest`, both finite.
    pub(crate) fn new(least: f64, greatest: f64, rows: usize) -> Self {
        let scale = ValueScale::new(least, greatest, (rows / ROWS_PER_TICK + 1).clamp(2, 12));
        let mut axis = Self { scale, ticks: Vec::new() };
        for (value, label) in axis.scale.ticks.clone() {
            let row = rows.saturating_sub(1).saturating_sub(axis.dot(value, rows * 4) / 4);
            if axis.ticks.last().is_none_or(|tick| tick.row > row) {
                axis.ticks.push(ValueTick { row, label });
            }
        }
        axis.ticks.reverse();
        axis
    }

    /// Where a value stands among `dots` dots, counted from the bottom.
    pub(crate) fn dot(&self, value: f64, dots: usize) -> usize {
        let top = dots.saturating_sub(1);
        ((self.scale.share(value) * top as f64).round() as usize).min(top)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use metrics_core::chart::MAX_VALUE_CHARS;

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
            prop_assert!(axis.ticks.iter().all(|tick| tick.row < rows.max(1) && tick.label.len() <= MAX_VALUE_CHARS), "{axis:?}");
            prop_assert!(axis.dot(a, rows * 4) <= (rows * 4).saturating_sub(1));
        }
    }
}
