//! A line of text as a small chart.

/// Heights, lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same for terminals without Unicode.
const ASCII: [char; 5] = ['_', '.', '-', '=', '#'];

/// One character a value, from the least at the bottom to the greatest at the top; a blank where there is none.
pub(crate) fn sparkline(values: &[Option<f64>], ascii: bool) -> String {
    let heights: &[char] = if ascii { &ASCII } else { &BLOCKS };
    let finite = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (Some(least), Some(greatest)) = (finite().reduce(f64::min), finite().reduce(f64::max)) else {
        return " ".repeat(values.len());
    };
    let height = |value: f64| {
        // Halved first: the distance between two finite numbers may not be finite.
        let share = (value / 2.0 - least / 2.0) / (greatest / 2.0 - least / 2.0);
        // A constant has no share: it lies in the middle.
        let share = if share.is_nan() { 0.5 } else { share };
        heights[((share * heights.len() as f64) as usize).min(heights.len() - 1)]
    };
    values.iter().map(|value| value.filter(|value| value.is_finite()).map_or(' ', height)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_between_their_least_and_greatest() {
        let values = [Some(0.0), Some(4.0), None, Some(8.0), Some(f64::NAN)];
        assert_eq!((sparkline(&values, false), sparkline(&values, true)), ("▁▅ █ ".into(), "_- # ".into()));
        assert_eq!(sparkline(&[Some(3.0), Some(3.0)], false), "▅▅");
        assert_eq!(sparkline(&[Some(f64::MIN), Some(f64::MAX)], false), "▁█");
        assert_eq!(sparkline(&[None, None], false), "  ");
    }
}
