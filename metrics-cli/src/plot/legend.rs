//! The legend: which curve is which, by colour or by mark.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::canvas::Cell;

/// Curves that can be told apart.
pub(crate) const MOST_CURVES: usize = 12;
/// The terminal's own colours, so that its theme decides how they look: the six, then their bright kin.
const COLOURS: [u8; MOST_CURVES] = [36, 33, 35, 32, 34, 31, 96, 93, 95, 92, 94, 91];
/// What tells curves apart where colours may not.
const MARKS: [char; MOST_CURVES] = ['●', '■', '▲', '◆', '○', '□', '△', '◇', '+', '×', '*', 'o'];
/// What curves are made of in ASCII.
const ASCII_MARKS: [char; MOST_CURVES] = ['*', '+', 'o', 'x', '#', '@', '%', '&', '=', '~', '^', '$'];
/// Blanks between two entries.
const GAP: usize = 3;

/// How curves are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// By colour.
    Colours,
    /// By marks on the curves.
    Marks,
    /// By what the curves are made of, where nothing but ASCII can be shown.
    Ascii,
}

impl Paint {
    /// Text in a curve's colour.
    pub(crate) fn curve(self, curve: usize, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{}m{text}\x1b[0m", COLOURS[curve % COLOURS.len()]),
            Self::Marks | Self::Ascii => text.to_owned(),
        }
    }

    /// Text of the band behind a curve.
    pub(crate) fn shade(self, curve: usize, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[2;{}m{text}\x1b[0m", COLOURS[curve % COLOURS.len()]),
            Self::Marks | Self::Ascii => text.to_owned(),
        }
    }

    /// What a cell of the canvas shows; none where nothing was drawn.
    pub(crate) fn glyph(self, cell: &Cell) -> Option<char> {
        let drawn = cell.character()?;
        Some(match self {
            Self::Ascii if cell.shade => '.',
            Self::Ascii => ASCII_MARKS[cell.curve % ASCII_MARKS.len()],
            Self::Colours | Self::Marks => drawn,
        })
    }

    /// Text that stands back behind the curves.
    pub(crate) fn faint(self, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[2m{text}\x1b[0m"),
            Self::Marks | Self::Ascii => text.to_owned(),
        }
    }

    /// Text that is read first.
    pub(crate) fn strong(self, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[1m{text}\x1b[0m"),
            Self::Marks | Self::Ascii => text.to_owned(),
        }
    }

    /// The mark of a curve, where marks are used.
    pub(crate) fn mark(self, curve: usize) -> Option<char> {
        (self == Self::Marks).then(|| MARKS[curve % MARKS.len()])
    }

    fn key(self, curve: usize) -> String {
        match self {
            Self::Ascii => ASCII_MARKS[curve % ASCII_MARKS.len()].into(),
            Self::Colours | Self::Marks => self.mark(curve).map_or_else(|| "━━".into(), String::from),
        }
    }
}

/// The same picture in ASCII: its frame in the nearest characters, others as question marks.
pub(crate) fn to_ascii(line: &str) -> String {
    let nearest = |c: char| match c {
        '│' => '|',
        '┤' | '└' | '┬' => '+',
        '─' | '·' => '-',
        '…' => '.',
        c if c.is_ascii() => c,
        _ => '?',
    };
    line.chars().map(nearest).collect()
}

/// A text cut to so many columns, with an ellipsis where something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let width = c.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    });
    let mut cut: String = kept.collect();
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// Lines of at most `columns` columns and at most `rows` lines that name every curve, or as many as there is room for.
pub(crate) fn lines(labels: &[&str], paint: Paint, columns: usize, rows: usize) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::with_capacity(rows.min(labels.len()));
    for (curve, label) in labels.iter().enumerate() {
        let key = paint.key(curve);
        let room = columns.saturating_sub(key.width() + 1);
        if room == 0 {
            break;
        }
        let label = fit(label, room);
        let width = key.width() + 1 + label.width();
        let entry = format!("{} {label}", paint.curve(curve, &key));
        if let Some((line, used)) = lines.last_mut().filter(|(_, used)| used + GAP + width <= columns) {
            line.push_str(&" ".repeat(GAP));
            line.push_str(&entry);
            *used += GAP + width;
        } else if lines.len() < rows {
            lines.push((entry, width));
        } else {
            break;
        }
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_wrap_and_the_last_row_is_the_limit() {
        let labels = ["host=a", "host=b", "host=c", "host=d", "host=e"];
        assert_eq!(lines(&labels, Paint::Marks, 20, 2), ["● host=a   ■ host=b", "▲ host=c   ◆ host=d"]);
        assert_eq!(lines(&labels, Paint::Marks, 6, 1), ["● hos…"]);
        assert_eq!(lines(&labels, Paint::Marks, 2, 3), [""; 0]);
    }

    #[test]
    fn colours_are_those_of_the_curves() {
        assert_eq!(lines(&["a", "b"], Paint::Colours, 40, 1), ["\x1b[36m━━\x1b[0m a   \x1b[33m━━\x1b[0m b"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(fit("温度計", 6), "温度計");
        assert_eq!(fit("温度計", 5), "温度…");
        assert_eq!(fit("温度計", 4), "温…");
        assert_eq!((fit("x", 0), fit("xy", 1)), (String::new(), "…".into()));
    }
}
