//! Query results as bytes.
//!
//! The formats of text print whole numbers below 2^53 without a point, others with the fewest digits that read back
//! exactly, and times in UTC.

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod csv;
pub mod json;
pub mod ndjson;
#[cfg(feature = "arrow")]
pub(crate) mod table;
pub(crate) mod text;

use crate::model::Timestamp;

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EpochUnit {
    /// RFC 3339 text with no more decimals than needed.
    #[default]
    Rfc3339,
    /// Whole milliseconds since 1970, rounded down.
    Millis,
    /// Microseconds since 1970.
    Micros,
}

impl EpochUnit {
    /// Its name in JSON and in the parameter `epoch`; none for text.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Rfc3339 => None,
            Self::Millis => Some("ms"),
            Self::Micros => Some("us"),
        }
    }

    /// Appends a time, text without quotes.
    fn push(self, out: &mut Vec<u8>, timestamp: Timestamp) {
        match self {
            Self::Rfc3339 => text::push_time(out, timestamp),
            Self::Millis => text::push_integer(out, timestamp.micros().div_euclid(1_000)),
            Self::Micros => text::push_integer(out, timestamp.micros()),
        }
    }

    /// Appends a time as JSON.
    fn push_json(self, out: &mut Vec<u8>, timestamp: Timestamp) {
        if self == Self::Rfc3339 {
            out.push(b'"');
            self.push(out, timestamp);
            out.push(b'"');
        } else {
            self.push(out, timestamp);
        }
    }
}

impl std::str::FromStr for EpochUnit {
    type Err = EpochError;

    fn from_str(word: &str) -> Result<Self, EpochError> {
        match word {
            "ms" => Ok(Self::Millis),
            "us" => Ok(Self::Micros),
            _ => Err(EpochError(word.chars().take(32).collect())),
        }
    }
}

/// A word that is no unit of epoch times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a unit of epoch times: use ms or us")]
pub struct EpochError(String);

/// How a frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodeOptions {
    /// The form of times.
    pub epoch: EpochUnit,
}

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_names_that_they_are_read_by() {
        for unit in [EpochUnit::Millis, EpochUnit::Micros] {
            assert_eq!(unit.name().expect("named").parse(), Ok(unit));
        }
        assert_eq!(
            "s".parse::<EpochUnit>().expect_err("no unit").to_string(),
            "\"s\" is not a unit of epoch times: use ms or us"
        );
    }

    #[test]
    fn times_before_1970_round_down() {
        let mut out = Vec::new();
        EpochUnit::Millis.push_json(&mut out, Timestamp::clamped(-1));
        EpochUnit::Rfc3339.push_json(&mut out, Timestamp::EPOCH);
        assert_eq!(out, b"-1\"1970-01-01T00:00:00Z\"");
    }
}
