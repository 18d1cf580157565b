//! What is wrong with a body or a file, and where.

use std::fmt;

use crate::model::{Batch, LabelError};

/// Most bad rows that an answer lists; the others are counted.
pub const MAX_LISTED_ROWS: usize = 10;

/// Most bytes of a client's text that a message repeats.
const MAX_EXCERPT_BYTES: usize = 64;

/// Where in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// An element of an array, counted from 0.
    Index(usize),
    /// The line on which a row starts, counted from 1.
    Line(u64),
    /// The body as a whole.
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "index {index}"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::Body => f.write_str("body"),
        }
    }
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Which row.
    pub place: Place,
    /// Which of its fields, where it is one.
    pub field: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for RowError {
    /// `line 3: value: …`. The body as a place, and a field with which the message begins, are not named apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Body {
            write!(f, "{}: ", self.place)?;
        }
        match &self.field {
            Some(field) if !self.message.starts_with(field.as_str()) => write!(f, "{field}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for RowError {}

/// Why a body gives no batch: then none of its points is taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is not of its format; nothing behind that place was looked at.
    #[error("{place}: {message}")]
    Syntax {
        /// Where reading ended.
        place: Place,
        /// What was found and what would be right.
        message: String,
    },
    /// Some of its rows are bad.
    #[error("{}", list_rows(first, *total))]
    Rows {
        /// The first of them, at most [`MAX_LISTED_ROWS`].
        first: Vec<RowError>,
        /// How many there are.
        total: usize,
    },
    /// Nothing in it but blanks.
    #[error("the body is empty: at least one point is required")]
    Empty,
    /// The first line of a CSV is no header that can be used.
    #[error("header: {0}")]
    Header(String),
    /// The columns of a table are none that can be used.
    #[error("schema: {0}")]
    Schema(String),
    /// More points than one body may have.
    #[error("more than {limit} points in one body: send it in parts")]
    TooManyPoints {
        /// How many it may have.
        limit: usize,
    },
    /// The file or connection failed while it was read.
    #[error("reading failed after line {line}: {source}")]
    Read {
        /// The last line that was read whole.
        line: u64,
        /// What the system says.
        source: std::io::Error,
    },
}

fn list_rows(first: &[RowError], total: usize) -> String {
    let mut text = first.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if total > 1 {
        text.insert_str(0, &format!("{total} bad points: "));
    }
    if total > first.len() {
        text.push_str(&format!("; and {} more", total - first.len()));
    }
    text
}

/// Rows of a file as a reader gives them: good ones as a batch, bad ones as data.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The good rows.
    pub batch: Batch,
    /// The bad rows, in order.
    pub errors: Vec<RowError>,
}

/// A bad row before it is known where it stands. It is boxed because good rows hand its room around as well.
#[derive(Debug, PartialEq)]
pub(super) struct RowFault(Box<(Option<String>, String)>);

impl RowFault {
    pub(super) fn of(field: &str, message: impl Into<String>) -> Self {
        Self(Box::new((Some(field.to_owned()), message.into())))
    }

    pub(super) fn row(message: impl Into<String>) -> Self {
        Self(Box::new((None, message.into())))
    }

    /// A name or label that breaks a bound, under the field that holds it.
    pub(super) fn label(error: &LabelError) -> Self {
        let of_name = match error {
            LabelError::EmptyName | LabelError::LongName(_) => true,
            LabelError::Control { field, .. } => field == "name",
            _ => false,
        };
        Self::of(if of_name { "name" } else { "labels" }, error.to_string())
    }

    /// The same under a name that holds the field.
    pub(super) fn under(self, name: &str) -> Self {
        let (field, message) = *self.0;
        let message = field
            .filter(|field| !message.starts_with(field.as_str()))
            .map_or(message.clone(), |field| format!("{field}: {message}"));
        Self::of(&name.chars().take(MAX_EXCERPT_BYTES).collect::<String>(), message)
    }

    pub(super) fn at(self, place: Place) -> RowError {
        let (field, message) = *self.0;
        RowError { place, field, message }
    }
}

/// The first bad rows and how many there are.
#[derive(Debug, Default)]
pub(super) struct RowErrors {
    first: Vec<RowError>,
    total: usize,
}

impl RowErrors {
    pub(super) fn add(&mut self, error: RowError) {
        self.add_many(1, error);
    }

    /// Counts rows that have all the same error.
    pub(super) fn add_many(&mut self, count: usize, error: RowError) {
        self.total += count;
        if self.first.len() < MAX_LISTED_ROWS {
            self.first.push(error);
        }
    }

    pub(super) fn into_parts(self) -> (Vec<RowError>, usize) {
        (self.first, self.total)
    }

    /// The batch, if no row was bad.
    pub(super) fn all_or_nothing(self, batch: Batch) -> Result<Batch, DecodeError> {
        match self.total {
            0 => Ok(batch),
            total => Err(DecodeError::Rows { first: self.first, total }),
        }
    }
}

/// A client's text in quotes, escaped and cut so that it fits into a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let mut end = bytes.len().min(MAX_EXCERPT_BYTES);
    while end < bytes.len() && end > 0 && bytes[end] & 0xC0 == 0x80 {
        end -= 1; // not inside a character
    }
    let more = if end < bytes.len() { "…" } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(&bytes[..end]))
}

/// The body behind a UTF-8 byte order mark.
///
/// # Errors
/// [`DecodeError::Empty`] for blanks only, [`DecodeError::Syntax`] for the marks of UTF-16.
pub(super) fn strip_mark(body: &[u8]) -> Result<&[u8], DecodeError> {
    if body.starts_with(b"\xFF\xFE") || body.starts_with(b"\xFE\xFF") {
        return Err(DecodeError::Syntax { place: Place::Body, message: UTF_16.into() });
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii().is_empty() { Err(DecodeError::Empty) } else { Ok(body) }
}

/// What is said of a text in UTF-16.
pub(super) const UTF_16: &str = "the text is UTF-16: UTF-8 is required";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: Place, field: &str, message: &str) -> RowError {
        RowFault::of(field, message).at(place)
    }

    #[test]
    fn a_row_error_says_where_which_field_and_what() {
        assert_eq!(row(Place::Line(3), "host", "is too long").to_string(), "line 3: host: is too long");
        assert_eq!(row(Place::Index(0), "value", "value is null").to_string(), "index 0: value is null");
        assert_eq!(row(Place::Body, "labels", "is null").to_string(), "labels: is null");
        assert_eq!(RowFault::row("no point").at(Place::Line(1)).to_string(), "line 1: no point");
    }

    #[test]
    fn a_list_of_rows_counts_those_it_leaves_out() {
        let mut errors = RowErrors::default();
        for index in 0..12 {
            errors.add(row(Place::Index(index), "value", "bad"));
        }
        let error = errors.all_or_nothing(Batch::new()).expect_err("has bad rows");
        let text = error.to_string();
        assert!(text.starts_with("12 bad points: index 0: value: bad; index 1: value: bad; "), "{text}");
        assert!(text.ends_with("; index 9: value: bad; and 2 more"), "{text}");
        assert!(matches!(error, DecodeError::Rows { first, total: 12 } if first.len() == MAX_LISTED_ROWS));
    }

    #[test]
    fn one_bad_row_stands_alone_in_the_message() {
        let mut errors = RowErrors::default();
        errors.add(row(Place::Index(7), "value", "value is missing"));
        let error = errors.all_or_nothing(Batch::new()).expect_err("has a bad row");
        assert_eq!(error.to_string(), "index 7: value is missing");
    }

    #[test]
    fn excerpts_are_escaped_and_cut() {
        assert_eq!(excerpt(b"a\0\"\n"), r#""a\0\"\n""#);
        assert_eq!(excerpt(b"\xFF"), "\"\u{FFFD}\"");
        assert_eq!(excerpt(&[b'1'; 100]), format!("\"{}\"…", "1".repeat(64)));
        assert_eq!(excerpt(format!("a{}", "é".repeat(50)).as_bytes()), format!("\"a{}\"…", "é".repeat(31)));
    }

    #[test]
    fn marks_of_utf_16_are_refused_and_that_of_utf_8_is_passed_over() {
        assert_eq!(strip_mark(b"\xEF\xBB\xBF{}").expect("text"), b"{}");
        assert!(matches!(strip_mark(b" \r\n\t"), Err(DecodeError::Empty)));
        assert!(matches!(strip_mark(b"\xEF\xBB\xBF"), Err(DecodeError::Empty)));
        for body in [b"\xFF\xFE{\0", b"\xFE\xFF\0{"] {
            assert_eq!(
                strip_mark(body).expect_err("UTF-16").to_string(),
                "body: the text is UTF-16: UTF-8 is required"
            );
        }
    }
}
