//! The time axis: nice times below the columns of a canvas.

use chrono_tz::Tz;
use metrics_core::Timestamp;
use metrics_core::chart::time_ticks;

/// A time that stands below a column of the canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeTick {
    /// Column of the canvas, 0 at the left.
    pub(crate) column: usize,
    /// The time in words.
    pub(crate) label: String,
}

/// Where a time stands among `dots` dots from the left.
pub(crate) fn dot(at: Timestamp, from: Timestamp, to: Timestamp, dots: usize) -> usize {
    let span = to.micros().saturating_sub(from.micros()).max(1) as f64;
    let share = at.micros().saturating_sub(from.micros()) as f64 / span;
    let last = dots.saturating_sub(1);
    ((share * last as f64).round() as usize).min(last)
}

/// Ticks for `[from, to]` over `columns` columns, in order; none when there is no room for a label.
pub(crate) fn ticks(from: Timestamp, to: Timestamp, columns: usize, zone: Tz) -> Vec<TimeTick> {
    let ticks = time_ticks(from, to, columns, zone).into_iter();
    ticks.map(|tick| TimeTick { column: dot(tick.at, from, to, columns), label: tick.label }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(from: &str, to: &str, columns: usize, zone: Tz) -> Vec<String> {
        let [from, to] = [from, to].map(|text| Timestamp::parse(text).expect("a time"));
        ticks(from, to, columns, zone).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn hours_of_a_day_start_at_its_midnight() {
        let day = labels("2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z", 80, Tz::UTC);
        assert_eq!(day, ["Feb 2", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "Feb 3"]);
    }

    #[test]
    fn boundaries_are_those_of_the_zone() {
        let day = labels("2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z", 60, Tz::Asia__Kolkata);
        assert_eq!(day, ["06:00", "12:00", "18:00", "Feb 3"]);
    }

    #[test]
    fn each_span_has_its_unit() {
        assert_eq!(
            labels("2024-02-02T10:00:07Z", "2024-02-02T10:02:00Z", 60, Tz::UTC),
            ["10:00:30", "10:01:00", "10:01:30", "10:02:00"]
        );
        assert_eq!(labels("2014-02-14T14:27:00Z", "2014-02-28T14:27:00Z", 60, Tz::UTC), ["Feb 17", "Feb 24"]);
        assert_eq!(labels("2023-11-15", "2024-03-15", 40, Tz::UTC), ["Dec", "2024", "Feb", "Mar"]);
        assert_eq!(labels("1960-01-01", "2010-01-01", 60, Tz::UTC), ["1960", "1970", "1980", "1990", "2000", "2010"]);
        assert_eq!(labels("2024-02-02T10:00:00Z", "2024-02-02T10:00:00.100Z", 40, Tz::UTC).len(), 3);
    }

    #[test]
    fn a_skipped_hour_has_no_tick() {
        let night = labels("2024-03-31T00:00:00Z", "2024-03-31T04:00:00Z", 60, Tz::Europe__Berlin);
        assert_eq!(night, ["01:00", "03:00", "04:00", "05:00", "06:00"]);
    }

    proptest! {
        #[test]
        fn prop_ticks_stand_inside_and_in_order(from: i64, span in 1i64..=i64::MAX, columns in 0usize..300) {
            let from = Timestamp::clamped(from);
            let to = from.saturating_add_micros(span);
            let ticks = ticks(from, to, columns, Tz::America__New_York);
            prop_assert!(ticks.iter().all(|tick| tick.column < columns.max(1)));
            prop_assert!(ticks.windows(2).all(|pair| pair[0].column <= pair[1].column));
        }
    }
}
