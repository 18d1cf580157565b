//! Requests in protobuf. The messages are those of opentelemetry-proto 1.x, `opentelemetry/proto/metrics/v1`; fields
//! may stand in any order, so that what is needed first is looked for first.

use super::OtlpOutcome;
use super::labels::{push_base64, push_double};
use super::store::{Collector, Kind, Metric};
use crate::encode::text::push_string;
use crate::model::{MAX_LABEL_VALUE_BYTES, Timestamp};
use crate::wire::error::{DecodeError, RowFault};
use crate::wire::protobuf::{Field, Message, ProtobufError};

/// Deepest nesting of lists in an attribute.
const MAX_DEPTH: usize = 8;

/// `ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }`
pub(super) fn decode(body: &[u8], now: Timestamp) -> Result<OtlpOutcome, DecodeError> {
    let mut collector = Collector::new(now);
    each(Message::new(body), 1, |field| resource_metrics(&mut collector, field.message()?))?;
    Ok(collector.finish())
}

/// Hands out the fields of a number.
fn each<'a>(
    mut message: Message<'a>,
    number: u64,
    mut take: impl FnMut(Field<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while let Some(field) = message.next()? {
        if field.number == number {
            take(field)?;
        }
    }
    Ok(())
}

/// `ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }`, with
/// `Resource { repeated KeyValue attributes = 1; }` and `ScopeMetrics { repeated Metric metrics = 2; }`
fn resource_metrics(collector: &mut Collector, message: Message<'_>) -> Result<(), DecodeError> {
    collector.labels.begin_resource();
    each(message, 1, |resource| {
        each(resource.message()?, 1, |attribute| {
            let (key, value) = key_value(attribute.message()?)?;
            if let Ok(value) = value {
                collector.labels.add_of_resource(key, value);
            }
            Ok(())
        })
    })?;
    each(message, 2, |scope| each(scope.message()?, 2, |field| metric(collector, field.message()?)))
}

/// `Metric { string name = 1; oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9;
/// ExponentialHistogram exponential_histogram = 10; Summary summary = 11; } }`; each of these has
/// `data_points = 1` and, where it adds up, `aggregation_temporality = 2`.
fn metric(collector: &mut Collector, mut message: Message<'_>) -> Result<(), DecodeError> {
    let (mut name, mut data) = ("", None);
    while let Some(field) = message.next()? {
        match (field.number, Kind::of_field(field.number)) {
            (1, _) => name = field.text()?,
            (_, Some(kind)) => data = Some((kind, field.message()?)),
            _ => {}
        }
    }
    let Some((kind, data)) = data else { return Ok(()) };
    let mut temporality = 0;
    if !matches!(kind, Kind::Gauge | Kind::Summary) {
        each(data, 2, |field| {
            temporality = field.varint()?;
            Ok(())
        })?;
    }
    let metric = Metric { name, kind, temporality };
    each(data, 1, |field| {
        collector.begin_point();
        data_point(collector, kind, field.message()?)?;
        collector.take_point(&metric)
    })
}

/// A data point. What all kinds have stands under the same numbers but for attributes and flags.
fn data_point(collector: &mut Collector, kind: Kind, mut message: Message<'_>) -> Result<(), ProtobufError> {
    let (attributes, flags, exemplars) = match kind {
        Kind::Gauge | Kind::Sum => (7, 8, 5),
        Kind::Histogram => (9, 10, 8),
        Kind::ExponentialHistogram => (1, 10, 11),
        Kind::Summary => (7, 8, 0),
    };
    while let Some(field) = message.next()? {
        let point = &mut collector.point;
        match field.number {
            3 => point.time_ns = field.fixed64()?,
            number if number == attributes => {
                let (key, value) = key_value(field.message()?)?;
                collector.attribute(key, value);
            }
            number if number == flags => point.flags = field.varint()?,
            number if number == exemplars => point.exemplars += 1,
            number => value(collector, kind, number, &field)?,
        }
    }
    Ok(())
}

/// What a data point of a kind says.
fn value(collector: &mut Collector, kind: Kind, number: u64, field: &Field<'_>) -> Result<(), ProtobufError> {
    let point = &mut collector.point;
    match (kind, number) {
        (Kind::Gauge | Kind::Sum, 4) => point.value = Some(field.double()?),
        (Kind::Gauge | Kind::Sum, 6) => point.value = Some(field.fixed64()?.cast_signed() as f64),
        (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 4) => point.count = field.fixed64()?,
        (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 5) => point.sum = Some(field.double()?),
        (Kind::Histogram, 6) => field.each_fixed64(|count| point.add_bucket(count))?,
        (Kind::Histogram, 7) => field.each_fixed64(|bound| point.add_bound(f64::from_bits(bound)))?,
        (Kind::Summary, 6) => {
            let (mut quantile, mut value) = (0.0, 0.0);
            let mut message = field.message()?;
            while let Some(field) = message.next()? {
                match field.number {
                    1 => quantile = field.double()?,
                    2 => value = field.double()?,
                    _ => {}
                }
            }
            point.add_quantile(quantile, value);
        }
        _ => {}
    }
    Ok(())
}

/// `KeyValue { string key = 1; AnyValue value = 2; }`, the value as a label shows it.
fn key_value(mut message: Message<'_>) -> Result<(&str, Result<String, RowFault>), ProtobufError> {
    let (mut key, mut value) = ("", None);
    while let Some(field) = message.next()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = Some(field.message()?),
            _ => {}
        }
    }
    let mut text = String::new();
    let too_deep = match value {
        Some(value) => !push_value(&mut text, value, 0)?,
        None => false,
    };
    let told = match too_deep {
        true => Err(RowFault::of("labels", format!("the attribute \"{}\" nests too deep", cut(key)))),
        false => Ok(text),
    };
    Ok((key, told))
}

fn cut(key: &str) -> String {
    key.chars().take(64).collect()
}

/// Appends an `AnyValue { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
/// ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; }`: itself at the top, as JSON
/// inside of lists. False when it is nested too deep. It ends early once no label could hold it.
fn push_value(out: &mut String, mut message: Message<'_>, depth: usize) -> Result<bool, ProtobufError> {
    let mut last = None;
    while let Some(field) = message.next()? {
        if matches!(field.number, 1..=7) {
            last = Some(field);
        }
    }
    let Some(field) = last else {
        out.push_str(if depth == 0 { "" } else { "null" });
        return Ok(true);
    };
    match field.number {
        1 if depth == 0 => out.push_str(field.text()?),
        1 => push_quoted(out, field.text()?),
        2 => out.push_str(if field.varint()? == 0 { "false" } else { "true" }),
        3 => out.push_str(&field.varint()?.cast_signed().to_string()),
        4 => push_double(out, field.double()?),
        7 if depth == 0 => push_base64(out, field.bytes()?),
        7 => {
            out.push('"');
            push_base64(out, field.bytes()?);
            out.push('"');
        }
        _ if depth == MAX_DEPTH => return Ok(false),
        number => return push_list(out, number == 6, field.message()?, depth),
    }
    Ok(true)
}

/// Appends the values of `ArrayValue { repeated AnyValue values = 1; }` or `KeyValueList { repeated KeyValue values = 1; }`.
fn push_list(out: &mut String, keyed: bool, mut list: Message<'_>, depth: usize) -> Result<bool, ProtobufError> {
    out.push(if keyed { '{' } else { '[' });
    let mut first = true;
    while let Some(field) = list.next()? {
        if out.len() > MAX_LABEL_VALUE_BYTES {
            return Ok(true);
        }
        if field.number != 1 {
            continue;
        }
        out.push_str(if std::mem::take(&mut first) { "" } else { "," });
        let mut value = Some(field.message()?);
        if keyed {
            let (mut key, mut found) = ("", None);
            let mut pair = field.message()?;
            while let Some(field) = pair.next()? {
                match field.number {
                    1 => key = field.text()?,
                    2 => found = Some(field.message()?),
                    _ => {}
                }
            }
            push_quoted(out, key);
            out.push(':');
            value = found;
        }
        match value {
            Some(value) if !push_value(out, value, depth + 1)? => return Ok(false),
            Some(_) => {}
            None => out.push_str("null"),
        }
    }
    out.push(if keyed { '}' } else { ']' });
    Ok(true)
}

/// Appends a text as JSON.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    push_string(&mut quoted, text);
    out.push_str(std::str::from_utf8(&quoted).expect("JSON is UTF-8"));
}
