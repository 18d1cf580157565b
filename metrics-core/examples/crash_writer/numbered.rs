//! Points that a number determines wholly, so that a reader can tell whether each is there, once and unchanged.

use metrics_core::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// The metric of every numbered point.
pub(crate) const METRIC: &str = "numbered";

/// 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200 * MICROS_PER_SECOND;

/// The label `part` of a number: one of five series.
pub(crate) fn part(number: u64) -> String {
    (number % 5).to_string()
}

/// The time of a number: two share each second, and every seventh comes 400 days late.
pub(crate) fn time(number: u64) -> Timestamp {
    let seconds = i64::try_from(number / 2).expect("numbers are small");
    let late = if number.is_multiple_of(7) { 400 * MICROS_PER_DAY } else { 0 };
    Timestamp::clamped(START + seconds * MICROS_PER_SECOND - late)
}
