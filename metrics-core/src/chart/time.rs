//! The time axis: ticks on nice boundaries of a zone's clock and calendar.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::model::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp};

/// A nice time with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeTick {
    /// The time.
    pub at: Timestamp,
    /// The time in words, in the zone, no more exact than needed.
    pub label: String,
}

/// Characters between two labels.
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

    /// Characters of its longest label.
    fn label_chars(self) -> usize {
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

/// The nice times in `[from, to]` over an axis with room for so many characters, in order; none without room for one.
pub fn time_ticks(from: Timestamp, to: Timestamp, chars: usize, zone: Tz) -> Vec<TimeTick> {
    let span = to.micros().saturating_sub(from.micros());
    let roomy = |step: &Step| {
        let step_chars = step.nominal_micros() as f64 / span.max(1) as f64 * chars as f64;
        step_chars >= (step.label_chars() + LABEL_GAP) as f64
    };
    let Some(step) = steps().find(roomy) else { return Vec::new() };
    let mut ticks = Vec::new();
    let mut next = step.floor(from.to_utc().with_timezone(&zone).naive_local());
    // A tick takes more than one character, so that this many are always enough; the first may lie before `from`.
    for _ in 0..chars.saturating_add(2) {
        let Some(local) = next else { break };
        next = step.next(local);
        // Clocks that go forward skip some times: those get no tick.
        let Some(at) = zone.from_local_datetime(&local).earliest() else { continue };
        let Ok(instant) = Timestamp::from_micros(at.timestamp_micros()) else { continue };
        if instant > to {
            break;
        }
        if instant >= from {
            ticks.push(TimeTick { at: instant, label: step.label(at) });
        }
    }
    ticks
}
