//! The canvas: curves as braille dots, two by four to a character.

use textplots::{Chart, Plot, Shape};

/// Smallest canvas that textplots takes, in dots; a smaller one is cut out of it.
const LEAST_DOTS: (usize, usize) = (32, 4);
/// First character of the braille block, the one without a dot.
const BLANK: u32 = 0x2800;

/// One character of the canvas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    dots: u8,
    mark: Option<char>,
    /// Which curve was drawn here last.
    pub(crate) curve: usize,
    /// Nothing but a band is here.
    pub(crate) shade: bool,
}

/// The bits of a braille character's dots: by column, then from the top.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

impl Cell {
    /// What is printed; none where nothing was drawn.
    pub(crate) fn character(self) -> Option<char> {
        let braille = (self.dots > 0).then(|| char::from_u32(BLANK + u32::from(self.dots)));
        self.mark.or(braille.flatten())
    }
}

/// A grid of characters that curves are drawn on.
#[derive(Debug)]
pub(crate) struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

/// A place in dots: from the left, from the bottom.
pub(crate) type Dot = (usize, usize);

impl Canvas {
    /// An empty canvas.
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![Cell::default(); columns * rows] }
    }

    /// Width and height in dots.
    pub(crate) fn dots(&self) -> (usize, usize) {
        (self.columns * 2, self.rows * 4)
    }

    /// Draws one curve: every piece is a line of its own, a piece of one dot stays a dot.
    pub(crate) fn draw(&mut self, curve: usize, pieces: &[Vec<Dot>]) {
        if self.cells.is_empty() {
            return;
        }
        let (_, height) = self.dots();
        let (chart_width, chart_height) = (self.dots().0.max(LEAST_DOTS.0), height.max(LEAST_DOTS.1));
        // textplots scales in f32 and counts its dots up from one below the last row: whole dots in, whole dots out.
        let place = |&(x, y): &Dot| (x as f32, (chart_height - height + y + 1) as f32);
        let pieces: Vec<Vec<(f32, f32)>> = pieces.iter().map(|piece| piece.iter().map(place).collect()).collect();
        let shapes: Vec<Shape<'_>> = pieces
            .iter()
            .map(|piece| if piece.len() == 1 { Shape::Points(piece) } else { Shape::Lines(piece) })
            .collect();
        let (right, top) = (chart_width as f32, chart_height as f32);
        let mut chart = Chart::new_with_y_range(chart_width as u32, chart_height as u32, 0.0, right, 0.0, top);
        let drawn = shapes.iter().fold(&mut chart, |chart, shape| chart.lineplot(shape));
        drawn.figures();
        self.merge(curve, &drawn.frame());
    }

    /// Adds the dots of a frame in braille.
    fn merge(&mut self, curve: usize, frame: &str) {
        for (row, line) in frame.lines().take(self.rows).enumerate() {
            for (column, character) in line.chars().take(self.columns).enumerate() {
                let dots =
                    u32::from(character).checked_sub(BLANK).and_then(|dots| u8::try_from(dots).ok()).unwrap_or(0);
                if dots > 0 {
                    let cell = &mut self.cells[row * self.columns + column];
                    cell.dots = if cell.shade { dots } else { cell.dots | dots };
                    (cell.curve, cell.shade) = (curve, false);
                }
            }
        }
    }

    /// Fills the band of a curve between its lower and its upper dots, thinly: a line drawn later takes its cells over.
    pub(crate) fn shade(&mut self, curve: usize, band: &[(usize, usize, usize)]) {
        let (width, height) = self.dots();
        let pairs = band.windows(2).map(|pair| (pair[0], pair[1]));
        let alone = band.iter().take(usize::from(band.len() == 1)).map(|one| (*one, *one));
        for ((x0, low0, high0), (x1, low1, high1)) in pairs.chain(alone) {
            let between = |a: usize, b: usize, x: usize| {
                let share = (x - x0) as f64 / (x1 - x0).max(1) as f64;
                (a as f64 + (b as f64 - a as f64) * share).round() as usize
            };
            for x in x0..=x1.min(width.saturating_sub(1)).max(x0) {
                let top = between(high0, high1, x).min(height.saturating_sub(1));
                for y in (between(low0, low1, x)..=top).filter(|y| (x + y) % 2 == 0) {
                    self.shade_dot(curve, (x, y));
                }
            }
        }
    }

    fn shade_dot(&mut self, curve: usize, (x, y): Dot) {
        let (column, from_top) = (x / 2, (self.rows * 4).saturating_sub(y + 1));
        if column < self.columns && from_top / 4 < self.rows {
            let cell = &mut self.cells[from_top / 4 * self.columns + column];
            if cell.dots == 0 || cell.shade {
                cell.dots |= BITS[x % 2][from_top % 4];
                (cell.curve, cell.shade) = (curve, true);
            }
        }
    }

    /// Puts a character in place of the dots around a dot.
    pub(crate) fn mark(&mut self, curve: usize, (x, y): Dot, mark: char) {
        let (column, row) = (x / 2, (self.rows * 4).saturating_sub(y + 1) / 4);
        if column < self.columns && row < self.rows {
            let cell = &mut self.cells[row * self.columns + column];
            (cell.mark, cell.curve, cell.shade) = (Some(mark), curve, false);
        }
    }

    /// The characters of a row, the top one being 0.
    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(canvas: &Canvas) -> Vec<String> {
        (0..canvas.rows)
            .map(|row| canvas.row(row).iter().map(|cell| cell.character().unwrap_or(' ')).collect())
            .collect()
    }

    #[test]
    fn corners_of_the_canvas_are_its_corner_dots() {
        for (columns, rows) in [(1, 1), (3, 2), (20, 1), (40, 9)] {
            let mut canvas = Canvas::new(columns, rows);
            let (right, top) = (columns * 2 - 1, rows * 4 - 1);
            canvas.draw(0, &[vec![(0, 0)], vec![(right, top)]]);
            let lines = text(&canvas);
            let first = |row: usize| u32::from(lines[row].chars().next().expect("a column")) & 0x40;
            let last = |row: usize| u32::from(lines[row].chars().last().expect("a column")) & 0x08;
            assert_eq!((first(rows - 1), last(0)), (0x40, 0x08), "{columns} x {rows}: {lines:?}");
        }
    }

    #[test]
    fn a_line_takes_the_cells_of_a_band_over() {
        let mut canvas = Canvas::new(4, 1);
        canvas.shade(0, &[(0, 0, 3), (7, 0, 3)]);
        assert_eq!(text(&canvas), ["⡪⡪⡪⡪"]);
        assert!(canvas.row(0).iter().all(|cell| cell.shade));
        canvas.draw(0, &[vec![(0, 0), (3, 0)]]);
        assert_eq!(text(&canvas), ["⣀⣀⡪⡪"]);
        assert!(!canvas.row(0)[0].shade && canvas.row(0)[3].shade);
    }

    #[test]
    fn pieces_are_not_joined() {
        let mut canvas = Canvas::new(20, 1);
        canvas.draw(0, &[vec![(0, 0), (9, 0)], vec![(30, 0), (39, 0)]]);
        assert_eq!(text(&canvas), ["⣀⣀⣀⣀⣀          ⣀⣀⣀⣀⣀"]);
    }

    #[test]
    fn the_later_curve_colours_a_shared_cell_and_keeps_both_dots() {
        let mut canvas = Canvas::new(2, 1);
        canvas.draw(0, &[vec![(0, 0)]]);
        canvas.draw(3, &[vec![(0, 3)]]);
        assert_eq!((canvas.row(0)[0].curve, canvas.row(0)[0].character()), (3, Some('⡁')));
    }

    #[test]
    fn a_canvas_without_cells_takes_any_curve() {
        let mut canvas = Canvas::new(0, 5);
        canvas.draw(0, &[vec![(0, 0), (3, 9)]]);
        canvas.mark(0, (7, 7), '●');
        assert!(canvas.row(4).is_empty());
    }
}
