//! Parts of a date in UTC, of a time in seconds since 1970.

use chrono::{DateTime, Datelike, Months, NaiveDate, Timelike, Utc};

use super::function::Map;

/// A function that takes a part of a date, by its name.
pub(crate) fn part(name: &str) -> Option<Map> {
    let part: Map = match name {
        "minute" => |seconds| of(seconds, |at| at.minute()),
        "hour" => |seconds| of(seconds, |at| at.hour()),
        "day_of_week" => |seconds| of(seconds, |at| at.weekday().num_days_from_sunday()),
        "day_of_month" => |seconds| of(seconds, |at| at.day()),
        "day_of_year" => |seconds| of(seconds, |at| at.ordinal()),
        "days_in_month" => |seconds| of(seconds, |at| days_in_month(at.date_naive())),
        "month" => |seconds| of(seconds, |at| at.month()),
        "year" => |seconds| date(seconds).map_or(f64::NAN, |at| f64::from(at.year())),
        _ => return None,
    };
    Some(part)
}

fn date(seconds: f64) -> Option<DateTime<Utc>> {
    if seconds.is_finite() { DateTime::from_timestamp(seconds as i64, 0) } else { None }
}

/// A time that no calendar has is no number.
fn of(seconds: f64, part: impl FnOnce(DateTime<Utc>) -> u32) -> f64 {
    date(seconds).map_or(f64::NAN, |at| f64::from(part(at)))
}

fn days_in_month(date: NaiveDate) -> u32 {
    let first = date.with_day(1).unwrap_or(date);
    let next = first.checked_add_months(Months::new(1));
    next.map_or(31, |next| next.signed_duration_since(first).num_days() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_calendar() {
        let seconds = 1_709_210_096.7; // Thursday, 2024-02-29T12:34:56Z
        for (name, expected) in [
            ("minute", 34.0),
            ("hour", 12.0),
            ("day_of_week", 4.0),
            ("day_of_month", 29.0),
            ("day_of_year", 60.0),
            ("days_in_month", 29.0),
            ("month", 2.0),
            ("year", 2024.0),
        ] {
            assert_eq!(part(name).expect(name)(seconds), expected, "{name}");
        }
        assert!(part("year").expect("known")(f64::INFINITY).is_nan());
        assert!(part("hour").expect("known")(1e30).is_nan());
        assert!(part("second").is_none());
    }
}
