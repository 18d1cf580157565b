//! Points in time: microseconds since 1970-01-01T00:00:00Z.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// Microseconds in an hour.
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
/// Microseconds in 24 hours; a calendar day in a zone with daylight saving may be shorter or longer.
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// An instant in UTC, to the microsecond, from year 1 through year 9999: the range that RFC 3339 can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text or a number is no [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// The instant lies outside the years 1 to 9999.
    #[error("timestamp {0} is outside the years 1 to 9999")]
    OutOfRange(String),
    /// The text is neither RFC 3339, nor a date, nor an epoch number.
    #[error(
        "\"{0}\" is not a time: use RFC 3339 such as 2024-02-02T11:43:02Z, a date such as 2024-02-02, or an epoch number"
    )]
    Unreadable(String),
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The instant that many microseconds after (or before) the epoch.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] outside [`Self::MIN`]`..=`[`Self::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimestampError::OutOfRange(format!("{micros} µs")))
        }
    }

    /// The instant that many microseconds after the epoch, moved into the range where it lies outside.
    pub fn clamped(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// An epoch number whose unit its magnitude tells: below 10^11 seconds, below 10^14 milliseconds,
    /// below 10^17 microseconds, else nanoseconds (each unit then spans the years 1970 to 5138).
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] outside the years 1 to 9999.
    pub fn from_epoch(number: i64) -> Result<Self, TimestampError> {
        let micros = match number.unsigned_abs() {
            0..100_000_000_000 => number.checked_mul(MICROS_PER_SECOND),
            100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
            100_000_000_000_000..100_000_000_000_000_000 => Some(number),
            _ => Some(number.div_euclid(1_000)),
        };
        micros
            .and_then(|micros| Self::from_micros(micros).ok())
            .ok_or_else(|| TimestampError::OutOfRange(number.to_string()))
    }

    /// Reads RFC 3339, a time without zone (taken as UTC, `T` or a blank between date and time),
    /// a date (its midnight UTC) or an epoch number as [`Self::from_epoch`] takes it.
    /// Digits below the microsecond are cut off.
    ///
    /// # Errors
    /// [`TimestampError`] tells what is wrong with the text.
    ///
    /// ```
    /// use metrics_core::Timestamp;
    /// let a = Timestamp::parse("2024-02-02T11:43:02.099Z").unwrap();
    /// assert_eq!(a, Timestamp::parse("1706874182099").unwrap());
    /// assert_eq!(a.to_string(), "2024-02-02T11:43:02.099Z");
    /// ```
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let unreadable = || TimestampError::Unreadable(text.chars().take(64).collect());
        let trimmed = text.trim();
        let bytes = trimmed.as_bytes();
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            return Self::from_epoch(trimmed.parse().map_err(|_| unreadable())?);
        }
        let instant = if let Ok(zoned) = DateTime::parse_from_rfc3339(trimmed) {
            zoned.with_timezone(&Utc)
        } else if let Ok(date) = NaiveDate::parse_from_str(trimmed, "%Y-%m-%d") {
            date.and_time(chrono::NaiveTime::MIN).and_utc()
        } else {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(trimmed, format).ok())
                .ok_or_else(unreadable)?
                .and_utc()
        };
        Self::from_micros(instant.timestamp_micros())
            .map_err(|_| TimestampError::OutOfRange(trimmed.chars().take(64).collect()))
    }

    /// The clock's time now.
    pub fn now() -> Self {
        Self::clamped(Utc::now().timestamp_micros())
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by so many microseconds, held inside the range.
    #[must_use]
    pub fn saturating_add_micros(self, micros: i64) -> Self {
        Self::clamped(self.0.saturating_add(micros))
    }

    /// The same instant as chrono's type.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).expect("the range of a Timestamp lies inside chrono's")
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with no more digits than needed: none, three or six after the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.0.rem_euclid(MICROS_PER_SECOND) {
            0 => SecondsFormat::Secs,
            micros if micros % 1_000 == 0 => SecondsFormat::Millis,
            _ => SecondsFormat::Micros,
        };
        f.write_str(&self.to_utc().to_rfc3339_opts(format, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_unit_follows_from_magnitude() {
        let expected = Timestamp::parse("2024-02-02T11:43:02Z").expect("valid");
        for number in [1_706_874_182, 1_706_874_182_000, 1_706_874_182_000_000, 1_706_874_182_000_000_000] {
            assert_eq!(Timestamp::from_epoch(number), Ok(expected));
        }
    }

    #[test]
    fn times_without_zone_are_utc() {
        let expected = Timestamp::parse("2014-02-14T14:27:00Z").expect("valid");
        for text in ["2014-02-14 14:27:00", "2014-02-14T14:27:00", "2014-02-14 14:27", "2014-02-14T15:27:00+01:00"] {
            assert_eq!(Timestamp::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn unreadable_text_is_refused_and_named() {
        for text in ["", "yesterday", "2024-13-01", "2024-02-30", "12:00", "1e9", "99999999999999999999"] {
            assert!(matches!(Timestamp::parse(text), Err(TimestampError::Unreadable(t)) if t == text), "{text}");
        }
        assert!(Timestamp::parse("+12024-01-01T00:00:00Z").is_err());
    }

    #[test]
    fn printing_and_reading_are_inverse_before_1970_too() {
        for micros in [Timestamp::MIN.0, -1, -1_000, 0, 1, 1_000, 1_706_874_182_099_000, Timestamp::MAX.0] {
            let timestamp = Timestamp::from_micros(micros).expect("in range");
            assert_eq!(Timestamp::parse(&timestamp.to_string()), Ok(timestamp));
        }
    }
}
