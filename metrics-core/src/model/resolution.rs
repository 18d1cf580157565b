//! Widths of windows: durations and calendar units.

use std::fmt;
use std::num::NonZeroI64;
use std::str::FromStr;

use super::timestamp::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};

/// Units of a duration's text with their length in microseconds, longest first.
const UNITS: [(&str, i64); 7] = [
    ("w", 7 * MICROS_PER_DAY),
    ("d", MICROS_PER_DAY),
    ("h", MICROS_PER_HOUR),
    ("m", MICROS_PER_MINUTE),
    ("s", MICROS_PER_SECOND),
    ("ms", 1_000),
    ("us", 1),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a duration: use a number and a unit such as 15s, 5m, 6h or 7d (us, ms, s, m, h, d, w)")]
pub struct DurationError(String);

/// Reads a duration such as `15s`, `1h30m` or `300ms` as microseconds.
///
/// # Errors
/// [`DurationError`] when the text is none, is not positive or does not fit into 64 bits.
pub fn parse_duration_micros(text: &str) -> Result<NonZeroI64, DurationError> {
    let error = || DurationError(text.chars().take(32).collect());
    let mut rest = text.trim();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let micros = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
        let number: i64 = number.parse().map_err(|_| error())?;
        total = number.checked_mul(micros).and_then(|part| total.checked_add(part)).ok_or_else(error)?;
        rest = tail;
    }
    NonZeroI64::new(total).ok_or_else(error)
}

/// Microseconds in the shortest notation that [`parse_duration_micros`] reads.
pub fn format_duration_micros(micros: i64) -> String {
    let (name, length) = UNITS.iter().find(|(_, length)| micros % length == 0).expect("every number divides by one");
    format!("{}{name}", micros / length)
}

/// How wide windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resolution {
    /// So many microseconds, counted from 1970-01-01T00:00:00Z whatever the zone.
    Fixed(NonZeroI64),
    /// An hour of the zone's clock: starts when its minutes show 0 or its offset changes.
    Hour,
    /// A calendar day of the zone: 23 or 25 hours long when clocks change.
    Day,
    /// A calendar week of the zone, from Monday.
    Week,
    /// A calendar month of the zone.
    Month,
}

impl Resolution {
    /// Sixty seconds.
    pub const MINUTE: Self = Self::Fixed(NonZeroI64::new(MICROS_PER_MINUTE).expect("not zero"));

    /// A fixed width in microseconds.
    pub fn fixed_micros(micros: i64) -> Option<Self> {
        NonZeroI64::new(micros).filter(|micros| micros.get() > 0).map(Self::Fixed)
    }

    /// The usual length in microseconds: of a day 24 hours, of a month 30 days.
    pub fn nominal_micros(self) -> i64 {
        match self {
            Self::Fixed(micros) => micros.get(),
            Self::Hour => MICROS_PER_HOUR,
            Self::Day => MICROS_PER_DAY,
            Self::Week => 7 * MICROS_PER_DAY,
            Self::Month => 30 * MICROS_PER_DAY,
        }
    }

    /// The finest of the usual widths, from a second to a month, that cuts a span into at most `windows` windows; one
    /// more where the span begins within a window.
    ///
    /// Ten and twenty minutes are not among them: from a quarter of an hour on every width is tiled by the rollups that
    /// a store keeps for points as rare as one a minute and a half, so that a chart reads rollups and no points.
    pub fn auto(span_micros: i64, windows: usize) -> Self {
        const SECONDS: [i64; 16] =
            [1, 2, 5, 10, 15, 30, 60, 120, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
        let windows = i64::try_from(windows.max(1)).unwrap_or(i64::MAX);
        let fits = |width: i64| span_micros.div_euclid(width) < windows;
        let fixed = SECONDS.iter().map(|seconds| seconds * MICROS_PER_SECOND).find(|&width| fits(width));
        match fixed {
            Some(MICROS_PER_HOUR) => Self::Hour,
            Some(width) => Self::Fixed(NonZeroI64::new(width).expect("not zero")),
            None => [Self::Day, Self::Week].into_iter().find(|r| fits(r.nominal_micros())).unwrap_or(Self::Month),
        }
    }
}

impl FromStr for Resolution {
    type Err = DurationError;

    fn from_str(word: &str) -> Result<Self, DurationError> {
        Ok(match word {
            "minute" => Self::MINUTE,
            "hour" | "1h" => Self::Hour,
            "day" | "1d" => Self::Day,
            "week" | "1w" => Self::Week,
            "month" => Self::Month,
            "second" => Self::Fixed(NonZeroI64::new(MICROS_PER_SECOND).expect("not zero")),
            _ => Self::Fixed(parse_duration_micros(word)?),
        })
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MINUTE => f.write_str("minute"),
            Self::Fixed(micros) => f.write_str(&format_duration_micros(micros.get())),
            Self::Hour => f.write_str("hour"),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, micros, printed) in [
            ("15s", 15_000_000, "15s"),
            ("1h30m", 5_400_000_000, "90m"),
            ("300ms", 300_000, "300ms"),
            ("7d", 604_800_000_000, "1w"),
            ("1500us", 1_500, "1500us"),
        ] {
            assert_eq!(parse_duration_micros(text).expect(text).get(), micros);
            assert_eq!(format_duration_micros(micros), printed);
        }
        for text in ["", "0s", "5", "m", "-5m", "5 m", "1y", "99999999999999w"] {
            assert!(parse_duration_micros(text).is_err(), "{text}");
        }
    }

    #[test]
    fn auto_never_gives_more_windows_than_asked() {
        for span_hours in [1, 24, 24 * 7, 24 * 365, 24 * 3650] {
            for windows in [10, 500, 2000] {
                let span = span_hours * MICROS_PER_HOUR;
                let width = Resolution::auto(span, windows).nominal_micros();
                let all = span / width;
                assert!(
                    all <= windows as i64 || width == Resolution::Month.nominal_micros(),
                    "{span_hours} h in {windows}"
                );
            }
        }
        assert_eq!(Resolution::auto(24 * MICROS_PER_HOUR, 500).to_string(), "5m");
    }

    #[test]
    fn auto_widths_of_more_than_five_minutes_are_tiled_by_quarters_or_hours() {
        for span_minutes in 1..60 * 24 * 40 {
            let width = Resolution::auto(span_minutes * MICROS_PER_MINUTE, 300).nominal_micros();
            let quarter = 15 * MICROS_PER_MINUTE;
            assert!(width <= quarter / 3 || width % quarter == 0, "{width}");
            assert!(width <= MICROS_PER_HOUR || width % MICROS_PER_HOUR == 0, "{width}");
        }
        assert_eq!(Resolution::auto(48 * MICROS_PER_HOUR, 300).to_string(), "15m", "not 10m");
        assert_eq!(Resolution::auto(24 * 24 * MICROS_PER_HOUR, 300).to_string(), "2h", "not 3h");
    }
}
