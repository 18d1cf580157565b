//! Frames and lists of series as JSON.

use super::text::{push_count, push_labels, push_number, push_string};
use super::{EncodeOptions, EpochUnit};
use crate::model::{ColumnKind, Explain, Frame, FrameSeries, SeriesInfo};

/// Writes a frame by column: `{"from","to","per","tz","series":[{"name","labels","time":[…],"avg":[…]}]}`.
///
/// A series with quantiles has `"quantiles":{"p95":"exact"}` (or `"sketch"`). With times as integers, `"epoch"` names
/// their unit before the first of them. `"explain"` follows the series when the frame has it.
/// A window without a value, and a value that is not finite, are null.
pub fn frame(frame: &Frame, options: &EncodeOptions) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + frame.series.iter().map(estimated_bytes).sum::<usize>());
    out.push(b'{');
    if let Some(unit) = options.epoch.name() {
        out.extend_from_slice(b"\"epoch\":");
        push_string(&mut out, unit);
        out.push(b',');
    }
    out.extend_from_slice(b"\"from\":");
    options.epoch.push_json(&mut out, frame.from);
    out.extend_from_slice(b",\"to\":");
    options.epoch.push_json(&mut out, frame.to);
    out.extend_from_slice(b",\"per\":");
    push_string(&mut out, &frame.per);
    out.extend_from_slice(b",\"tz\":");
    push_string(&mut out, frame.zone.name());
    out.extend_from_slice(b",\"series\":");
    push_list(&mut out, &frame.series, |out, series| push_series(out, series, options.epoch));
    if let Some(explain) = &frame.explain {
        push_explain(&mut out, explain);
    }
    out.push(b'}');
    out
}

fn estimated_bytes(series: &FrameSeries) -> usize {
    128 + series.time.len() * (23 + 12 * series.columns.len())
}

fn push_list<T>(out: &mut Vec<u8>, items: &[T], mut push: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

fn push_series(out: &mut Vec<u8>, series: &FrameSeries, epoch: EpochUnit) {
    out.extend_from_slice(b"{\"name\":");
    push_string(out, series.name.as_str());
    out.extend_from_slice(b",\"labels\":");
    push_labels(out, &series.labels);
    out.extend_from_slice(b",\"time\":");
    push_list(out, &series.time, |out, timestamp| epoch.push_json(out, *timestamp));
    let mut quantiles = Vec::new();
    for column in &series.columns {
        out.push(b',');
        push_string(out, &column.kind.to_string());
        out.push(b':');
        push_list(out, &column.values, |out, value| push_number(out, value.unwrap_or(f64::NAN)));
        if matches!(column.kind, ColumnKind::Aggregate(aggregate) if aggregate.quantile().is_some()) {
            quantiles.push((column.kind.to_string(), column.exactness.to_string()));
        }
    }
    for (at, (name, exactness)) in quantiles.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b",\"quantiles\":{" } else { b"," });
        push_string(out, name);
        out.push(b':');
        push_string(out, exactness);
    }
    out.extend_from_slice(if quantiles.is_empty() { b"}" } else { b"}}" });
}

fn push_explain(out: &mut Vec<u8>, explain: &Explain) {
    out.extend_from_slice(b",\"explain\":{\"tiers\":");
    push_list(out, &explain.tiers, |out, tier| {
        out.extend_from_slice(b"{\"tier\":");
        push_string(out, tier.tier);
        out.extend_from_slice(b",\"rows\":");
        push_count(out, tier.rows);
        out.extend_from_slice(b",\"chunks\":");
        push_count(out, tier.chunks);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"series\":");
    push_count(out, explain.series);
    out.extend_from_slice(b",\"elapsed_us\":");
    push_count(out, explain.elapsed_us);
    out.push(b'}');
}

/// Writes what the store knows of series: `[{"name","labels","first","last","last_value","count"}]`.
pub fn series(list: &[SeriesInfo]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + list.len() * 128);
    push_list(&mut out, list, |out, info| {
        push_key(out, info);
        out.extend_from_slice(b",\"first\":");
        EpochUnit::Rfc3339.push_json(out, info.first);
        out.extend_from_slice(b",\"last\":");
        EpochUnit::Rfc3339.push_json(out, info.last);
        out.extend_from_slice(b",\"last_value\":");
        push_number(out, info.last_value);
        out.extend_from_slice(b",\"count\":");
        push_count(out, info.count);
        out.push(b'}');
    });
    out
}

/// Writes the latest point of series: `[{"name","labels","timestamp","value"}]`.
pub fn latest(list: &[SeriesInfo]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + list.len() * 128);
    push_list(&mut out, list, |out, info| {
        push_key(out, info);
        out.extend_from_slice(b",\"timestamp\":");
        EpochUnit::Rfc3339.push_json(out, info.last);
        out.extend_from_slice(b",\"value\":");
        push_number(out, info.last_value);
        out.push(b'}');
    });
    out
}

fn push_key(out: &mut Vec<u8>, info: &SeriesInfo) {
    out.extend_from_slice(b"{\"name\":");
    push_string(out, info.key.name.as_str());
    out.extend_from_slice(b",\"labels\":");
    push_labels(out, &info.key.labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::fixture;
    use crate::model::{Labels, MetricName, SeriesKey, Timestamp};

    fn text(frame: &Frame, epoch: EpochUnit) -> String {
        String::from_utf8(super::frame(frame, &EncodeOptions { epoch })).expect("JSON is UTF-8")
    }

    #[test]
    fn a_frame_is_written_by_column() {
        assert_eq!(
            text(&fixture::frame(), EpochUnit::Rfc3339),
            concat!(
                r#"{"from":"2024-02-02T00:00:00Z","to":"2024-02-02T03:00:00Z","per":"hour","tz":"Europe/Berlin","series":["#,
                r#"{"name":"cpu","labels":{},"time":["2024-02-02T00:00:00Z","2024-02-02T01:00:00Z"],"#,
                r#""avg":[1.5,null],"count":[2,0],"p95":[3,null],"quantiles":{"p95":"sketch"}},"#,
                r#"{"name":"cpu","labels":{"dc":"eu","host":"a,\"b\""},"time":["2024-02-02T02:00:00.000001Z"],"#,
                r#""avg":[1e+300],"count":[9007199254740991],"p95":[-0.25],"quantiles":{"p95":"exact"}}"#,
                r#"],"explain":{"tiers":[{"tier":"hour","rows":3,"chunks":1}],"series":2,"elapsed_us":417}}"#
            )
        );
    }

    #[test]
    fn epoch_times_are_integers_and_name_their_unit() {
        let mut frame = fixture::frame();
        frame.series.truncate(1);
        let text = text(&frame, EpochUnit::Millis);
        assert!(text.starts_with(r#"{"epoch":"ms","from":1706832000000,"to":1706842800000,"#), "{text}");
        assert!(text.contains(r#""time":[1706832000000,1706835600000],"#), "{text}");
    }

    #[test]
    fn an_empty_frame_has_an_empty_list_and_no_explanation() {
        let frame = Frame { series: Vec::new(), explain: None, ..fixture::frame() };
        assert!(text(&frame, EpochUnit::Micros).ends_with(r#""tz":"Europe/Berlin","series":[]}"#));
    }

    #[test]
    fn two_quantiles_stand_in_one_object() {
        let mut frame = fixture::frame();
        let columns = &mut frame.series[0].columns;
        let mut median = columns[2].clone();
        median.kind = ColumnKind::Aggregate("median".parse().expect("an aggregate"));
        columns.push(median);
        let text = text(&frame, EpochUnit::Rfc3339);
        assert!(text.contains(r#""quantiles":{"p95":"sketch","median":"sketch"}}"#), "{text}");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }

    #[test]
    fn lists_of_series() {
        let info = SeriesInfo {
            key: SeriesKey::new(MetricName::new("cpu").expect("valid"), Labels::new([("host", "a")]).expect("valid")),
            first: Timestamp::EPOCH,
            last: Timestamp::parse("2024-02-02T11:43:02.099Z").expect("valid"),
            last_value: 30.0,
            count: 2,
        };
        let list = [info.clone(), info];
        let one = r#"{"name":"cpu","labels":{"host":"a"},"first":"1970-01-01T00:00:00Z","last":"2024-02-02T11:43:02.099Z","last_value":30,"count":2}"#;
        assert_eq!(String::from_utf8(series(&list)).expect("text"), format!("[{one},{one}]"));
        let one = r#"{"name":"cpu","labels":{"host":"a"},"timestamp":"2024-02-02T11:43:02.099Z","value":30}"#;
        assert_eq!(String::from_utf8(latest(&list[..1])).expect("text"), format!("[{one}]"));
        assert_eq!(series(&[]), b"[]");
    }
}
