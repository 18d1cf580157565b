//! Times as text: the usual forms read fast, all others as [`Timestamp::parse`] reads them.

use crate::model::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp, TimestampError};

/// Days in the months of a common year.
const MONTH_DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Reads a time as [`Timestamp::parse`] does.
///
/// # Errors
/// Those of [`Timestamp::parse`]; bytes that are no UTF-8 are unreadable.
pub(super) fn parse(bytes: &[u8]) -> Result<Timestamp, TimestampError> {
    if let Some(timestamp) = parse_usual(bytes) {
        return Ok(timestamp);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Timestamp::parse(text),
        Err(_) => Err(TimestampError::Unreadable(String::from_utf8_lossy(bytes).chars().take(64).collect())),
    }
}

/// `YYYY-MM-DDTHH:MM:SS`, a blank allowed for the `T`, then up to nine decimals, then `Z` or nothing.
fn parse_usual(bytes: &[u8]) -> Option<Timestamp> {
    let (head, tail) = bytes.split_at_checked(19)?;
    let separators = (head[4], head[7], head[13], head[16]);
    if separators != (b'-', b'-', b':', b':') || !matches!(head[10], b'T' | b' ') {
        return None;
    }
    let year = two_digits(head, 0)? * 100 + two_digits(head, 2)?;
    let (month, day) = (two_digits(head, 5)?, two_digits(head, 8)?);
    let (hour, minute, second) = (two_digits(head, 11)?, two_digits(head, 14)?, two_digits(head, 17)?);
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let month_days = MONTH_DAYS.get(usize::try_from(month - 1).ok()?)? + if month == 2 { leap } else { 0 };
    if year == 0 || !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = days_from_civil(year, month, day) * MICROS_PER_DAY
        + hour * MICROS_PER_HOUR
        + minute * MICROS_PER_MINUTE
        + second * MICROS_PER_SECOND
        + fraction_micros(tail.strip_suffix(b"Z").unwrap_or(tail))?;
    Timestamp::from_micros(micros).ok()
}

fn two_digits(bytes: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// `.5` as microseconds, digits below the microsecond cut off; nothing at all is 0.
fn fraction_micros(text: &[u8]) -> Option<i64> {
    let Some((point, digits)) = text.split_first() else { return Some(0) };
    if *point != b'.' || digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..6).fold(0, |micros, at| micros * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0'))))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_forms_take_the_fast_path() {
        for (text, expected) in [
            ("2024-02-02T11:43:02.099Z", 1_706_874_182_099_000),
            ("2024-02-02 11:43:02", 1_706_874_182_000_000),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("2000-02-29T00:00:00.5", 951_782_400_500_000),
        ] {
            assert_eq!(parse_usual(text.as_bytes()).map(Timestamp::micros), Some(expected), "{text}");
        }
    }

    #[test]
    fn days_that_no_calendar_has_are_refused() {
        for text in [
            "2023-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2024-04-31 00:00:00",
            "2024-00-01 00:00:00",
            "0000-01-01 00:00:00",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(matches!(parse(b"\xFF2024"), Err(TimestampError::Unreadable(_))));
    }

    proptest! {
        #[test]
        fn prop_printed_times_read_back(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            let timestamp = Timestamp::clamped(micros);
            prop_assert_eq!(parse_usual(timestamp.to_string().as_bytes()), Some(timestamp));
        }

        #[test]
        fn prop_the_fast_path_agrees_with_the_model(
            text in "(0|1|2|9)[0-9]{3}-[0-3][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z?",
        ) {
            if let Some(fast) = parse_usual(text.as_bytes()) {
                prop_assert_eq!(Timestamp::parse(&text), Ok(fast));
            }
        }
    }
}
