use super::*;

fn at(text: &str) -> i64 {
    Timestamp::parse(text).expect(text).micros()
}

fn windows(resolution: Resolution, zone: Tz, from: &str, to: &str) -> Vec<(String, i64)> {
    WindowGrid::new(resolution, zone)
        .windows(at(from), at(to))
        .map(|w| (Timestamp::clamped(w.start).to_string(), (w.end - w.start) / (60 * MICROS_PER_SECOND)))
        .collect()
}

fn days(zone: Tz, from: &str, to: &str) -> Vec<(String, i64)> {
    windows(Resolution::Day, zone, from, to)
}

fn owned(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(start, minutes)| ((*start).to_owned(), *minutes)).collect()
}

#[test]
fn fixed_windows_floor_before_1970_too() {
    let grid = WindowGrid::new(Resolution::MINUTE, Tz::UTC);
    assert_eq!(grid.window_at(-1), Window { start: -60_000_000, end: 0 });
    assert_eq!(grid.window_at(-60_000_000), Window { start: -60_000_000, end: 0 });
    assert_eq!(grid.window_at(0), Window { start: 0, end: 60_000_000 });
}

#[test]
fn new_york_days_have_23_and_25_hours() {
    assert_eq!(
        days(Tz::America__New_York, "2024-03-09T12:00:00Z", "2024-03-11T05:00:00Z"),
        owned(&[("2024-03-09T05:00:00Z", 1440), ("2024-03-10T05:00:00Z", 1380), ("2024-03-11T04:00:00Z", 1440)])
    );
    assert_eq!(
        days(Tz::America__New_York, "2024-11-03T12:00:00Z", "2024-11-03T12:00:01Z"),
        owned(&[("2024-11-03T04:00:00Z", 1500)])
    );
}

#[test]
fn berlin_weeks_start_on_monday_and_months_on_the_first() {
    assert_eq!(
        windows(Resolution::Week, Tz::Europe__Berlin, "2024-03-28T12:00:00Z", "2024-04-01T12:00:00Z"),
        owned(&[("2024-03-24T23:00:00Z", 7 * 1440 - 60), ("2024-03-31T22:00:00Z", 7 * 1440)])
    );
    assert_eq!(
        windows(Resolution::Month, Tz::Europe__Berlin, "2024-10-15", "2024-11-01T12:00:00Z"),
        owned(&[("2024-09-30T22:00:00Z", 31 * 1440 + 60), ("2024-10-31T23:00:00Z", 30 * 1440)])
    );
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    assert_eq!(
        days(Tz::Australia__Lord_Howe, "2024-04-06T12:00:00Z", "2024-04-07T14:00:00Z"),
        owned(&[("2024-04-05T13:00:00Z", 1440), ("2024-04-06T13:00:00Z", 1470), ("2024-04-07T13:30:00Z", 1440)])
    );
    // Clocks go back from 02:00 (+11) to 01:30 (+10:30): an hour, then the half hour that is lived again.
    assert_eq!(
        windows(Resolution::Hour, Tz::Australia__Lord_Howe, "2024-04-06T14:10:00Z", "2024-04-06T16:00:00Z"),
        owned(&[("2024-04-06T14:00:00Z", 60), ("2024-04-06T15:00:00Z", 30), ("2024-04-06T15:30:00Z", 60)])
    );
    // Clocks skip from 02:00 (+10:30) to 02:30 (+11).
    assert_eq!(
        windows(Resolution::Hour, Tz::Australia__Lord_Howe, "2024-10-05T14:40:00Z", "2024-10-05T16:30:00Z"),
        owned(&[("2024-10-05T14:30:00Z", 60), ("2024-10-05T15:30:00Z", 30), ("2024-10-05T16:00:00Z", 60)])
    );
}

#[test]
fn kathmandu_stands_a_quarter_of_an_hour_off() {
    assert_eq!(
        days(Tz::Asia__Kathmandu, "2024-01-01", "2024-01-01T18:20:00Z"),
        owned(&[("2023-12-31T18:15:00Z", 1440), ("2024-01-01T18:15:00Z", 1440)])
    );
    assert_eq!(
        windows(Resolution::Hour, Tz::Asia__Kathmandu, "2024-01-01T00:00:00Z", "2024-01-01T00:20:00Z"),
        owned(&[("2023-12-31T23:15:00Z", 60), ("2024-01-01T00:15:00Z", 60)])
    );
    // 1986-01-01: from +05:30 to +05:45, at local midnight.
    assert_eq!(
        days(Tz::Asia__Kathmandu, "1985-12-31T12:00:00Z", "1985-12-31T19:00:00Z"),
        owned(&[("1985-12-30T18:30:00Z", 1440), ("1985-12-31T18:30:00Z", 1425)])
    );
}

#[test]
fn sao_paulo_skips_midnight_and_relives_the_hour_before_it() {
    // 2018-11-04: 00:00 (-3) becomes 01:00 (-2), so the day starts at 03:00Z and has 23 hours.
    assert_eq!(
        days(Tz::America__Sao_Paulo, "2018-11-03T12:00:00Z", "2018-11-05T02:00:01Z"),
        owned(&[("2018-11-03T03:00:00Z", 1440), ("2018-11-04T03:00:00Z", 1380), ("2018-11-05T02:00:00Z", 1440)])
    );
    // 2018-02-18: 00:00 (-2) becomes 23:00 (-3) of the 17th, which has 25 hours.
    assert_eq!(
        days(Tz::America__Sao_Paulo, "2018-02-17T12:00:00Z", "2018-02-18T03:00:01Z"),
        owned(&[("2018-02-17T02:00:00Z", 1500), ("2018-02-18T03:00:00Z", 1440)])
    );
}

#[test]
fn windows_tile_time_in_every_zone() {
    for &zone in chrono_tz::TZ_VARIANTS.iter().step_by(7) {
        for resolution in [Resolution::Hour, Resolution::Day, Resolution::Week, Resolution::Month] {
            let grid = WindowGrid::new(resolution, zone);
            for (from, to) in [("1945-01-01", "1945-06-01"), ("2010-12-25", "2011-02-01"), ("2023-09-20", "2023-11-15")]
            {
                let mut end = None;
                for window in grid.windows(at(from), at(to)) {
                    assert!(window.start < window.end, "{zone} {resolution}");
                    assert!(end.is_none_or(|end| end == window.start), "{zone} {resolution}: {end:?} {window:?}");
                    for inside in [window.start, window.start + (window.end - window.start) / 2, window.end - 1] {
                        assert_eq!(grid.window_at(inside), window, "{zone} {resolution}");
                    }
                    end = Some(window.end);
                }
                assert!(end >= Some(at(to)), "{zone} {resolution}");
            }
        }
    }
}
