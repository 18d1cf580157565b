//! How fast a series moves.

use super::numbers::Sum;
use super::range_function::Window;

/// Microseconds in a second, for times as numbers.
const SECOND: f64 = 1e6;

/// What is asked of the way from the first sample of a range to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a counter, per second.
    Rate,
    /// Of a counter, over the range.
    Increase,
    /// Of a gauge, over the range.
    Delta,
}

/// The way from the first sample to the last, stretched to the ends of the range where samples lie near them, as
/// Prometheus does it: within 1.1 of their mean distance to the end itself, else by half of that distance; a counter
/// not below zero. A counter that falls has started anew from zero.
pub(crate) fn extrapolated(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let (values, times) = (window.values, window.times);
    let (first, last) = (*values.first()?, *values.last()?);
    let sampled = times.last()? - times.first()?;
    if values.len() < 2 || sampled == 0 {
        return None;
    }
    let is_counter = kind != Kind::Delta;
    let mut way = last - first;
    if is_counter {
        way += values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum::<f64>();
    }
    let sampled = sampled as f64 / SECOND;
    let mut to_start = (times[0] - window.start) as f64 / SECOND;
    let mut to_end = (window.end - times[times.len() - 1]) as f64 / SECOND;
    let mean_distance = sampled / (values.len() - 1) as f64;
    let near = mean_distance * 1.1;
    if to_start >= near {
        to_start = mean_distance / 2.0;
    }
    if is_counter && way > 0.0 && first >= 0.0 {
        to_start = to_start.min(sampled * (first / way));
    }
    if to_end >= near {
        to_end = mean_distance / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if kind == Kind::Rate {
        factor /= (window.end - window.start) as f64 / SECOND;
    }
    Some(way * factor)
}

/// From the last sample but one to the last: per second of a counter, or the difference.
pub(crate) fn last_step(window: &Window<'_>, is_rate: bool) -> Option<f64> {
    let (&[.., before, after], &[.., earlier, later]) = (window.values, window.times) else { return None };
    if later == earlier {
        return None;
    }
    if !is_rate {
        return Some(after - before);
    }
    let counted = if after < before { after } else { after - before };
    Some(counted / ((later - earlier) as f64 / SECOND))
}

/// A straight line: its slope per second, and its height at some instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
}

/// The line with the least squares of distances from the samples, and its height at an instant.
pub(crate) fn line(window: &Window<'_>, at: i64) -> Option<Line> {
    let (values, first) = (window.values, *window.values.first()?);
    if values.len() < 2 {
        return None;
    }
    if values.iter().all(|value| *value == first) {
        return Some(match first.is_infinite() {
            true => Line { slope: f64::NAN, intercept: f64::NAN },
            false => Line { slope: 0.0, intercept: first },
        });
    }
    let [mut x_sum, mut y_sum, mut xy_sum, mut xx_sum] = [Sum::default(); 4];
    for (time, &y) in window.times.iter().zip(values) {
        let x = (time - at) as f64 / SECOND;
        x_sum.add(x);
        y_sum.add(y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let n = values.len() as f64;
    let (x, y) = (x_sum.total(), y_sum.total());
    let slope = (xy_sum.total() - x * y / n) / (xx_sum.total() - x * x / n);
    Some(Line { slope, intercept: y / n - slope * x / n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window<'a>(times: &'a [i64], values: &'a [f64], start: i64, end: i64) -> Window<'a> {
        Window { times, values, start, end, now: end }
    }

    const S: i64 = 1_000_000;

    #[test]
    fn a_counter_is_stretched_to_the_near_ends_of_its_range() {
        let times = [15 * S, 30 * S, 45 * S];
        let values = [10.0, 20.0, 30.0];
        let of = |start, end| extrapolated(&window(&times, &values, start, end), Kind::Increase).expect("two samples");
        assert!((of(0, 60 * S) - 40.0).abs() < 1e-12, "both ends are near");
        assert!((of(-60 * S, 60 * S) - 35.0).abs() < 1e-12, "half a distance where the start is far");
        let rate = extrapolated(&window(&times, &values, 0, 60 * S), Kind::Rate).expect("two samples");
        assert!((rate - 40.0 / 60.0).abs() < 1e-12, "{rate}");
    }

    #[test]
    fn a_counter_is_not_stretched_below_zero_and_starts_anew_when_it_falls() {
        let times = [15 * S, 30 * S, 45 * S];
        let of = |values: &[f64], kind| extrapolated(&window(&times, values, 0, 45 * S), kind).expect("two samples");
        assert!((of(&[2.0, 12.0, 22.0], Kind::Increase) - 22.0).abs() < 1e-12, "zero was three seconds before");
        assert!((of(&[20.0, 30.0, 5.0], Kind::Increase) - 15.0 * 45.0 / 30.0).abs() < 1e-12);
        assert!((of(&[20.0, 30.0, 5.0], Kind::Delta) + 15.0 * 45.0 / 30.0).abs() < 1e-12);
    }

    #[test]
    fn one_sample_or_one_time_has_no_slope() {
        for (times, values) in [(&[S][..], &[1.0][..]), (&[S, S], &[1.0, 2.0])] {
            let window = window(times, values, 0, 2 * S);
            assert_eq!(extrapolated(&window, Kind::Rate), None);
            assert_eq!(last_step(&window, true), None);
        }
    }

    #[test]
    fn the_last_step_of_a_counter_that_fell_is_what_it_counted_since() {
        let window = window(&[0, 10 * S, 20 * S], &[1.0, 9.0, 4.0], -1, 20 * S);
        assert_eq!(last_step(&window, true), Some(0.4));
        assert_eq!(last_step(&window, false), Some(-5.0));
    }

    #[test]
    fn a_line_is_found_again() {
        let times: Vec<i64> = (0..10).map(|i| i * 10 * S).collect();
        let values: Vec<f64> = (0..10).map(|i| 3.0 * f64::from(i) + 1e9).collect();
        let found = line(&window(&times, &values, -1, 100 * S), 100 * S).expect("ten samples");
        assert!((found.slope - 0.3).abs() < 1e-6 && (found.intercept - (1e9 + 30.0)).abs() < 1e-3, "{found:?}");
        let flat = line(&window(&times[..2], &[5.0, 5.0], -1, 100 * S), 0).expect("two samples");
        assert_eq!(flat, Line { slope: 0.0, intercept: 5.0 });
    }
}
