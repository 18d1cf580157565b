//! Windows: half-open spans `[start, end)` that tile all of time, aligned by floor.

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::timestamp::{MICROS_PER_HOUR, MICROS_PER_SECOND};
use super::{Resolution, Timestamp};

/// A half-open span of time in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First microsecond inside.
    pub start: i64,
    /// First microsecond after it.
    pub end: i64,
}

/// The tiling of time into windows of one resolution in one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowGrid {
    resolution: Resolution,
    zone: Tz,
}

impl WindowGrid {
    /// The windows of a resolution; the zone matters for calendar units only.
    pub fn new(resolution: Resolution, zone: Tz) -> Self {
        Self { resolution, zone }
    }

    /// The width when all windows have the same one and start at a multiple of it.
    pub fn fixed_width_micros(&self) -> Option<i64> {
        match self.resolution {
            Resolution::Fixed(micros) => Some(micros.get()),
            resolution @ (Resolution::Hour | Resolution::Day) if self.zone == Tz::UTC => {
                Some(resolution.nominal_micros())
            }
            _ => None,
        }
    }

    /// The window that holds an instant.
    pub fn window_at(&self, micros: i64) -> Window {
        if let Some(width) = self.fixed_width_micros() {
            let start = micros.div_euclid(width).saturating_mul(width);
            return Window { start, end: start.saturating_add(width) };
        }
        if self.resolution == Resolution::Hour {
            return self.hour_at(micros);
        }
        let local = self.local_date(micros);
        let mut first = match self.resolution {
            Resolution::Week => local.checked_sub_days(Days::new(u64::from(local.weekday().num_days_from_monday()))),
            Resolution::Month => local.with_day(1),
            _ => Some(local),
        }
        .expect("dates of the years 1 to 9999 have neighbours");
        // Where clocks go back across midnight a date is left and entered again: the later start wins.
        loop {
            let next = self.next_date(first);
            let (start, end) = (self.start_of(first), self.start_of(next));
            if micros < end {
                return Window { start, end };
            }
            first = next;
        }
    }

    /// The windows that hold any instant of `[from, to)`, in order.
    pub fn windows(self, from: i64, to: i64) -> impl Iterator<Item = Window> {
        let first = (from < to).then(|| self.window_at(from));
        std::iter::successors(first, move |window| (window.end < to).then(|| self.window_at(window.end)))
    }

    fn next_date(&self, date: NaiveDate) -> NaiveDate {
        match self.resolution {
            Resolution::Week => date.checked_add_days(Days::new(7)),
            Resolution::Month => date.checked_add_months(Months::new(1)),
            _ => date.checked_add_days(Days::new(1)),
        }
        .expect("dates of the years 1 to 9999 have neighbours")
    }

    fn local_date(&self, micros: i64) -> NaiveDate {
        self.zone.from_utc_datetime(&utc(micros).naive_utc()).date_naive()
    }

    fn offset_micros(&self, micros: i64) -> i64 {
        let offset = self.zone.offset_from_utc_datetime(&utc(micros).naive_utc());
        i64::from(offset.fix().local_minus_utc()) * MICROS_PER_SECOND
    }

    /// The first instant of a date in the zone: its midnight, or the end of the gap where clocks skip midnight.
    fn start_of(&self, date: NaiveDate) -> i64 {
        let midnight = date.and_time(NaiveTime::MIN);
        match self.zone.from_local_datetime(&midnight) {
            LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => start.timestamp_micros(),
            LocalResult::None => {
                // No zone ever skipped more than a day: the gap's end lies within 26 hours of the naive midnight.
                let naive = midnight.and_utc().timestamp_micros();
                let reach = 26 * MICROS_PER_HOUR;
                first_instant(naive - reach, naive + reach, |micros| self.local_date(micros) >= date)
            }
        }
    }

    fn hour_at(&self, micros: i64) -> Window {
        let offset = self.offset_micros(micros);
        let mut start = (micros + offset).div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR - offset;
        let mut end = start + MICROS_PER_HOUR;
        let before = self.offset_micros(start);
        if before != offset {
            start = first_instant(start, micros, |at| self.offset_micros(at) != before);
        }
        if self.offset_micros(end - 1) != offset {
            end = first_instant(micros, end, |at| self.offset_micros(at) != offset);
        }
        Window { start, end }
    }
}

/// The first whole second in `(low, high]` from which on `reached` holds.
fn first_instant(low: i64, high: i64, reached: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (low.div_euclid(MICROS_PER_SECOND), high.div_euclid(MICROS_PER_SECOND));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(middle * MICROS_PER_SECOND) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high * MICROS_PER_SECOND
}

fn utc(micros: i64) -> DateTime<Utc> {
    Timestamp::clamped(micros).to_utc()
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
