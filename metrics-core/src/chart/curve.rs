//! Curves: a frame's columns as lines with gaps.

use crate::model::{Aggregate, Column, ColumnKind, Frame, FrameSeries, Resolution, Timestamp};

/// Points without a gap, oldest first.
type Piece = Vec<(Timestamp, f64)>;

/// One line of the chart.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What it is, for the legend.
    pub label: String,
    /// Pieces between gaps, oldest first, none of them empty, every value finite.
    pub pieces: Vec<Piece>,
    /// The least and the greatest value around the line, in pieces as above; empty where they were not asked for.
    pub band: Vec<Vec<(Timestamp, f64, f64)>>,
}

/// A distance of more than this many usual distances is a gap: one window of a full row is missing.
const GAP_IN_WINDOWS: f64 = 1.5;
/// The same where points come less often than windows, at times that nothing holds to a grid.
const GAP_IN_POINTS: f64 = 3.0;

impl Curve {
    /// A curve from its points, which may be in either order; places without a value are gaps.
    /// `window_micros` is the usual width of a window, none for raw points.
    pub fn new(label: String, points: &[(Timestamp, Option<f64>)], window_micros: Option<i64>) -> Self {
        let mut points = points.to_vec();
        points.sort_by_key(|(at, _)| *at);
        let widest = widest_step(&points, window_micros);
        let mut pieces: Vec<Piece> = Vec::new();
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
        Self { label, pieces, band: Vec::new() }
    }

    /// Every value, those of the band too.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        let band = self.band.iter().flatten().flat_map(|(_, low, high)| [*low, *high]);
        self.pieces.iter().flatten().map(|(_, value)| *value).chain(band)
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

/// The width of a frame's windows; none for raw points.
fn window_micros(frame: &Frame) -> Option<i64> {
    frame.per.parse::<Resolution>().ok().map(Resolution::nominal_micros)
}

/// Every column of every series as a curve, at most `most` of them; the second number is how many there were. A `min`
/// and a `max` beside an `avg` are the band of its curve.
pub fn curves(frame: &Frame, most: usize) -> (Vec<Curve>, usize) {
    let window = window_micros(frame);
    let several_names = frame.series.iter().any(|series| series.name != frame.series[0].name);
    let several_columns = frame.series.iter().any(|series| columns(series).nth(1).is_some());
    let mut curves = Vec::new();
    let mut all = 0;
    for series in &frame.series {
        for column in columns(series) {
            all += 1;
            if curves.len() < most {
                let points: Vec<_> = series.time.iter().copied().zip(column.values.iter().copied()).collect();
                let label = label(series, several_names, several_columns.then_some(column.kind));
                let mut curve = Curve::new(label, &points, window);
                if column.kind == ColumnKind::Aggregate(Aggregate::Avg) && has_band(series) {
                    curve.band = band(series, window);
                }
                curves.push(curve);
            }
        }
    }
    (curves, all)
}

/// Whether a series has all three of a band.
fn has_band(series: &FrameSeries) -> bool {
    [Aggregate::Avg, Aggregate::Min, Aggregate::Max].iter().all(|part| series.column(*part).is_some())
}

/// The columns that are lines.
fn columns(series: &FrameSeries) -> impl Iterator<Item = &Column> {
    let with_band = has_band(series);
    let in_band = |kind| matches!(kind, ColumnKind::Aggregate(Aggregate::Min | Aggregate::Max));
    series.columns.iter().filter(move |column| !(with_band && in_band(column.kind)))
}

/// The least and the greatest value of each window, in pieces between gaps.
fn band(series: &FrameSeries, window: Option<i64>) -> Vec<Vec<(Timestamp, f64, f64)>> {
    let [low, high] = [Aggregate::Min, Aggregate::Max].map(|part| {
        let values = series.column(part).unwrap_or_default();
        let points: Vec<_> = series.time.iter().copied().zip(values.iter().copied()).collect();
        Curve::new(String::new(), &points, window).pieces
    });
    let joined = |(low, high): (Piece, Piece)| low.into_iter().zip(high).map(|((at, low), (_, high))| (at, low, high));
    // Both have a value where the window has points, so that their pieces are the same.
    low.into_iter().zip(high).map(|pieces| joined(pieces).collect()).collect()
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
