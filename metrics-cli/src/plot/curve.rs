//! Curves: a frame's columns as lines with gaps.

use metrics_core::{ColumnKind, Frame, FrameSeries, QueryRequest, Timestamp};

/// One line of the chart.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    /// What it is, for the legend.
    pub(crate) label: String,
    /// Pieces between gaps, oldest first, none of them empty, every value finite.
    pub(crate) pieces: Vec<Vec<(Timestamp, f64)>>,
}

/// A distance of more than this many usual distances is a gap: one window of a full row is missing.
const GAP_IN_WINDOWS: f64 = 1.5;
/// The same where points come less often than windows, at times that nothing holds to a grid.
const GAP_IN_POINTS: f64 = 3.0;

impl Curve {
    /// A curve from its points, which may be in either order; places without a value are gaps.
    /// `window_micros` is the usual width of a window, none for raw points.
    pub(crate) fn new(label: String, points: &[(Timestamp, Option<f64>)], window_micros: Option<i64>) -> Self {
        let mut points = points.to_vec();
        points.sort_by_key(|(at, _)| *at);
        let widest = widest_step(&points, window_micros);
        let mut pieces: Vec<Vec<(Timestamp, f64)>> = Vec::new();
        let mut joined = false;
        for (at, value) in points {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                joined = false;
                continue;
            };
            match pieces.last_mut() {
                Some(piece) if joined && piece.last().is_some_and(|(last, _)| distance(*last, at) <= widest) => {
                    piece.push((at, value));
                }
                _ => pieces.push(vec![(at, value)]),
            }
            joined = true;
        }
        Self { label, pieces }
    }

    /// Every value.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().flatten().map(|(_, value)| *value)
    }
}

fn distance(earlier: Timestamp, later: Timestamp) -> f64 {
    later.micros() as f64 - earlier.micros() as f64
}

/// The longest step that still is a line.
fn widest_step(points: &[(Timestamp, Option<f64>)], window_micros: Option<i64>) -> f64 {
    let mut steps: Vec<f64> = points.windows(2).map(|pair| distance(pair[0].0, pair[1].0)).collect();
    let median = match steps.len() {
        0 => return f64::INFINITY,
        count => *steps.select_nth_unstable_by(count / 2, f64::total_cmp).1,
    };
    match window_micros.map(|width| width as f64) {
        Some(width) if median <= width * GAP_IN_WINDOWS => width * GAP_IN_WINDOWS,
        _ => median * GAP_IN_POINTS,
    }
}

/// Every column of every series as a curve, at most `most` of them; the second number is how many there were.
pub(crate) fn curves(frame: &Frame, request: &QueryRequest, most: usize) -> (Vec<Curve>, usize) {
    let window = request.resolution().map(metrics_core::Resolution::nominal_micros);
    let several_names = frame.series.iter().any(|series| series.name != frame.series[0].name);
    let several_columns = frame.series.iter().any(|series| series.columns.len() > 1);
    let mut curves = Vec::new();
    let mut all = 0;
    for series in &frame.series {
        for column in &series.columns {
            all += 1;
            if curves.len() < most {
                let points: Vec<_> = series.time.iter().copied().zip(column.values.iter().copied()).collect();
                let label = label(series, several_names, several_columns.then_some(column.kind));
                curves.push(Curve::new(label, &points, window));
            }
        }
    }
    (curves, all)
}

/// What tells a curve from the others, and no more.
fn label(series: &FrameSeries, named: bool, column: Option<ColumnKind>) -> String {
    let mut parts = Vec::new();
    if named {
        parts.push(series.name.to_string());
    }
    parts.extend(series.labels.iter().map(|(label, value)| format!("{label}={value}")));
    parts.extend(column.map(|kind| kind.to_string()));
    if parts.is_empty() { series.name.to_string() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(minutes: &[i64], window: Option<i64>) -> Vec<usize> {
        let points: Vec<_> = minutes.iter().map(|m| (Timestamp::clamped(m * 60_000_000), Some(1.0))).collect();
        Curve::new("x".into(), &points, window).pieces.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_missing_window_is_a_gap() {
        assert_eq!(lengths(&[0, 1, 2, 4, 5], Some(60_000_000)), [3, 2]);
        assert_eq!(lengths(&[5, 4, 2, 1, 0], Some(60_000_000)), [3, 2], "newest first too");
    }

    #[test]
    fn points_rarer_than_windows_are_still_a_line() {
        assert_eq!(lengths(&[0, 5, 10, 15, 40, 45], Some(60_000_000)), [4, 2]);
        assert_eq!(lengths(&[0, 5, 11, 15, 90], None), [4, 1]);
    }

    #[test]
    fn places_without_a_finite_value_are_gaps() {
        let at = |minute: i64| Timestamp::clamped(minute * 60_000_000);
        let points =
            [(at(0), Some(1.0)), (at(1), None), (at(2), Some(f64::NAN)), (at(3), Some(2.0)), (at(4), Some(3.0))];
        let curve = Curve::new("x".into(), &points, Some(60_000_000));
        assert_eq!(curve.pieces, [vec![(at(0), 1.0)], vec![(at(3), 2.0), (at(4), 3.0)]]);
        assert_eq!(lengths(&[7], None), [1]);
        assert_eq!(lengths(&[], None), [0; 0]);
    }
}
