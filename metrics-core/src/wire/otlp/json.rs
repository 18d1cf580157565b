//! Requests in JSON: protobuf's mapping (protobuf.dev/programming-guides/json) with numbers for enums. Whole numbers of
//! 64 bits are texts or numbers, unknown members are passed over, null is as good as absent. Members may stand in any
//! order, so that what is needed first is looked for first.

use super::OtlpOutcome;
use super::labels::push_double;
use super::protobuf::push_quoted;
use super::store::{Collector, Kind, Metric};
use crate::model::Timestamp;
use crate::wire::error::{DecodeError, Place, strip_mark};
use crate::wire::scan::{Kind as Json, ScanError, Scanner, Text};

/// The one member of a request.
const RESOURCE_METRICS: &[u8] = b"resourceMetrics";

/// Whether a JSON body is a request of OTLP, by its first keys; it need not be whole.
pub fn is_export(body: &[u8]) -> bool {
    let mut scanner = Scanner::new(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
    if scanner.kind() != Ok(Json::Object) || scanner.enter().is_err() {
        return false;
    }
    let mut first = true;
    while let Ok(Some(key)) = scanner.member(&mut first) {
        match key.raw {
            RESOURCE_METRICS => return true,
            // A point of our own: no need to look at all of it.
            b"timestamp" | b"name" | b"value" | b"labels" => return false,
            _ if scanner.skip().is_err() => return false,
            _ => {}
        }
    }
    false
}

/// Why reading ended.
enum Stop {
    Scan(ScanError),
    Full(DecodeError),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Full(error)
    }
}

pub(super) fn decode(body: &[u8], now: Timestamp) -> Result<OtlpOutcome, DecodeError> {
    let body = strip_mark(body)?;
    let mut collector = Collector::new(now);
    let mut scanner = Scanner::new(body);
    let read = members(&mut scanner, |key, scanner| match key {
        RESOURCE_METRICS => elements(scanner, |scanner| resource_metrics(&mut collector, scanner)),
        _ => skip(scanner),
    });
    let read = read.and_then(|()| Ok(scanner.end("the end after the request")?));
    match read {
        Ok(()) => Ok(collector.finish()),
        Err(Stop::Scan(error)) => Err(DecodeError::Syntax { place: Place::Body, message: error.describe(body) }),
        Err(Stop::Full(error)) => Err(error),
    }
}

fn skip(scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    scanner.skip()?;
    Ok(())
}

/// Hands out the members of the object that stands next; null has none.
fn members<'a>(
    scanner: &mut Scanner<'a>,
    mut take: impl FnMut(&'a [u8], &mut Scanner<'a>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    match scanner.kind()? {
        Json::Object => scanner.enter()?,
        Json::Null => return skip(scanner),
        _ => return Err(scanner.error("an object").into()),
    }
    let mut first = true;
    while let Some(key) = scanner.member(&mut first)? {
        take(key.raw, scanner)?;
    }
    Ok(())
}

/// Hands out the elements of the array that stands next; null has none.
fn elements<'a>(
    scanner: &mut Scanner<'a>,
    mut take: impl FnMut(&mut Scanner<'a>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    match scanner.kind()? {
        Json::Array => scanner.enter()?,
        Json::Null => return skip(scanner),
        _ => return Err(scanner.error("an array").into()),
    }
    let mut first = true;
    while scanner.element(&mut first)? {
        take(scanner)?;
    }
    Ok(())
}

/// Remembers where a value stands and passes over it.
fn later<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Scanner<'a>>, Stop> {
    let place = scanner.clone();
    skip(scanner)?;
    Ok(Some(place))
}

fn resource_metrics<'a>(collector: &mut Collector, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
    collector.labels.begin_resource();
    let mut scopes = None;
    members(scanner, |key, scanner| match key {
        b"resource" => members(scanner, |key, scanner| match key {
            b"attributes" => attributes(scanner, |key, value| {
                collector.labels.add_of_resource(&key, value);
            }),
            _ => skip(scanner),
        }),
        b"scopeMetrics" => {
            scopes = later(scanner)?;
            Ok(())
        }
        _ => skip(scanner),
    })?;
    let Some(mut scopes) = scopes else { return Ok(()) };
    elements(&mut scopes, |scanner| {
        members(scanner, |key, scanner| match key {
            b"metrics" => elements(scanner, |scanner| metric(collector, scanner)),
            _ => skip(scanner),
        })
    })
}

fn metric<'a>(collector: &mut Collector, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
    let (mut name, mut data) = (String::new(), None);
    members(scanner, |key, scanner| {
        match (key, Kind::of_member(key)) {
            (b"name", _) => name = plain_text(scanner)?,
            (_, Some(kind)) => data = later(scanner)?.map(|place| (kind, place)),
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    let Some((kind, mut data)) = data else { return Ok(()) };
    let (mut temporality, mut points) = (0, None);
    members(&mut data, |key, scanner| {
        match key {
            b"aggregationTemporality" => temporality = read_temporality(scanner)?,
            b"dataPoints" => points = later(scanner)?,
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    let Some(mut points) = points else { return Ok(()) };
    let metric = Metric { name: &name, kind, temporality };
    elements(&mut points, |scanner| {
        collector.begin_point();
        data_point(collector, scanner)?;
        Ok(collector.take_point(&metric)?)
    })
}

/// A data point of any kind: no member means different things in two of them.
fn data_point<'a>(collector: &mut Collector, scanner: &mut Scanner<'a>) -> Result<(), Stop> {
    members(scanner, |key, scanner| {
        let point = &mut collector.point;
        match key {
            b"attributes" => attributes(scanner, |key, value| collector.attribute(&key, Ok(value)))?,
            b"timeUnixNano" => point.time_ns = whole(scanner)?.unwrap_or(0),
            b"flags" => point.flags = whole(scanner)?.unwrap_or(0),
            b"exemplars" => elements(scanner, |scanner| {
                point.exemplars += 1;
                skip(scanner)
            })?,
            b"asDouble" => point.value = double(scanner)?,
            b"asInt" => point.value = whole(scanner)?.map(|number: i64| number as f64),
            b"count" => point.count = whole(scanner)?.unwrap_or(0),
            b"sum" => point.sum = double(scanner)?,
            b"bucketCounts" => elements(scanner, |scanner| {
                let count = whole(scanner)?;
                point.add_bucket(count.unwrap_or(0));
                Ok(())
            })?,
            b"explicitBounds" => elements(scanner, |scanner| {
                let bound = double(scanner)?;
                point.add_bound(bound.unwrap_or(0.0));
                Ok(())
            })?,
            b"quantileValues" => elements(scanner, |scanner| {
                let (mut quantile, mut value) = (None, None);
                members(scanner, |key, scanner| {
                    match key {
                        b"quantile" => quantile = double(scanner)?,
                        b"value" => value = double(scanner)?,
                        _ => skip(scanner)?,
                    }
                    Ok(())
                })?;
                point.add_quantile(quantile.unwrap_or(0.0), value.unwrap_or(0.0));
                Ok(())
            })?,
            _ => skip(scanner)?,
        }
        Ok(())
    })
}

/// Hands out attributes as labels show them.
fn attributes(scanner: &mut Scanner<'_>, mut take: impl FnMut(String, String)) -> Result<(), Stop> {
    elements(scanner, |scanner| {
        let (mut key, mut value) = (String::new(), String::new());
        members(scanner, |member, scanner| {
            match member {
                b"key" => key = plain_text(scanner)?,
                b"value" => {
                    value.clear();
                    push_value(&mut value, scanner, true)?;
                }
                _ => skip(scanner)?,
            }
            Ok(())
        })?;
        take(key, value);
        Ok(())
    })
}

/// Appends an `AnyValue`: itself at the top, as JSON inside of lists. The scanner bounds how deep it may be.
fn push_value(out: &mut String, scanner: &mut Scanner<'_>, top: bool) -> Result<(), Stop> {
    let start = out.len();
    members(scanner, |key, scanner| {
        out.truncate(start);
        match key {
            b"stringValue" | b"bytesValue" if top => out.push_str(&plain_text(scanner)?),
            b"stringValue" | b"bytesValue" => push_quoted(out, &plain_text(scanner)?),
            b"boolValue" => match scanner.skip()? {
                b"true" => out.push_str("true"),
                _ => out.push_str("false"),
            },
            b"intValue" => out.push_str(&whole::<i64>(scanner)?.unwrap_or(0).to_string()),
            b"doubleValue" => push_double(out, double(scanner)?.unwrap_or(0.0)),
            b"arrayValue" | b"kvlistValue" => {
                let keyed = key == b"kvlistValue";
                members(scanner, |key, scanner| match key {
                    b"values" => push_list(out, keyed, scanner),
                    _ => skip(scanner),
                })?;
            }
            _ => skip(scanner)?,
        }
        Ok(())
    })?;
    if out.len() == start && !top {
        out.push_str("null");
    }
    Ok(())
}

fn push_list(out: &mut String, keyed: bool, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    let mut first = true;
    out.push(if keyed { '{' } else { '[' });
    elements(scanner, |scanner| {
        if out.len() > crate::model::MAX_LABEL_VALUE_BYTES {
            return skip(scanner);
        }
        out.push_str(if std::mem::take(&mut first) { "" } else { "," });
        if !keyed {
            return push_value(out, scanner, false);
        }
        let (mut key, mut value) = (String::new(), "null".to_owned());
        members(scanner, |member, scanner| {
            match member {
                b"key" => key = plain_text(scanner)?,
                b"value" => {
                    value.clear();
                    push_value(&mut value, scanner, false)?;
                }
                _ => skip(scanner)?,
            }
            Ok(())
        })?;
        push_quoted(out, &key);
        out.push(':');
        out.push_str(&value);
        Ok(())
    })?;
    out.push(if keyed { '}' } else { ']' });
    Ok(())
}

/// A text; empty for null.
fn plain_text(scanner: &mut Scanner<'_>) -> Result<String, Stop> {
    match scanner.kind()? {
        Json::Text => {
            let before = scanner.clone();
            let text = scanner.text()?.decode().map(std::borrow::Cow::into_owned);
            text.map_err(|_| before.error("a text in UTF-8").into())
        }
        Json::Null => skip(scanner).map(|()| String::new()),
        _ => Err(scanner.error("a text").into()),
    }
}

/// 1 for deltas, 2 for cumulative values: the number, or the name that other writers of protobuf's JSON print.
fn read_temporality(scanner: &mut Scanner<'_>) -> Result<u64, Stop> {
    if scanner.kind()? == Json::Text {
        return Ok(match scanner.clone().text()?.raw {
            b"AGGREGATION_TEMPORALITY_DELTA" => skip(scanner).map(|()| 1)?,
            b"AGGREGATION_TEMPORALITY_CUMULATIVE" => skip(scanner).map(|()| 2)?,
            _ => whole(scanner)?.unwrap_or(0),
        });
    }
    Ok(whole(scanner)?.unwrap_or(0))
}

/// A whole number, as a number or a text; none for null.
fn whole<T: TryFrom<i128>>(scanner: &mut Scanner<'_>) -> Result<Option<T>, Stop> {
    let before = scanner.clone();
    let number = match scanner.kind()? {
        Json::Null => return skip(scanner).map(|()| None),
        Json::Number => parse_whole(scanner.number()?.raw),
        Json::Text => {
            let Text { raw, .. } = scanner.text()?;
            parse_whole(raw)
        }
        _ => None,
    };
    let number = number.and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| before.error("a whole number of 64 bits").into())
}

/// Digits, or the form with point or exponent that some writers give to large numbers.
fn parse_whole(digits: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(digits).ok()?;
    let exact = |number: f64| (number.fract() == 0.0 && number.abs() < 2f64.powi(64)).then_some(number as i128);
    text.parse().ok().or_else(|| text.parse().ok().and_then(exact))
}

/// A number, as a number or a text; none for null.
fn double(scanner: &mut Scanner<'_>) -> Result<Option<f64>, Stop> {
    let before = scanner.clone();
    let number = match scanner.kind()? {
        Json::Null => return skip(scanner).map(|()| None),
        Json::Number => scanner.number()?.to_f64(),
        Json::Text => match scanner.text()?.raw {
            b"NaN" => Some(f64::NAN),
            b"Infinity" => Some(f64::INFINITY),
            b"-Infinity" => Some(f64::NEG_INFINITY),
            digits => std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()),
        },
        _ => None,
    };
    number.map(Some).ok_or_else(|| before.error("a number").into())
}
