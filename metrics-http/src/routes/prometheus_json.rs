//! Answers in Prometheus' JSON (its `web/api/v1` and `util/jsonutil`).

use std::io::Write;

use bytes::Bytes;
use hyper::StatusCode;
use metrics_core::Timestamp;
use metrics_core::promql::{Answer, Metric};

use crate::respond::{Reply, json};

/// What an answer is told with when it was cut off.
const CUT_OFF: &str = "results truncated due to limit";

/// An answer around its data.
pub(super) fn success(data: impl FnOnce(&mut Vec<u8>), is_cut_off: bool) -> Reply {
    let mut body = br#"{"status":"success","data":"#.to_vec();
    data(&mut body);
    if is_cut_off {
        body.extend_from_slice(br#","warnings":["#);
        push_string(&mut body, CUT_OFF);
        body.push(b']');
    }
    body.push(b'}');
    json(StatusCode::OK, Bytes::from(body))
}

/// An answer of texts.
pub(super) fn texts<T: AsRef<str>>(texts: &[T], limit: usize) -> Reply {
    let shown = &texts[..limit.min(texts.len())];
    let list = |body: &mut Vec<u8>| push_list(body, b'[', shown, |body, text| push_string(body, text.as_ref()));
    success(list, shown.len() < texts.len())
}

/// The answer to a query at `time`; at most `limit` of its series.
pub(super) fn answer(answer: &Answer, time: Timestamp, limit: usize) -> Reply {
    let (kind, len) = match answer {
        Answer::Scalar(_) => ("scalar", 0),
        Answer::Text(_) => ("string", 0),
        Answer::Vector(samples) => ("vector", samples.len()),
        Answer::Matrix(series) => ("matrix", series.len()),
    };
    let data = |body: &mut Vec<u8>| {
        body.extend_from_slice(br#"{"resultType":""#);
        body.extend_from_slice(kind.as_bytes());
        body.extend_from_slice(br#"","result":"#);
        match answer {
            Answer::Scalar(value) => push_sample(body, time, *value),
            Answer::Text(text) => {
                body.push(b'[');
                push_time(body, time);
                body.push(b',');
                push_string(body, text);
                body.push(b']');
            }
            Answer::Vector(samples) => push_list(body, b'[', &samples[..limit.min(len)], |body, sample| {
                body.extend_from_slice(br#"{"metric":"#);
                push_metric(body, &sample.metric);
                body.extend_from_slice(br#","value":"#);
                push_sample(body, time, sample.value);
                body.push(b'}');
            }),
            Answer::Matrix(series) => push_list(body, b'[', &series[..limit.min(len)], |body, series| {
                body.extend_from_slice(br#"{"metric":"#);
                push_metric(body, &series.metric);
                body.extend_from_slice(br#","values":"#);
                push_list(body, b'[', &series.samples, |body, (time, value)| push_sample(body, *time, *value));
                body.push(b'}');
            }),
        }
        body.push(b'}');
    };
    success(data, len > limit)
}

/// Appends the items between commas and brackets.
pub(super) fn push_list<T>(
    body: &mut Vec<u8>,
    open: u8,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    body.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        push(body, item);
    }
    // `[` and `]`, `{` and `}` stand two apart in ASCII.
    body.push(open + 2);
}

/// Appends name and labels as an object.
pub(super) fn push_metric(body: &mut Vec<u8>, metric: &Metric) {
    push_list(body, b'{', metric.pairs(), |body, (label, value)| {
        push_string(body, label);
        body.push(b':');
        push_string(body, value);
    });
}

pub(super) fn push_string(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("writing to memory does not fail");
}

fn push_sample(body: &mut Vec<u8>, time: Timestamp, value: f64) {
    body.push(b'[');
    push_time(body, time);
    body.extend_from_slice(b",\"");
    push_value(body, value);
    body.extend_from_slice(b"\"]");
}

/// Seconds with three decimals, six where microseconds say something, or none.
fn push_time(body: &mut Vec<u8>, time: Timestamp) {
    let micros = time.micros().unsigned_abs();
    let sign = if time.micros() < 0 { "-" } else { "" };
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let written = match fraction {
        0 => write!(body, "{sign}{seconds}"),
        _ if fraction % 1_000 == 0 => write!(body, "{sign}{seconds}.{:03}", fraction / 1_000),
        _ => write!(body, "{sign}{seconds}.{fraction:06}"),
    };
    written.expect("writing to memory does not fail");
}

/// The fewest digits that read back the same, with an exponent where Prometheus writes one.
fn push_value(body: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    let written = if value.is_nan() {
        body.write_all(b"NaN")
    } else if value.is_infinite() {
        body.write_all(if value > 0.0 { b"+Inf" } else { b"-Inf" })
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(body, "{digits}e+{exponent}"),
            _ => body.write_all(text.as_bytes()),
        }
    } else {
        write!(body, "{value}")
    };
    written.expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_prometheus_writes_them() {
        for (value, expected) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut body = Vec::new();
            push_value(&mut body, value);
            assert_eq!(String::from_utf8(body).expect("ASCII"), expected);
        }
    }

    #[test]
    fn times_are_seconds_with_as_many_decimals_as_they_need() {
        for (micros, expected) in [
            (1_706_874_182_000_000, "1706874182"),
            (1_706_874_182_099_000, "1706874182.099"),
            (1_706_874_182_000_007, "1706874182.000007"),
            (-1_500_000, "-1.500"),
            (0, "0"),
        ] {
            let mut body = Vec::new();
            push_time(&mut body, Timestamp::clamped(micros));
            assert_eq!(String::from_utf8(body).expect("ASCII"), expected);
        }
    }

    #[test]
    fn a_list_that_is_cut_off_says_so() {
        let body = |limit| {
            String::from_utf8(texts(&["a", "b\""], limit).body().whole().expect("not streamed").to_vec()).expect("JSON")
        };
        assert_eq!(body(2), r#"{"status":"success","data":["a","b\""]}"#);
        assert_eq!(body(1), r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#);
    }
}
