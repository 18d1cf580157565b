//! Strings and numbers of a JSON text, and what they mean.

use std::borrow::Cow;

use crate::wire::decimal;

/// A string as it stands between its quotes: escapes are well formed, the rest is not checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Text<'a> {
    pub(in crate::wire) raw: &'a [u8],
    pub(in crate::wire) escaped: bool,
}

impl<'a> Text<'a> {
    /// The string that is meant.
    ///
    /// # Errors
    /// Says what is wrong: bytes that are no UTF-8, or half of a surrogate pair.
    pub(in crate::wire) fn decode(&self) -> Result<Cow<'a, str>, &'static str> {
        let text = std::str::from_utf8(self.raw).map_err(|_| "holds bytes that are no UTF-8")?;
        if !self.escaped {
            return Ok(Cow::Borrowed(text));
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, escape)) = rest.split_once('\\') {
            plain.push_str(before);
            let (character, length) = unescape(escape.as_bytes()).ok_or("holds half of a surrogate pair")?;
            plain.push(character);
            rest = &escape[length..];
        }
        plain.push_str(rest);
        Ok(Cow::Owned(plain))
    }
}

/// The character of an escape (without its backslash) and the length of the escape.
fn unescape(escape: &[u8]) -> Option<(char, usize)> {
    let character = match *escape.first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = hex4(escape.get(1..5)?)?;
            if !(0xD800..0xE000).contains(&high) {
                return Some((char::from_u32(high)?, 5));
            }
            let low = escape.get(5..11).filter(|second| second.starts_with(b"\\u"))?;
            let low = hex4(&low[2..]).filter(|low| (0xDC00..0xE000).contains(low) && high < 0xDC00)?;
            return Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))?, 11));
        }
        other => char::from(other),
    };
    Some((character, 1))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire) struct Number<'a> {
    pub(in crate::wire) raw: &'a [u8],
    pub(super) integral: bool,
    /// The nearest `f64` where few digits make it cheap to know.
    pub(super) quick: Option<f64>,
}

impl Number<'_> {
    /// The nearest `f64`; none beyond its range.
    pub(in crate::wire) fn to_f64(self) -> Option<f64> {
        self.quick.or_else(|| self.text().parse().ok()).filter(|value: &f64| value.is_finite())
    }

    /// The whole number; none with a point or exponent, or beyond 64 bits.
    pub(in crate::wire) fn to_i64(self) -> Option<i64> {
        if self.integral { decimal::parse_i64(self.raw) } else { None }
    }

    /// The count; none with a sign, point or exponent, or beyond 64 bits.
    pub(in crate::wire) fn to_u64(self) -> Option<u64> {
        if self.integral { self.text().parse().ok() } else { None }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.raw).expect("a number is made of ASCII")
    }
}

/// A byte in all eight places of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many bytes stand before the first quote, backslash or control character, eight looked at together.
pub(super) fn plain_bytes(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        // The high bit of a byte is set where `x` is below `than`; above the first such byte borrows may set others.
        let below = |x: u64, than: u8| x.wrapping_sub(each(than)) & !x & each(0x80);
        let stops = below(word, 0x20) | below(word ^ each(b'"'), 1) | below(word ^ each(b'\\'), 1);
        if stops != 0 {
            return at * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)).count();
    words.len() * 8 + plain
}
