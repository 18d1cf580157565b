//! Charts for the terminal: curves in braille between a value axis and a time axis.

mod axis;
mod canvas;
mod legend;
mod time_axis;

use chrono_tz::Tz;
use metrics_core::Timestamp;
use metrics_core::chart::Curve;
use unicode_width::UnicodeWidthStr;

use axis::ValueAxis;
use canvas::{Canvas, Cell, Dot};
pub(crate) use legend::{MOST_CURVES, Paint, fit, to_ascii};

/// Widest and highest chart, in characters.
pub(crate) const MOST_COLUMNS: usize = 1_000;
/// See [`MOST_COLUMNS`].
pub(crate) const MOST_ROWS: usize = 500;
/// Columns between two marks on a curve.
const MARK_EVERY: usize = 24;
/// The value axis goes where it would leave the canvas fewer columns.
const LEAST_COLUMNS: usize = 10;

/// What is drawn, and how large.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// First words of the title.
    pub(crate) title: String,
    /// The lines.
    pub(crate) curves: Vec<Curve>,
    /// Time at the left edge.
    pub(crate) from: Timestamp,
    /// Time at the right edge.
    pub(crate) to: Timestamp,
    /// Whose clock the time axis shows.
    pub(crate) zone: Tz,
    /// Width of the whole, in columns of the terminal.
    pub(crate) columns: usize,
    /// Height of the whole, in lines.
    pub(crate) rows: usize,
    /// How curves are told apart.
    pub(crate) paint: Paint,
}

/// Columns of the canvas in a picture of that width, near enough to choose the width of windows by.
pub(crate) fn canvas_columns(columns: usize) -> usize {
    columns.clamp(1, MOST_COLUMNS).saturating_sub(8).max(1)
}

/// How the lines are shared out: what is dearest goes last.
struct Layout {
    title: bool,
    time_axis: bool,
    legend_rows: usize,
    canvas_rows: usize,
}

impl Layout {
    fn of(rows: usize, curves: usize) -> Self {
        let (title, time_axis) = (rows >= 6, rows >= 4);
        let rest = rows - usize::from(title) - 2 * usize::from(time_axis);
        let legend_rows = if curves > 1 && rows >= 8 { (rest / 4).min(curves) } else { 0 };
        Self { title, time_axis, legend_rows, canvas_rows: rest - legend_rows }
    }
}

impl Picture {
    /// The lines of the chart: none is wider and there are no more than asked for.
    pub(crate) fn draw(&self) -> Vec<String> {
        let (columns, rows) = (self.columns.min(MOST_COLUMNS), self.rows.min(MOST_ROWS));
        if columns == 0 || rows == 0 {
            return Vec::new();
        }
        let mut layout = Layout::of(rows, self.curves.len());
        let labels: Vec<&str> = self.curves.iter().map(|curve| curve.label.as_str()).collect();
        let legend = match layout.legend_rows {
            0 => Vec::new(),
            most => legend::lines(&labels, self.paint, columns, most),
        };
        layout.canvas_rows += layout.legend_rows - legend.len();

        let values = || self.curves.iter().flat_map(Curve::values);
        let axis = ValueAxis::new(
            values().reduce(f64::min).unwrap_or(0.0),
            values().reduce(f64::max).unwrap_or(1.0),
            layout.canvas_rows,
        );
        let margin = axis.ticks.iter().map(|tick| tick.label.width()).max().unwrap_or(0);
        let margin = if columns >= margin + 2 + LEAST_COLUMNS { margin } else { 0 };
        let canvas_columns = if margin > 0 { columns - margin - 2 } else { columns };
        let mut canvas = Canvas::new(canvas_columns, layout.canvas_rows);
        self.draw_curves(&mut canvas, &axis);

        let mut lines = Vec::with_capacity(rows);
        if layout.title {
            lines.push(self.title_line(columns));
        }
        for row in 0..layout.canvas_rows {
            lines.push(self.canvas_line(&canvas, &axis, row, margin));
        }
        if layout.time_axis {
            lines.extend(self.time_lines(canvas_columns, margin, columns));
        }
        lines.extend(legend);
        if self.paint == Paint::Ascii {
            return lines.iter().map(|line| to_ascii(line)).collect();
        }
        lines
    }

    fn draw_curves(&self, canvas: &mut Canvas, axis: &ValueAxis) {
        let (width, height) = canvas.dots();
        for (index, curve) in self.curves.iter().enumerate() {
            for piece in &curve.band {
                let place = |&(at, low, high): &(Timestamp, f64, f64)| {
                    let x = time_axis::dot(at, self.from, self.to, width);
                    (x, axis.dot(low, height), axis.dot(high, height))
                };
                canvas.shade(index, &piece.iter().map(place).collect::<Vec<_>>());
            }
        }
        let dotted: Vec<Vec<Vec<Dot>>> = self
            .curves
            .iter()
            .map(|curve| {
                let dot = |&(at, value): &(Timestamp, f64)| {
                    (time_axis::dot(at, self.from, self.to, width), axis.dot(value, height))
                };
                let piece = |points: &Vec<(Timestamp, f64)>| {
                    let mut dots: Vec<Dot> = points.iter().map(dot).collect();
                    dots.dedup();
                    dots
                };
                curve.pieces.iter().map(piece).collect()
            })
            .collect();
        for (index, pieces) in dotted.iter().enumerate() {
            canvas.draw(index, pieces);
        }
        if dotted.len() > 1 {
            for (index, pieces) in dotted.iter().enumerate() {
                self.mark_curve(canvas, index, pieces, dotted.len());
            }
        }
    }

    /// Marks along a curve, shifted from curve to curve; at least one.
    fn mark_curve(&self, canvas: &mut Canvas, index: usize, pieces: &[Vec<Dot>], curves: usize) {
        let Some(mark) = self.paint.mark(index) else { return };
        let mut next = 2 + index * MARK_EVERY / curves;
        let mut marked = false;
        for &dot in pieces.iter().flatten() {
            if dot.0 / 2 >= next {
                canvas.mark(index, dot, mark);
                marked = true;
                next = dot.0 / 2 + MARK_EVERY;
            }
        }
        if let (false, Some(&dot)) = (marked, pieces.iter().flatten().last()) {
            canvas.mark(index, dot, mark);
        }
    }

    /// Name at the left, the time that is shown at the right, as exactly as there is room for.
    fn title_line(&self, columns: usize) -> String {
        let title = fit(&self.title, columns);
        let span = |format: &str| {
            let [from, to] =
                [self.from, self.to].map(|at| at.to_utc().with_timezone(&self.zone).format(format).to_string());
            if from == to { from } else { format!("{from} to {to}") }
        };
        let zone = self.zone.name();
        let spans =
            [format!("{} {zone}", span("%Y-%m-%d %H:%M")), span("%Y-%m-%d %H:%M"), span("%Y-%m-%d"), span("%b %-d")];
        let room = columns.saturating_sub(title.width() + 2);
        match spans.iter().find(|span| span.width() <= room) {
            None => self.paint.strong(&title),
            Some(span) => {
                let gap = " ".repeat(columns - title.width() - span.width());
                format!("{}{gap}{}", self.paint.strong(&title), self.paint.faint(span))
            }
        }
    }

    fn canvas_line(&self, canvas: &Canvas, axis: &ValueAxis, row: usize, margin: usize) -> String {
        let tick = axis.ticks.iter().find(|tick| tick.row == row);
        let mut line = String::new();
        if margin > 0 {
            let label = tick.map_or("", |tick| tick.label.as_str());
            line.push_str(&format!("{label:>margin$} "));
            line.push_str(&self.paint.faint(if tick.is_some() { "┤" } else { "│" }));
        }
        let cells = canvas.row(row);
        let grid = tick.is_some() && self.paint == Paint::Colours;
        let drawn = cells.iter().rposition(|cell| self.paint.glyph(cell).is_some()).map_or(0, |last| last + 1);
        let end = if grid { cells.len() } else { drawn };
        let kind = |cell: &Cell| self.paint.glyph(cell).map(|_| (cell.curve, cell.shade));
        for run in cells[..end].chunk_by(|a, b| kind(a) == kind(b)) {
            let text: String = run.iter().map(|cell| self.paint.glyph(cell).unwrap_or(' ')).collect();
            match kind(&run[0]) {
                Some((curve, true)) => line.push_str(&self.paint.shade(curve, &text)),
                Some((curve, false)) => line.push_str(&self.paint.curve(curve, &text)),
                None if grid => line.push_str(&self.paint.faint(&"┈".repeat(run.len()))),
                None => line.push_str(&text),
            }
        }
        line
    }

    /// The line below the canvas with its ticks, and their labels.
    fn time_lines(&self, canvas_columns: usize, margin: usize, columns: usize) -> [String; 2] {
        let left = if margin > 0 { margin + 2 } else { 0 };
        let mut rule: Vec<char> = vec!['─'; canvas_columns];
        let mut labels = vec![' '; columns];
        let mut free = 0;
        for tick in time_axis::ticks(self.from, self.to, canvas_columns, self.zone) {
            let width = tick.label.len();
            let start = (left + tick.column).saturating_sub(width / 2).min(columns.saturating_sub(width));
            if start < free || start + width > columns {
                continue;
            }
            rule[tick.column] = '┬';
            labels.splice(start..start + width, tick.label.chars());
            free = start + width + 2;
        }
        let corner = if margin > 0 { format!("{}└", " ".repeat(margin + 1)) } else { String::new() };
        let rule: String = corner + &rule.iter().collect::<String>();
        [self.paint.faint(&rule), labels.iter().collect::<String>().trim_end().to_owned()]
    }
}

#[cfg(test)]
mod tests;
