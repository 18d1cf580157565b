//! Numbers, times and texts as bytes, without an allocation each.

use crate::model::{Labels, MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// The integers up to here are all exact in an `f64`.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Appends the shortest decimal that reads back as the same number, whole ones below 2^53 without a point.
/// What is not finite becomes `null`.
pub(crate) fn push_number(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        out.extend_from_slice(b"null");
    } else if value.trunc() == value && value.abs() < EXACT_INTEGERS {
        if value == 0.0 && value.is_sign_negative() {
            out.push(b'-');
        }
        push_integer(out, value as i64);
    } else {
        serde_json::to_writer(out, &value).expect("writing to memory does not fail");
    }
}

/// Appends a whole number.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    push_count(out, number.unsigned_abs());
}

/// Appends a whole number that is not negative.
pub(crate) fn push_count(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = digit(number % 10);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a text in quotes, escaped as JSON requires.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing to memory does not fail");
}

/// Appends labels as a JSON object.
pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, name);
        out.push(b':');
        push_string(out, value);
    }
    out.push(b'}');
}

/// Appends a time in RFC 3339, as its `Display` does, without quotes.
pub(crate) fn push_time(out: &mut Vec<u8>, timestamp: Timestamp) {
    let (year, month, day) = civil_from_days(timestamp.micros().div_euclid(MICROS_PER_DAY));
    let of_day = timestamp.micros().rem_euclid(MICROS_PER_DAY);
    let (seconds, micros) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
    let mut form = *b"0000-00-00T00:00:00.000000Z";
    put(&mut form[0..4], year);
    put(&mut form[5..7], month);
    put(&mut form[8..10], day);
    put(&mut form[11..13], seconds / 3_600);
    put(&mut form[14..16], seconds / 60 % 60);
    put(&mut form[17..19], seconds % 60);
    put(&mut form[20..26], micros);
    let kept = match micros {
        0 => 19,
        _ if micros % 1_000 == 0 => 23,
        _ => 26,
    };
    form[kept] = b'Z';
    out.extend_from_slice(&form[..=kept]);
}

/// Writes a number that is not negative over all of `place`, zeros in front.
fn put(place: &mut [u8], mut number: i64) {
    for byte in place.iter_mut().rev() {
        *byte = digit(number.unsigned_abs() % 10);
        number /= 10;
    }
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number).expect("a digit is below ten")
}

/// Year, month and day of a number of days from 1970-01-01
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(value: f64) -> String {
        let mut out = Vec::new();
        push_number(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    fn time(timestamp: Timestamp) -> String {
        let mut out = Vec::new();
        push_time(&mut out, timestamp);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn whole_numbers_have_no_point() {
        for (value, expected) in [
            (30.0, "30"),
            (-7.0, "-7"),
            (0.0, "0"),
            (-0.0, "-0"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (51.846_000_000_000_004, "51.846000000000004"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn integers_at_their_bounds() {
        let mut out = Vec::new();
        push_integer(&mut out, i64::MIN);
        out.push(b' ');
        push_count(&mut out, u64::MAX);
        assert_eq!(out, b"-9223372036854775808 18446744073709551615");
    }

    #[test]
    fn labels_are_escaped() {
        let mut out = Vec::new();
        push_labels(&mut out, &Labels::new([("a\"b", "c\\d"), ("e", "<é>")]).expect("valid"));
        assert_eq!(String::from_utf8(out).expect("text"), r#"{"a\"b":"c\\d","e":"<é>"}"#);
    }

    #[test]
    fn the_first_and_the_last_time_are_printed_as_the_model_prints_them() {
        for timestamp in [Timestamp::MIN, Timestamp::MAX, Timestamp::EPOCH] {
            assert_eq!(time(timestamp), timestamp.to_string());
        }
    }

    proptest! {
        #[test]
        fn prop_numbers_read_back(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            prop_assert_eq!(number(value).parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
        }

        #[test]
        fn prop_times_are_printed_as_the_model_prints_them(
            micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(),
            cut in prop_oneof![Just(1), Just(1_000), Just(1_000_000)],
        ) {
            let timestamp = Timestamp::clamped(micros.div_euclid(cut) * cut);
            prop_assert_eq!(time(timestamp), timestamp.to_string());
        }
    }
}
