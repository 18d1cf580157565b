//! Frames as CSV (RFC 4180, lines ended by a line feed).

use std::collections::BTreeSet;

use super::EncodeOptions;
use super::text::push_number;
use crate::model::{ColumnKind, Frame, FrameSeries};

/// Writes a frame with the header `time,name,<labels>,<columns>` and one row per time of each series.
///
/// The labels are those of all series, sorted; a series without one has an empty cell, and so has a window without a
/// value. Values that are not finite are `NaN`, `+Inf` and `-Inf`. A label named like another column of the header is
/// headed `label.<name>`.
pub fn frame(frame: &Frame, options: &EncodeOptions) -> Vec<u8> {
    let labels: BTreeSet<&str> =
        frame.series.iter().flat_map(|series| series.labels.iter().map(|(name, _)| name)).collect();
    let columns = columns(frame);
    let mut out = header(&labels, &columns);
    for series in &frame.series {
        let key = key_cells(series, &labels);
        let values: Vec<_> = columns.iter().map(|kind| series.column_of(*kind)).collect();
        for (row, timestamp) in series.time.iter().enumerate() {
            options.epoch.push(&mut out, *timestamp);
            out.extend_from_slice(&key);
            for values in &values {
                out.push(b',');
                if let Some(value) = values.and_then(|values| values[row]) {
                    push_value(&mut out, value);
                }
            }
            out.push(b'\n');
        }
    }
    out
}

/// The columns of all series in order of their first appearance.
fn columns(frame: &Frame) -> Vec<ColumnKind> {
    let mut kinds = Vec::new();
    for column in frame.series.iter().flat_map(|series| &series.columns) {
        if !kinds.contains(&column.kind) {
            kinds.push(column.kind);
        }
    }
    kinds
}

fn header(labels: &BTreeSet<&str>, columns: &[ColumnKind]) -> Vec<u8> {
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let mut out = b"time,name".to_vec();
    for label in labels {
        out.push(b',');
        if matches!(*label, "time" | "name") || columns.iter().any(|column| column == label) {
            push_cell(&mut out, &format!("label.{label}"));
        } else {
            push_cell(&mut out, label);
        }
    }
    for column in &columns {
        out.push(b',');
        out.extend_from_slice(column.as_bytes());
    }
    out.push(b'\n');
    out
}

/// The cells between time and values, which all rows of a series share, with the comma in front of each.
fn key_cells(series: &FrameSeries, labels: &BTreeSet<&str>) -> Vec<u8> {
    let mut out = b",".to_vec();
    push_cell(&mut out, series.name.as_str());
    for label in labels {
        out.push(b',');
        push_cell(&mut out, series.labels.get(label).unwrap_or_default());
    }
    out
}

/// A text, in quotes where it holds a comma, a quote, a line's end, or blanks at its ends that readers may trim.
pub(crate) fn push_cell(out: &mut Vec<u8>, text: &str) {
    if text.contains([',', '"', '\n', '\r']) || text.trim().len() < text.len() {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

pub(crate) fn push_value(out: &mut Vec<u8>, value: f64) {
    match value {
        _ if value.is_finite() => push_number(out, value),
        _ if value.is_nan() => out.extend_from_slice(b"NaN"),
        _ if value > 0.0 => out.extend_from_slice(b"+Inf"),
        _ => out.extend_from_slice(b"-Inf"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{EpochUnit, fixture};
    use crate::model::Labels;

    fn lines(frame: &Frame, epoch: EpochUnit) -> Vec<String> {
        let text = String::from_utf8(super::frame(frame, &EncodeOptions { epoch })).expect("CSV is UTF-8");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn labels_of_all_series_are_columns() {
        assert_eq!(
            lines(&fixture::frame(), EpochUnit::Rfc3339),
            [
                "time,name,dc,host,avg,count,p95",
                "2024-02-02T00:00:00Z,cpu,,,1.5,2,3",
                "2024-02-02T01:00:00Z,cpu,,,,0,",
                "2024-02-02T02:00:00.000001Z,cpu,eu,\"a,\"\"b\"\"\",1e+300,9007199254740991,-0.25",
            ]
        );
    }

    #[test]
    fn epoch_times_are_integers() {
        assert_eq!(lines(&fixture::frame(), EpochUnit::Millis)[1], "1706832000000,cpu,,,1.5,2,3");
    }

    #[test]
    fn what_is_not_finite_has_words() {
        let mut frame = fixture::frame();
        frame.series[0].columns[0].values = vec![Some(f64::NAN), Some(f64::NEG_INFINITY)];
        frame.series[1].columns[0].values = vec![Some(f64::INFINITY)];
        let lines = lines(&frame, EpochUnit::Rfc3339);
        assert!(
            lines[1].ends_with(",NaN,2,3") && lines[2].ends_with(",-Inf,0,") && lines[3].contains(",+Inf,"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_label_named_like_a_column_is_told_apart() {
        let mut frame = fixture::frame();
        frame.series[1].labels = Labels::new([("avg", "1"), ("time", "2"), ("zone", " x")]).expect("valid");
        let lines = lines(&frame, EpochUnit::Rfc3339);
        assert_eq!(lines[0], "time,name,label.avg,label.time,zone,avg,count,p95");
        assert!(lines[3].contains(",cpu,1,2,\" x\",1e+300,"), "{lines:?}");
    }

    #[test]
    fn a_series_without_a_column_of_the_others_has_empty_cells() {
        let mut frame = fixture::frame();
        frame.series[0].columns.truncate(1);
        assert_eq!(lines(&frame, EpochUnit::Rfc3339)[1], "2024-02-02T00:00:00Z,cpu,,,1.5,,");
    }

    #[test]
    fn an_empty_frame_is_a_header() {
        let frame = Frame { series: Vec::new(), ..fixture::frame() };
        assert_eq!(lines(&frame, EpochUnit::Rfc3339), ["time,name"]);
    }
}
