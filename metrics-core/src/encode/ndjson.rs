//! Frames as NDJSON.

use super::EncodeOptions;
use super::text::{push_labels, push_number, push_string};
use crate::model::Frame;

/// Writes a frame as one object a row, `{"time","name","labels",…}` with a member for each column; series by series.
/// A window without a value, and a value that is not finite, are null.
pub fn frame(frame: &Frame, options: &EncodeOptions) -> Vec<u8> {
    let mut out = Vec::new();
    for series in &frame.series {
        let mut key = b",\"name\":".to_vec();
        push_string(&mut key, series.name.as_str());
        key.extend_from_slice(b",\"labels\":");
        push_labels(&mut key, &series.labels);
        let columns: Vec<_> =
            series.columns.iter().map(|column| (format!(",\"{}\":", column.kind), &column.values)).collect();
        for (row, timestamp) in series.time.iter().enumerate() {
            out.extend_from_slice(b"{\"time\":");
            options.epoch.push_json(&mut out, *timestamp);
            out.extend_from_slice(&key);
            for (name, values) in &columns {
                out.extend_from_slice(name.as_bytes());
                push_number(&mut out, values[row].unwrap_or(f64::NAN));
            }
            out.extend_from_slice(b"}\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{EpochUnit, fixture};

    #[test]
    fn each_row_is_an_object_of_its_own() {
        let text = String::from_utf8(frame(&fixture::frame(), &EncodeOptions::default())).expect("JSON is UTF-8");
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                r#"{"time":"2024-02-02T00:00:00Z","name":"cpu","labels":{},"avg":1.5,"count":2,"p95":3}"#,
                r#"{"time":"2024-02-02T01:00:00Z","name":"cpu","labels":{},"avg":null,"count":0,"p95":null}"#,
                concat!(
                    r#"{"time":"2024-02-02T02:00:00.000001Z","name":"cpu","labels":{"dc":"eu","host":"a,\"b\""},"#,
                    r#""avg":1e+300,"count":9007199254740991,"p95":-0.25}"#
                ),
            ]
        );
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn epoch_times_are_integers() {
        let out = frame(&fixture::frame(), &EncodeOptions { epoch: EpochUnit::Micros });
        assert!(out.starts_with(b"{\"time\":1706832000000000,\"name\""));
    }
}
