//! A look at an expression before it is parsed: what would take the parser too long, too much memory, or a number
//! that it cannot take.

use std::borrow::Cow;
use std::time::Duration;

use super::error::PromqlError;
use super::{MAX_DEPTH, MAX_OPERATORS, MAX_PATTERNS, MAX_QUERY_BYTES, MAX_TOKENS};
use crate::model::LabelFilter;

/// Seconds in the longest duration, 292 years.
const MAX_DURATION_S: f64 = 292.0 * 365.0 * 86_400.0;

/// Checks a text, and gives it back as the parser reads it: it takes no backslash between backquotes, where PromQL
/// takes everything as it is.
pub(crate) fn checked(text: &str) -> Result<Cow<'_, str>, PromqlError> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(PromqlError::TooLong { bytes: text.len() });
    }
    let mut scan = Scan { text, ..Scan::default() };
    let mut copied = 0;
    while let Some(token) = scan.next() {
        let (start, end) = (scan.at - token.len(), scan.at);
        if let Some(raw) = token.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            scan.out.push_str(&text[copied..start]);
            push_quoted(&mut scan.out, raw);
            copied = end;
        }
        scan.look_at(token)?;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(text));
    }
    scan.out.push_str(&text[copied..]);
    Ok(Cow::Owned(scan.out))
}

/// Reads a duration: seconds as a number, or PromQL's own such as `1h30m`.
///
/// # Errors
/// [`PromqlError::Parse`] and [`PromqlError::Duration`] name the text.
///
/// ```
/// use metrics_core::promql::parse_duration;
/// assert_eq!(parse_duration("1.5").unwrap(), parse_duration("1s500ms").unwrap());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, PromqlError> {
    let no_duration = || PromqlError::Parse(format!("\"{}\" is no duration", clip(text)));
    look_at_number(text, true)?;
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| no_duration()),
        Err(_) => promql_parser::util::parse_duration(text).map_err(|_| no_duration()),
    }
}

/// What the last token says about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Before {
    /// `offset`, or `offset -`: a duration follows.
    Offset,
    /// `=~` or `!~`: a pattern follows.
    Match,
    #[default]
    Other,
}

#[derive(Default)]
struct Scan<'a> {
    text: &'a str,
    at: usize,
    tokens: usize,
    patterns: usize,
    operators: usize,
    /// Open parentheses.
    depth: usize,
    in_braces: bool,
    in_brackets: bool,
    before: Before,
    out: String,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'#' => self.skip(|byte| byte != b'\n' && byte != b'\r'),
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => break,
            }
        }
        let start = self.at;
        match bytes[start] {
            quote @ (b'"' | b'\'' | b'`') => self.skip_string(quote),
            b'0'..=b'9' | b'.' => self.skip_number(),
            b':' if self.in_brackets => self.at += 1,
            byte if is_word(byte) => self.skip(is_word),
            b'=' | b'!' | b'<' | b'>' => {
                let is_double = matches!(bytes.get(start + 1), Some(b'=' | b'~'));
                self.at += if is_double { 2 } else { 1 };
            }
            // Of a character outside ASCII all bytes: what the parser says of it is its own business.
            byte if !byte.is_ascii() => self.skip(|byte| !byte.is_ascii()),
            _ => self.at += 1,
        }
        Some(&self.text[start..self.at])
    }

    fn skip(&mut self, mut belongs: impl FnMut(u8) -> bool) {
        while self.text.as_bytes().get(self.at).is_some_and(|byte| belongs(*byte)) {
            self.at += 1;
        }
    }

    fn skip_string(&mut self, quote: u8) {
        let (mut first, mut escaped, mut closed) = (true, false, false);
        self.skip(|byte| {
            let goes_on = !closed;
            closed = !first && byte == quote && !escaped;
            escaped = quote != b'`' && byte == b'\\' && !escaped;
            first = false;
            goes_on
        });
    }

    fn skip_number(&mut self) {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let token = &self.text[start..self.at];
        let is_open_exponent = token.ends_with(['e', 'E']) && token[..token.len() - 1].parse::<f64>().is_ok();
        if is_open_exponent && matches!(self.text.as_bytes().get(self.at), Some(b'+' | b'-')) {
            self.at += 1;
            self.skip(|byte| byte.is_ascii_digit());
        }
    }

    fn look_at(&mut self, token: &str) -> Result<(), PromqlError> {
        let before = std::mem::take(&mut self.before);
        self.count(token)?;
        look_at_escapes(token)?;
        match token.as_bytes()[0] {
            b'[' => self.in_brackets = true,
            b']' => self.in_brackets = false,
            b'{' => self.in_braces = true,
            b'}' => self.in_braces = false,
            b'=' | b'!' if token.ends_with('~') => self.before = Before::Match,
            b'+' | b'-' => self.before = before,
            b'"' | b'\'' | b'`' if before == Before::Match => self.look_at_pattern(token)?,
            b'0'..=b'9' | b'.' => look_at_number(token, self.in_brackets || before == Before::Offset)?,
            _ if token.eq_ignore_ascii_case("offset") => self.before = Before::Offset,
            _ if before == Before::Offset && token.parse::<f64>().is_ok() => {
                return Err(PromqlError::Duration(clip(token)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The parser copies and measures what it has built so far again and again, level by level.
    fn count(&mut self, token: &str) -> Result<(), PromqlError> {
        self.tokens += 1;
        if self.tokens > MAX_TOKENS {
            return Err(PromqlError::TooManyTokens);
        }
        let words = ["and", "or", "unless", "atan2"];
        match token.as_bytes()[0] {
            b'(' => self.depth += 1,
            b')' => self.depth = self.depth.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'=' | b'!' | b'<' | b'>' if !self.in_braces => {
                self.operators += 1;
            }
            _ if words.iter().any(|word| token.eq_ignore_ascii_case(word)) => self.operators += 1,
            _ => {}
        }
        if self.depth > MAX_DEPTH || self.operators > MAX_OPERATORS {
            return Err(PromqlError::TooDeep);
        }
        Ok(())
    }

    /// Compiled within bounds here, so that the parser's own compilation, which has wider ones, stays within them too.
    fn look_at_pattern(&mut self, token: &str) -> Result<(), PromqlError> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(PromqlError::TooManyPatterns);
        }
        let text = match token.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            Some(raw) => raw.to_owned(),
            None => promql_parser::util::unquote_string(token).map_err(PromqlError::Parse)?,
        };
        LabelFilter::matches_pattern("", &text).map(|_| ()).map_err(|error| PromqlError::Parse(error.to_string()))
    }
}

/// The parser cuts a text behind the byte that follows a backslash.
fn look_at_escapes(token: &str) -> Result<(), PromqlError> {
    let quote = token.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let Some(quote) = quote else { return Ok(()) };
    let mut inside = token[1..].chars();
    loop {
        match inside.next() {
            None => return Err(PromqlError::Parse(format!("unterminated quoted string {}", clip(token)))),
            Some('\\') if !inside.next().is_some_and(|escaped| escaped.is_ascii()) => {
                return Err(PromqlError::Parse(format!("unknown escape sequence in {}", clip(token))));
            }
            Some(c) if c == quote => return Ok(()),
            Some(_) => {}
        }
    }
}

/// A number where a duration stands is one of seconds. The parser takes more digits than fit as none at all.
fn look_at_number(token: &str, is_duration: bool) -> Result<(), PromqlError> {
    if let Ok(seconds) = token.parse::<f64>() {
        return match is_duration && (seconds.is_nan() || seconds.abs() > MAX_DURATION_S) {
            true => Err(PromqlError::Duration(clip(token))),
            false => Ok(()),
        };
    }
    let is_hexadecimal = token.starts_with("0x") || token.starts_with("0X");
    let mut parts = token.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    if !is_hexadecimal && parts.any(|digits| digits.parse::<u32>().is_err()) {
        return Err(PromqlError::Duration(clip(token)));
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

fn clip(token: &str) -> String {
    token.chars().take(64).collect()
}

/// A text in double quotes that means the same.
fn push_quoted(out: &mut String, raw: &str) {
    out.push('"');
    for c in raw.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_expressions_pass_as_they_are() {
        for text in [
            "1+1",
            "rate(x{a=\"b\\\"]\", c!~'d.*'}[5m] offset 1h30m) # comment [1e400]",
            "x > 1e300",
            "x offset -1w",
            "x[1.5e2:30]",
            "{__name__=~\"a|b\"}",
            "",
        ] {
            assert!(matches!(checked(text).expect(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_stands_between_backquotes_is_taken_as_it_is() {
        let text = r#"x{a=~`\d+"`} + y{b=`\`}"#;
        assert_eq!(checked(text).expect("fine"), r#"x{a=~"\\d+\""} + y{b="\\"}"#);
    }

    #[test]
    fn durations_that_the_parser_would_fall_over_are_refused() {
        for text in [
            "x[1e400]",
            "x[5m:1e20]",
            "x offset 1e300",
            "x offset inf",
            "x offset -NaN",
            "x[5000000000s]",
            "99999999999y",
        ] {
            assert!(matches!(checked(text), Err(PromqlError::Duration(_))), "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_words() {
        assert_eq!(parse_duration("1h30m").expect("fine"), Duration::from_secs(5_400));
        assert_eq!(parse_duration("0.25").expect("fine"), Duration::from_millis(250));
        for text in ["", "x", "-5", "5x", "1e300", "NaN", "inf", "99999999999s", "1m1h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_that_the_parser_would_fall_over_are_refused() {
        for text in ["x{a=\"\\\u{e9}\"}", "x{a=~'\\\u{e9}'}", "x{a=~\"b", "x{a=~\"\\\"", "'", "\"\\"] {
            assert!(matches!(checked(text), Err(PromqlError::Parse(_))), "{text}");
        }
        assert!(checked("x{a=\"\u{e9}\\\\\", b='\"'}").is_ok());
    }

    #[test]
    fn bounds_are_checked_before_anything_is_parsed() {
        assert!(matches!(checked(&"a".repeat(MAX_QUERY_BYTES + 1)), Err(PromqlError::TooLong { .. })));
        assert!(matches!(checked(&"a ".repeat(MAX_TOKENS + 1)), Err(PromqlError::TooManyTokens)));
        assert!(matches!(checked(&"(".repeat(MAX_DEPTH + 1)), Err(PromqlError::TooDeep)));
        assert!(matches!(checked(&"-".repeat(MAX_OPERATORS + 1)), Err(PromqlError::TooDeep)));
        let patterns = "a=~\"b\",".repeat(MAX_PATTERNS + 1);
        assert!(matches!(checked(&format!("{{{patterns}}}")), Err(PromqlError::TooManyPatterns)));
        let large = checked("{a=~\"((x{100}){100}){100}\"}").expect_err("too large");
        assert!(large.to_string().contains("size"), "{large}");
    }
}
