//! A place in a body of line protocol: finds the parts of a line, looks into none.
//!
//! A comma, an equals sign or a blank behind a backslash is a part of a name. Any other backslash is itself, two in a
//! row are two; a name can therefore not end in one. This is how InfluxDB reads lines.

use crate::wire::decimal;
use crate::wire::error::{RowFault, excerpt};

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FieldValue {
    /// A float, integer or boolean (1 or 0); finite.
    Number(f64),
    /// A text in quotes.
    Text,
}

/// Reads a body line by line.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the line at hand starts and what its number is.
    start: usize,
    line: u64,
    /// Number of the line in which `at` lies; a text may go over several.
    current: u64,
    /// Bytes that may still be looked through in vain for the end of a text.
    patience: usize,
}

/// How often a body of open quotes may be looked through as a whole; more would let a few megabytes take hours.
const VAIN_LOOKS: usize = 8;

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, start: 0, line: 1, current: 1, patience: text.len().saturating_mul(VAIN_LOOKS) }
    }

    /// Number of the line at hand, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes to the next line that is neither blank nor a comment; false at the end.
    pub(super) fn next_line(&mut self) -> bool {
        loop {
            self.blanks();
            match self.byte() {
                None => return false,
                Some(b'\n') => {
                    self.at += 1;
                    self.current += 1;
                }
                Some(b'#') => self.at = self.physical_end(self.at),
                Some(_) => {
                    (self.start, self.line) = (self.at, self.current);
                    return true;
                }
            }
        }
    }

    /// Passes over the rest of a bad line: to its end outside of quotes, or to the first line's end if a quote stays open
    /// or too many have stayed open before.
    pub(super) fn skip_line(&mut self) {
        let end = if self.patience > 0 { self.logical_end() } else { None };
        if end.is_none() {
            self.patience = self.patience.saturating_sub(self.text.len() - self.start);
        }
        self.at = end.unwrap_or_else(|| self.physical_end(self.start));
        let breaks = self.text[self.start..self.at].iter().filter(|byte| **byte == b'\n').count();
        self.current = self.line + u64::try_from(breaks).expect("lengths fit into 64 bits");
    }

    fn physical_end(&self, from: usize) -> usize {
        self.text[from..].iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |length| from + length)
    }

    /// The end of the line at hand; none when a quote stays open. Quotes count behind an equals sign of the fields only.
    fn logical_end(&self) -> Option<usize> {
        let (mut at, mut in_fields, mut in_quotes) = (self.start, false, false);
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'\\' if in_quotes || self.text.get(at + 1).is_some_and(|next| is_special(*next)) => at += 1,
                b'"' if in_quotes => in_quotes = false,
                b'"' => in_quotes = in_fields && self.text[at - 1] == b'=',
                b' ' => in_fields = true,
                b'\n' if !in_quotes => return Some(at),
                _ => {}
            }
            at += 1;
        }
        (!in_quotes).then_some(self.text.len())
    }

    /// Passes over measurement and tags if they are spelled exactly like this.
    pub(super) fn skip_same(&mut self, spelling: &[u8]) -> bool {
        let rest = &self.text[self.at..];
        let same = !spelling.is_empty() && rest.starts_with(spelling) && rest.get(spelling.len()) == Some(&b' ');
        self.at += if same { spelling.len() } else { 0 };
        same
    }

    /// Measurement and tags as they are spelled.
    pub(super) fn series(&mut self) -> Result<&'a [u8], RowFault> {
        let start = self.at;
        match self.find(|byte| matches!(byte, b' ' | b'\n')) {
            Some(b' ') => Ok(&self.text[start..self.at]),
            _ => Err(RowFault::row("no field: a line is measurement,tag=a field=1.5 timestamp")),
        }
    }

    /// Goes to the next byte that `ends` a part outside of escapes.
    fn find(&mut self, ends: impl Fn(u8) -> bool) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if ends(byte) {
                return Some(byte);
            }
            let escape = byte == b'\\' && self.text.get(self.at + 1).is_some_and(|next| is_special(*next));
            self.at += if escape { 2 } else { 1 };
        }
        None
    }

    /// Goes to the first field.
    pub(super) fn fields(&mut self) {
        self.blanks();
    }

    /// A field's key as it is spelled; the cursor is then at its value.
    pub(super) fn field_key(&mut self) -> Result<&'a [u8], RowFault> {
        let start = self.at;
        let end = self.find(|byte| matches!(byte, b'=' | b',' | b' ' | b'\n'));
        let key = &self.text[start..self.at];
        if end != Some(b'=') {
            return Err(RowFault::row(format!("the field {} has no value: field=1.5 is required", excerpt(key))));
        }
        self.at += 1;
        if key.is_empty() { Err(RowFault::row("a field has no key: field=1.5 is required")) } else { Ok(key) }
    }

    /// Reads a field's value.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(super) fn field_value(&mut self) -> Result<FieldValue, String> {
        if self.byte() == Some(b'"') {
            return self.quoted();
        }
        let start = self.at;
        while !matches!(self.byte(), None | Some(b',' | b' ' | b'\n' | b'\r')) {
            self.at += 1;
        }
        parse_number(&self.text[start..self.at]).map(FieldValue::Number)
    }

    fn quoted(&mut self) -> Result<FieldValue, String> {
        loop {
            self.at += 1;
            match self.byte() {
                Some(b'"') => break,
                // Whatever stands behind a backslash does not close the quote.
                Some(b'\\') => self.at += usize::from(self.text.get(self.at + 1) != Some(&b'\n')),
                Some(b'\n') => self.current += 1,
                Some(_) => {}
                None => return Err("the text is not closed by a quote".into()),
            }
        }
        self.at += 1;
        Ok(FieldValue::Text)
    }

    /// Whether a comma and so another field follows.
    pub(super) fn another_field(&mut self) -> bool {
        let comma = self.byte() == Some(b',');
        self.at += usize::from(comma);
        comma
    }

    /// Reads the timestamp, if there is one, and the line's end.
    pub(super) fn timestamp(&mut self) -> Result<Option<i64>, RowFault> {
        if !matches!(self.byte(), None | Some(b' ' | b'\n' | b'\r')) {
            let rest = &self.text[self.at..self.physical_end(self.at)];
            return Err(RowFault::row(format!("a comma or a blank is required behind a field, not {}", excerpt(rest))));
        }
        let start = self.at;
        self.at = self.physical_end(self.at);
        match self.text[start..self.at].trim_ascii() {
            [] => Ok(None),
            number => match decimal::parse_i64(number) {
                Some(number) => Ok(Some(number)),
                None => {
                    let message = format!("timestamp {} is not a whole number of 64 bits", excerpt(number));
                    Err(RowFault::of("timestamp", message))
                }
            },
        }
    }
}

/// Whether a backslash in front takes the meaning from this byte.
pub(super) fn is_special(byte: u8) -> bool {
    matches!(byte, b',' | b'=' | b' ')
}

fn parse_number(token: &[u8]) -> Result<f64, String> {
    let value = match token {
        [] => return Err("the value is missing: a number, a boolean or a text in quotes is required".into()),
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => return Ok(1.0),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => return Ok(0.0),
        [digits @ .., b'i'] => decimal::parse_i64(digits).map(|number| number as f64),
        [digits @ .., b'u'] => std::str::from_utf8(digits).ok().and_then(|d| d.parse::<u64>().ok()).map(|n| n as f64),
        // The standard library would read words such as inf and nan as well.
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => decimal::parse_f64(token).filter(|value| value.is_finite()),
        _ => None,
    };
    let kinds = "a finite number (1.5, 2i, 2u), a boolean or a text in quotes is required";
    value.ok_or_else(|| format!("{} is no value: {kinds}", excerpt(token)))
}
