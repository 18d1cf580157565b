//! Windows found by looking at clocks instant by instant, without the library's `WindowGrid`.
//!
//! A calendar period starts at the first instant that shows one of its dates or a later one, and holds every
//! instant until the next period starts; so time that is lived again after clocks went back belongs to the
//! period that had started.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use metrics_core::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Resolution, Window};

/// The window that holds an instant.
pub(crate) fn window_of(resolution: Resolution, zone: Tz, micros: i64) -> Window {
    match resolution {
        Resolution::Fixed(width) => {
            let start = micros.div_euclid(width.get()) * width.get();
            Window { start, end: start + width.get() }
        }
        Resolution::Hour => hour_of(zone, micros),
        period => period_of(period, zone, micros),
    }
}

/// The windows that overlap `[from, to)`, in order.
pub(crate) fn windows(resolution: Resolution, zone: Tz, from: i64, to: i64) -> Vec<Window> {
    let mut found = Vec::new();
    let mut at = from;
    while at < to {
        let window = window_of(resolution, zone, at);
        found.push(window);
        at = window.end;
    }
    found
}

/// What a wall clock in the zone shows, and how far it stands from UTC in seconds.
fn clock(zone: Tz, micros: i64) -> (NaiveDateTime, i32) {
    let utc = DateTime::from_timestamp_micros(micros).expect("inside chrono's range").naive_utc();
    let local = zone.from_utc_datetime(&utc);
    (local.naive_local(), local.offset().fix().local_minus_utc())
}

/// An hour of the clock: instants that show the same date and hour under the same offset.
fn hour_of(zone: Tz, micros: i64) -> Window {
    let shown = |at: i64| {
        let (local, offset) = clock(zone, at);
        (local.date(), local.hour(), offset)
    };
    let hour = shown(micros);
    let (local, _) = clock(zone, micros);
    let into =
        i64::from(local.minute() * 60 + local.second()) * MICROS_PER_SECOND + micros.rem_euclid(MICROS_PER_SECOND);
    // The whole hour, unless the clock was changed within it: then second by second.
    let (mut start, mut end) = (micros - into, micros - into + MICROS_PER_HOUR);
    while shown(start) != hour {
        start += MICROS_PER_SECOND;
    }
    while shown(end - 1) != hour {
        end -= MICROS_PER_SECOND;
    }
    Window { start, end }
}

/// The first date of the period that holds a date.
fn opening(period: Resolution, date: NaiveDate) -> NaiveDate {
    match period {
        Resolution::Week => date - Duration::days(i64::from(date.weekday().num_days_from_monday())),
        Resolution::Month => date.with_day(1).expect("every month has a first"),
        _ => date,
    }
}

fn period_of(period: Resolution, zone: Tz, micros: i64) -> Window {
    let shown = clock(zone, micros).0.date();
    // No clock was ever moved by more than a day, so the openings on both sides are among those of nearby dates.
    let reach = match period {
        Resolution::Month => 35,
        Resolution::Week => 9,
        _ => 3,
    };
    let mut openings: Vec<NaiveDate> =
        (-reach..=reach).map(|days| opening(period, shown + Duration::days(days))).collect();
    openings.dedup();
    let starts: Vec<i64> = openings.into_iter().map(|date| first_instant_of(zone, date)).collect();
    let start = *starts.iter().rfind(|&&start| start <= micros).expect("an earlier period has started");
    let end = *starts.iter().find(|&&start| start > micros).expect("a later period starts nearby");
    Window { start, end }
}

thread_local! {
    static FIRST_INSTANTS: RefCell<HashMap<(Tz, NaiveDate), i64>> = RefCell::default();
}

/// The first instant at which the zone shows the date or a later one: minute by minute, then second by second.
fn first_instant_of(zone: Tz, date: NaiveDate) -> i64 {
    if let Some(known) = FIRST_INSTANTS.with_borrow(|known| known.get(&(zone, date)).copied()) {
        return known;
    }
    let reached = |at: i64| clock(zone, at).0.date() >= date;
    // Offsets lie between -16 and +16 hours.
    let mut at = date.and_hms_opt(0, 0, 0).expect("midnight").and_utc().timestamp_micros() - 16 * MICROS_PER_HOUR;
    while !reached(at) {
        at += MICROS_PER_MINUTE;
    }
    while reached(at - MICROS_PER_SECOND) {
        at -= MICROS_PER_SECOND;
    }
    FIRST_INSTANTS.with_borrow_mut(|known| known.insert((zone, date), at));
    at
}

#[test]
fn the_librarys_grid_agrees_with_the_clocks_of_every_zone() {
    let spans = [("1883-11-17", 30), ("1945-03-30", 40), ("1985-12-20", 20), ("2006-10-20", 20), ("2011-12-20", 20)];
    let resolutions = [Resolution::Hour, Resolution::Day, Resolution::Week, Resolution::Month];
    for (number, &zone) in chrono_tz::TZ_VARIANTS.iter().enumerate() {
        let (from, days) = spans[number % spans.len()];
        let from = metrics_core::Timestamp::parse(from).expect("a date").micros();
        let to = from + days * metrics_core::MICROS_PER_DAY;
        for resolution in resolutions {
            let found: Vec<Window> = metrics_core::WindowGrid::new(resolution, zone).windows(from, to).collect();
            assert_eq!(found, windows(resolution, zone, from, to), "{resolution} in {zone}");
        }
    }
}
