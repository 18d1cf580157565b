//! The time axis: ticks on nice boundaries of a zone's clock and calendar.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use metrics_core::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp};

/// A time that stands below a column of the canvas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeTick {
    /// Column of the canvas, 0 at the left.
    pub(crate) column: usize,
    /// The time in words.
    pub(crate) label: String,
}

/// Columns between two labels.
const LABEL_GAP: usize = 3;

/// Distance between ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Microseconds that divide a day.
    Clock(i64),
    /// Days; seven of them start on a Monday.
    Days(u32),
    /// Months from January.
    Months(u32),
}

/// Every distance, finest first.
fn steps() -> impl Iterator<Item = Step> {
    const MILLIS: [i64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
    const SIXTIETHS: [i64; 6] = [1, 2, 5, 10, 15, 30];
    const HOURS: [i64; 5] = [1, 2, 3, 6, 12];
    let clock = MILLIS.iter().map(|ms| ms * 1_000);
    let clock = clock.chain(SIXTIETHS.iter().map(|s| s * MICROS_PER_SECOND));
    let clock = clock.chain(SIXTIETHS.iter().map(|m| m * MICROS_PER_MINUTE));
    let clock = clock.chain(HOURS.iter().map(|h| h * MICROS_PER_HOUR)).map(Step::Clock);
    let years = (0..4).flat_map(|power| [1, 2, 5].map(|digit| Step::Months(12 * digit * 10u32.pow(power))));
    clock.chain([1, 2, 7, 14].map(Step::Days)).chain([1, 2, 3, 6].map(Step::Months)).chain(years)
}

impl Step {
    fn nominal_micros(self) -> i64 {
        match self {
            Self::Clock(micros) => micros,
            Self::Days(days) => i64::from(days) * MICROS_PER_DAY,
            Self::Months(months) => i64::from(months) * 30 * MICROS_PER_DAY,
        }
    }

    /// Columns of its longest label.
    fn label_columns(self) -> usize {
        match self {
            Self::Clock(..MICROS_PER_SECOND) => "00:00:00.000".len(),
            Self::Clock(..MICROS_PER_MINUTE) => "00:00:00".len(),
            Self::Clock(_) | Self::Days(_) => "Feb 14".len(),
            Self::Months(_) => "2014".len(),
        }
    }

    /// The last tick at or before a time on the clock.
    fn floor(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = at.date();
        let day = match self {
            Self::Clock(micros) => {
                let past = (at - date.and_time(NaiveTime::MIN)).num_microseconds()?.rem_euclid(micros);
                return at.checked_sub_signed(TimeDelta::microseconds(past));
            }
            Self::Days(7 | 14) => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday())))?,
            Self::Days(days) => {
                let past = date.num_days_from_ce().rem_euclid(i32::try_from(days).ok()?);
                date.checked_sub_days(Days::new(u64::try_from(past).ok()?))?
            }
            Self::Months(months) => {
                let index = date.year() * 12 + date.month0().cast_signed();
                let first = index - index.rem_euclid(i32::try_from(months).ok()?);
                NaiveDate::from_ymd_opt(first.div_euclid(12), first.rem_euclid(12).cast_unsigned() + 1, 1)?
            }
        };
        Some(day.and_time(NaiveTime::MIN))
    }

    fn next(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Clock(micros) => at.checked_add_signed(TimeDelta::microseconds(micros)),
            Self::Days(days) => at.checked_add_days(Days::new(u64::from(days))),
            Self::Months(months) => at.checked_add_months(Months::new(months)),
        }
    }

    fn label(self, at: DateTime<Tz>) -> String {
        let midnight = at.time() == NaiveTime::MIN;
        let format = match self {
            Self::Clock(..MICROS_PER_SECOND) => "%H:%M:%S%.3f",
            Self::Clock(..MICROS_PER_MINUTE) => "%H:%M:%S",
            Self::Clock(_) if !midnight => "%H:%M",
            Self::Clock(_) => "%b %-d",
            Self::Months(12..) => "%Y",
            Self::Days(_) | Self::Months(_) if at.ordinal() == 1 => "%Y",
            Self::Days(_) => "%b %-d",
            Self::Months(_) => "%b",
        };
        at.format(format).to_string()
    }
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
    let span = to.micros().saturating_sub(from.micros());
    let roomy = |step: &Step| {
        let step_columns = step.nominal_micros() as f64 / span.max(1) as f64 * columns as f64;
        step_columns >= (step.label_columns() + LABEL_GAP) as f64
    };
    let Some(step) = steps().find(roomy) else { return Vec::new() };
    let mut ticks = Vec::new();
    let mut next = step.floor(from.to_utc().with_timezone(&zone).naive_local());
    // A tick takes more than one column, so that this many are always enough; the first may lie before `from`.
    for _ in 0..columns.saturating_add(2) {
        let Some(local) = next else { break };
        next = step.next(local);
        // Clocks that go forward skip some times: those get no tick.
        let Some(at) = zone.from_local_datetime(&local).earliest() else { continue };
        let Ok(instant) = Timestamp::from_micros(at.timestamp_micros()) else { continue };
        if instant > to {
            break;
        }
        if instant >= from {
            ticks.push(TimeTick { column: dot(instant, from, to, columns), label: step.label(at) });
        }
    }
    ticks
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
