//! Decimal numbers in ASCII: the usual short ones read fast, all of them to the nearest `f64`.

/// Powers of ten that an `f64` holds exactly and a short number can need.
const EXACT_POWERS: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Most digits that fit into 64 bits whatever they are.
const MAX_DIGITS: usize = 18;

/// The nearest `f64` to `digits` many digits read as the whole number `mantissa`, the last `decimals` of them behind
/// the point; none where it takes more than one exact division to know.
pub(super) fn short(negative: bool, mantissa: u64, digits: usize, decimals: usize) -> Option<f64> {
    // Both operands are exact, so the division rounds once: to the nearest number.
    let exact = digits <= MAX_DIGITS && mantissa < 1 << 53;
    let value = exact.then(|| mantissa as f64 / EXACT_POWERS[decimals])?;
    Some(if negative { -value } else { value })
}

/// Reads a number as the standard library does, its words for what is not finite included.
pub(super) fn parse_f64(token: &[u8]) -> Option<f64> {
    parse_short(token).or_else(|| std::str::from_utf8(token).ok()?.parse().ok())
}

/// Reads digits with at most a minus sign in front and a point among them.
fn parse_short(token: &[u8]) -> Option<f64> {
    let unsigned = token.strip_prefix(b"-").unwrap_or(token);
    let (mut mantissa, mut point) = (0_u64, None);
    for (at, byte) in unsigned.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let digits = unsigned.len() - usize::from(point.is_some());
    if digits == 0 {
        return None;
    }
    short(unsigned.len() < token.len(), mantissa, digits, point.map_or(0, |at| digits - at))
}

/// Reads a whole number of 64 bits as the standard library does.
pub(super) fn parse_i64(token: &[u8]) -> Option<i64> {
    let unsigned = token.strip_prefix(b"-").unwrap_or(token);
    if unsigned.is_empty() || unsigned.len() > MAX_DIGITS || !unsigned.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(token).ok()?.parse().ok();
    }
    let number = unsigned.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(if unsigned.len() < token.len() { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_numbers_take_the_fast_path() {
        for (text, expected) in
            [("0", 0.0), ("-12.50", -12.5), ("9007199254740991", 9_007_199_254_740_991.0), ("1.", 1.0), (".5", 0.5)]
        {
            assert_eq!(parse_short(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "+1", "--1", "1.2.3", "1e5", "0.1234567890123456789", "9007199254740993", " 1"] {
            assert_eq!(parse_short(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_short(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    }

    #[test]
    fn whole_numbers_reach_from_end_to_end() {
        for text in ["9223372036854775807", "-9223372036854775808", "+5", "-0", "000000000000000000000007"] {
            assert_eq!(parse_i64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["9223372036854775808", "", "-", "1.0", "1x", "\u{661}"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn prop_numbers_read_as_the_standard_library_reads_them(text in "[-+]?[0-9]{0,20}\\.?[0-9]{0,20}([eE][-+]?[0-9]{1,3})?") {
            prop_assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), text.parse().ok().map(f64::to_bits));
            prop_assert_eq!(parse_i64(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn prop_printed_numbers_read_back(value in any::<f64>(), cents in any::<i32>()) {
            prop_assert_eq!(parse_f64(format!("{value:?}").as_bytes()).map(f64::is_nan), Some(value.is_nan()));
            let value = f64::from(cents) / 100.0;
            prop_assert_eq!(parse_f64(value.to_string().as_bytes()), Some(value));
        }
    }
}
