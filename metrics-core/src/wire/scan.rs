//! JSON (RFC 8259) read in place: one pass over the bytes, nothing built, every value handed out as a slice.
//!
//! Numbers are read to the nearest `f64`, and what a string or a number means is looked at only where it is used:
//! a lone surrogate or a number out of range is then the fault of one row, not of the body.

mod token;

use token::plain_bytes;
pub(super) use token::{Number, Text};

use super::decimal;

/// Deepest nesting of arrays and objects.
pub(super) const MAX_DEPTH: usize = 32;

/// What is no JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanError {
    at: usize,
    expected: &'static str,
}

impl ScanError {
    /// `expected a comma or }, found "x" at line 2 column 5`, both counted from 1, columns in characters.
    pub(super) fn describe(&self, text: &[u8]) -> String {
        let line = 1 + text[..self.at].iter().filter(|byte| **byte == b'\n').count();
        format!("{} at line {line} column {}", self.what(text), self.column(text))
    }

    /// `expected a comma or }, found "x" at column 5`, where the text is one line.
    pub(super) fn describe_in_line(&self, line: &[u8]) -> String {
        format!("{} at column {}", self.what(line), self.column(line))
    }

    fn what(&self, text: &[u8]) -> String {
        let rest = &text[self.at..];
        let end = (1..rest.len().min(5)).find(|&end| rest[end] & 0xC0 != 0x80).unwrap_or(rest.len().min(4));
        match rest.first() {
            Some(_) => format!("expected {}, found {:?}", self.expected, String::from_utf8_lossy(&rest[..end])),
            None => format!("expected {}, found the end", self.expected),
        }
    }

    fn column(&self, text: &[u8]) -> usize {
        let line = text[..self.at].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        1 + line.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
    }
}

/// What stands next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    True,
    False,
    Null,
    /// `NaN`, `Infinity` or `-Infinity`, which some writers print though JSON has no such words.
    NotFinite,
}

impl Kind {
    /// As it reads in a message.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::True => "true",
            Self::False => "false",
            Self::Null => "null",
            Self::NotFinite => "NaN or an infinity",
        }
    }
}

/// A place in a JSON text.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// What should stand here.
    pub(super) fn error(&self, expected: &'static str) -> ScanError {
        ScanError { at: self.at.min(self.text.len()), expected }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.byte() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Passes over blanks and tells what stands next.
    ///
    /// # Errors
    /// [`ScanError`] when no value begins there.
    pub(super) fn kind(&mut self) -> Result<Kind, ScanError> {
        self.blanks();
        let rest = &self.text[self.at..];
        Ok(match rest.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b'-') if rest.starts_with(b"-Infinity") => Kind::NotFinite,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't') if rest.starts_with(b"true") => Kind::True,
            Some(b'f') if rest.starts_with(b"false") => Kind::False,
            Some(b'n') if rest.starts_with(b"null") => Kind::Null,
            Some(b'N') if rest.starts_with(b"NaN") => Kind::NotFinite,
            Some(b'I') if rest.starts_with(b"Infinity") => Kind::NotFinite,
            _ => return Err(self.error("a JSON value")),
        })
    }

    /// Passes over blanks, after which the text must end.
    ///
    /// # Errors
    /// [`ScanError`] when it goes on.
    pub(super) fn end(&mut self, expected: &'static str) -> Result<(), ScanError> {
        self.blanks();
        if self.at < self.text.len() { Err(self.error(expected)) } else { Ok(()) }
    }

    /// Enters an array or object that [`Self::kind`] announced.
    ///
    /// # Errors
    /// [`ScanError`] beyond [`MAX_DEPTH`].
    pub(super) fn enter(&mut self) -> Result<(), ScanError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("at most 32 levels of nesting"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// The key of the next member of an entered object; none at its end. `first` starts as true.
    ///
    /// # Errors
    /// [`ScanError`] when neither a member nor the end follows.
    pub(super) fn member(&mut self, first: &mut bool) -> Result<Option<Text<'a>>, ScanError> {
        self.blanks();
        if self.eat(b'}') {
            self.depth -= 1;
            return Ok(None);
        }
        if !std::mem::take(first) {
            if !self.eat(b',') {
                return Err(self.error("a comma or }"));
            }
            self.blanks();
        }
        if self.byte() != Some(b'"') {
            return Err(self.error("a key in double quotes"));
        }
        let key = self.text()?;
        self.blanks();
        if self.eat(b':') { Ok(Some(key)) } else { Err(self.error("a colon")) }
    }

    /// Whether an entered array has one more element. `first` starts as true.
    ///
    /// # Errors
    /// [`ScanError`] when neither an element nor the end follows.
    pub(super) fn element(&mut self, first: &mut bool) -> Result<bool, ScanError> {
        self.blanks();
        if self.eat(b']') {
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            if !self.eat(b',') {
                return Err(self.error("a comma or ]"));
            }
            self.blanks();
            if self.byte() == Some(b']') {
                return Err(self.error("a value after the comma"));
            }
        }
        Ok(true)
    }

    /// Reads a string that [`Self::kind`] announced.
    ///
    /// # Errors
    /// [`ScanError`] for a control character, a bad escape or no end.
    pub(super) fn text(&mut self) -> Result<Text<'a>, ScanError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_bytes(&self.text[self.at..]);
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => return Err(self.error("an escape in place of a control character")),
                None => return Err(self.error("a closing quote")),
            }
        }
        self.at += 1;
        Ok(Text { raw: &self.text[start..self.at - 1], escaped })
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        let escape = self.byte();
        if !matches!(escape, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
            return Err(self.error("one of \"\\/bfnrtu after the backslash"));
        }
        self.at += 1;
        if escape == Some(b'u') {
            for _ in 0..4 {
                if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                    return Err(self.error("four hexadecimal digits"));
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    /// Reads a number that [`Self::kind`] announced.
    ///
    /// # Errors
    /// [`ScanError`] when its form is none of JSON's.
    pub(super) fn number(&mut self) -> Result<Number<'a>, ScanError> {
        let start = self.at;
        let negative = self.eat(b'-');
        let mut mantissa = 0;
        let first = self.byte();
        let whole = self.digits(&mut mantissa)?;
        if first == Some(b'0') && whole > 1 {
            self.at -= whole - 1;
            return Err(self.error("no digit after a leading zero"));
        }
        let decimals = if self.eat(b'.') { self.digits(&mut mantissa)? } else { 0 };
        let exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits(&mut 0)?;
        }
        let quick = if exponent { None } else { decimal::short(negative, mantissa, whole + decimals, decimals) };
        Ok(Number { raw: &self.text[start..self.at], integral: decimals == 0 && !exponent, quick })
    }

    /// Takes at least one digit, appends them to a number (which wraps) and counts them.
    fn digits(&mut self, number: &mut u64) -> Result<usize, ScanError> {
        let start = self.at;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            *number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == start { Err(self.error("a digit")) } else { Ok(self.at - start) }
    }

    /// Passes over one value and gives its text.
    ///
    /// # Errors
    /// [`ScanError`] when it is no JSON.
    pub(super) fn skip(&mut self) -> Result<&'a [u8], ScanError> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Object => {
                self.enter()?;
                let mut first = true;
                while self.member(&mut first)?.is_some() {
                    self.skip()?;
                }
            }
            Kind::Array => {
                self.enter()?;
                let mut first = true;
                while self.element(&mut first)? {
                    self.skip()?;
                }
            }
            Kind::Text => drop(self.text()?),
            Kind::Number => drop(self.number()?),
            Kind::True | Kind::Null => self.at += 4,
            Kind::False => self.at += 5,
            Kind::NotFinite => {
                self.at = (self.at..self.text.len()).find(|&at| !self.is_word(at)).unwrap_or(self.text.len())
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn is_word(&self, at: usize) -> bool {
        self.text[at] == b'-' || self.text[at].is_ascii_alphabetic()
    }

    /// Passes over a value that is spelled exactly like this one, an object or array met before.
    pub(super) fn skip_same(&mut self, spelled: &[u8]) -> Option<&'a [u8]> {
        self.blanks();
        let rest = &self.text[self.at..];
        if spelled.is_empty() || !rest.starts_with(spelled) {
            return None;
        }
        self.at += spelled.len();
        Some(&rest[..spelled.len()])
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
