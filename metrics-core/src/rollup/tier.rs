//! The widths that buckets are kept in.

use crate::model::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE};

/// A table of a chunk: the points, or their partials in buckets of one width.
///
/// A quarter of an hour is among them because every zone in use today stands a multiple of it off UTC: days of
/// Kathmandu (+05:45) or Lord Howe (+10:30, +11) are unions of such buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tier {
    Raw,
    Minute,
    Quarter,
    Hour,
    Day,
}

impl Tier {
    /// All, finest first.
    pub(crate) const ALL: [Self; 5] = [Self::Raw, Self::Minute, Self::Quarter, Self::Hour, Self::Day];
    /// Those that hold partials, finest first.
    pub(crate) const ROLLUPS: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    /// Length of a bucket in microseconds; of a point, one.
    pub(crate) const fn width_micros(self) -> i64 {
        match self {
            Self::Raw => 1,
            Self::Minute => MICROS_PER_MINUTE,
            Self::Quarter => 15 * MICROS_PER_MINUTE,
            Self::Hour => MICROS_PER_HOUR,
            Self::Day => MICROS_PER_DAY,
        }
    }

    /// Whether its rows may carry a quantile sketch. Below an hour a sketch would be larger than the points.
    pub(crate) const fn may_have_digest(self) -> bool {
        matches!(self, Self::Hour | Self::Day)
    }

    /// The name in table names and in `explain`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Minute => "minute",
            Self::Quarter => "quarter",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The tier of a stored name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// The coarsest tier whose buckets tile windows of a fixed width.
    pub(crate) fn dividing(width_micros: i64) -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .find(|tier| width_micros % tier.width_micros() == 0)
            .expect("one divides everything")
    }
}
