//! One point's JSON object.

use std::borrow::Cow;

use crate::model::{Batch, LabelError, Labels, MAX_LABELS, MetricName, SeriesKey, Timestamp};
use crate::wire::error::{RowFault, excerpt};
use crate::wire::intern::SeriesCache;
use crate::wire::scan::{Kind, ScanError, Scanner, Text};
use crate::wire::time;

/// What a point looks like, for messages.
const EXAMPLE: &str = r#"{"timestamp":"2024-02-02T11:43:02Z","name":"temperature","value":21.5}"#;

/// Reads points into a batch.
#[derive(Debug)]
pub(super) struct PointReader {
    now: Timestamp,
    batch: Batch,
    cache: SeriesCache,
    /// Name and labels of the point at hand as they are spelled.
    spelling: Vec<u8>,
    /// The labels of the point before, which are often those of the next.
    labels: Vec<u8>,
}

/// The members of an object as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    timestamp: Option<Timestamp>,
    name: Option<Text<'a>>,
    value: Option<f64>,
    labels: Option<&'a [u8]>,
}

/// The keys of a point.
#[derive(Debug, Clone, Copy)]
enum Field {
    Timestamp,
    Name,
    Value,
    Labels,
}

impl Field {
    fn of(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"timestamp" => Self::Timestamp,
            b"name" => Self::Name,
            b"value" => Self::Value,
            b"labels" => Self::Labels,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Name => "name",
            Self::Value => "value",
            Self::Labels => "labels",
        }
    }

    /// What stands there in place of what should.
    fn fault(self, found: &str) -> RowFault {
        let required = match self {
            Self::Timestamp => "RFC 3339 text or an integer of epoch seconds, ms, us or ns is required",
            Self::Name => "a text is required",
            Self::Value => "a finite number is required",
            Self::Labels => "an object of texts such as {\"host\":\"a\"} is required",
        };
        RowFault::of(self.name(), format!("{} is {found}: {required}", self.name()))
    }
}

impl Members<'_> {
    fn has(&self, field: Field) -> bool {
        match field {
            Field::Timestamp => self.timestamp.is_some(),
            Field::Name => self.name.is_some(),
            Field::Value => self.value.is_some(),
            Field::Labels => self.labels.is_some(),
        }
    }
}

impl PointReader {
    /// A reader that gives points without a timestamp this one.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, batch: Batch::new(), cache: SeriesCache::default(), spelling: Vec::new(), labels: Vec::new() }
    }

    /// The points read so far; the next ones go to a new batch.
    pub(super) fn take_batch(&mut self) -> Batch {
        self.cache.next_batch();
        std::mem::take(&mut self.batch)
    }

    /// Reads the value that stands next, which should be a point. After a [`RowFault`] the scanner stands behind it.
    ///
    /// # Errors
    /// [`ScanError`] when it is no JSON.
    pub(super) fn read<'a>(&self, scanner: &mut Scanner<'a>) -> Result<Result<Members<'a>, RowFault>, ScanError> {
        let kind = scanner.kind()?;
        if kind != Kind::Object {
            scanner.skip()?;
            let found = kind.describe();
            return Ok(Err(RowFault::row(format!("{found} is no point: an object such as {EXAMPLE} is required"))));
        }
        scanner.enter()?;
        let mut members = Members::default();
        let mut fault = None;
        let mut first = true;
        while let Some(key) = scanner.member(&mut first)? {
            if fault.is_some() {
                scanner.skip()?;
            } else {
                fault = self.member(scanner, key, &mut members)?.err();
            }
        }
        Ok(fault.map_or(Ok(members), Err))
    }

    fn member<'a>(
        &self,
        scanner: &mut Scanner<'a>,
        key: Text<'a>,
        members: &mut Members<'a>,
    ) -> Result<Result<(), RowFault>, ScanError> {
        let field = match key.escaped {
            false => Field::of(key.raw),
            true => key.decode().ok().and_then(|key| Field::of(key.as_bytes())),
        };
        let Some(field) = field else {
            scanner.skip()?;
            return Ok(Err(RowFault::of(
                &cut(key.raw),
                "unknown field: a point has timestamp, name, value and labels",
            )));
        };
        if members.has(field) {
            scanner.skip()?;
            return Ok(Err(RowFault::of(field.name(), format!("{} is given twice", field.name()))));
        }
        Ok(match field {
            Field::Timestamp => read_timestamp(scanner)?.map(|timestamp| members.timestamp = Some(timestamp)),
            Field::Name => read_name(scanner)?.map(|name| members.name = Some(name)),
            Field::Value => read_value(scanner)?.map(|value| members.value = Some(value)),
            Field::Labels => read_labels(scanner, &self.labels)?.map(|labels| members.labels = Some(labels)),
        })
    }

    /// Takes a point into the batch.
    ///
    /// # Errors
    /// [`RowFault`] when a member is missing or breaks a bound; the batch is then as it was.
    pub(super) fn push(&mut self, members: &Members<'_>) -> Result<(), RowFault> {
        let name = members.name.ok_or_else(|| missing(Field::Name))?;
        let value = members.value.ok_or_else(|| missing(Field::Value))?;
        let labels = members.labels.unwrap_or_default();
        // Labels begin with a brace or are absent, and a quote ends the name, so that two series are never spelled alike.
        self.spelling.clear();
        self.spelling.extend_from_slice(name.raw);
        self.spelling.push(b'"');
        self.spelling.extend_from_slice(labels);
        let series = self.cache.series(&mut self.batch, &self.spelling, || series_key(name, labels))?;
        if self.labels != labels {
            self.labels.clear();
            self.labels.extend_from_slice(labels);
        }
        let timestamp = members.timestamp.unwrap_or(self.now);
        self.batch.push_sample(series, timestamp, value).map_err(|error| RowFault::of("value", error.to_string()))
    }
}

fn missing(field: Field) -> RowFault {
    RowFault::of(field.name(), format!("{} is missing: a point is an object such as {EXAMPLE}", field.name()))
}

/// Something else than what the field takes: told, and passed over.
fn other(scanner: &mut Scanner<'_>, field: Field, kind: Kind) -> Result<RowFault, ScanError> {
    let raw = scanner.skip()?;
    Ok(match kind {
        Kind::Text => field.fault(&format!("the text {}", excerpt(&raw[1..raw.len() - 1]))),
        Kind::Number => field.fault(&format!("the number {}", cut(raw))),
        Kind::NotFinite => field.fault(&cut(raw)),
        kind => field.fault(kind.describe()),
    })
}

/// The start of what a client wrote without quotes.
fn cut(raw: &[u8]) -> String {
    excerpt(raw).replace('"', "")
}

fn read_timestamp(scanner: &mut Scanner<'_>) -> Result<Result<Timestamp, RowFault>, ScanError> {
    let parsed = match scanner.kind()? {
        Kind::Text => {
            let text = scanner.text()?;
            if text.escaped {
                match text.decode() {
                    Ok(text) => Timestamp::parse(&text),
                    Err(problem) => return Ok(Err(RowFault::of("timestamp", format!("timestamp {problem}")))),
                }
            } else {
                time::parse(text.raw)
            }
        }
        Kind::Number => {
            let number = scanner.number()?;
            match number.to_i64() {
                Some(epoch) => Timestamp::from_epoch(epoch),
                None => return Ok(Err(Field::Timestamp.fault(&format!("the number {}", cut(number.raw))))),
            }
        }
        kind => return Ok(Err(other(scanner, Field::Timestamp, kind)?)),
    };
    Ok(parsed.map_err(|error| RowFault::of("timestamp", error.to_string())))
}

fn read_name<'a>(scanner: &mut Scanner<'a>) -> Result<Result<Text<'a>, RowFault>, ScanError> {
    match scanner.kind()? {
        Kind::Text => scanner.text().map(Ok),
        kind => other(scanner, Field::Name, kind).map(Err),
    }
}

fn read_value(scanner: &mut Scanner<'_>) -> Result<Result<f64, RowFault>, ScanError> {
    match scanner.kind()? {
        Kind::Number => {
            let number = scanner.number()?;
            let beyond = || format!("value {} is beyond the range of a 64-bit float, 1.8e308", cut(number.raw));
            Ok(number.to_f64().ok_or_else(|| RowFault::of("value", beyond())))
        }
        kind => other(scanner, Field::Value, kind).map(Err),
    }
}

/// The text of the labels; `before` is that of the labels that are likely to stand there.
fn read_labels<'a>(scanner: &mut Scanner<'a>, before: &[u8]) -> Result<Result<&'a [u8], RowFault>, ScanError> {
    if let Some(same) = scanner.skip_same(before) {
        return Ok(Ok(same));
    }
    match scanner.kind()? {
        Kind::Object => scanner.skip().map(Ok),
        kind => other(scanner, Field::Labels, kind).map(Err),
    }
}

fn series_key(name: Text<'_>, labels: &[u8]) -> Result<SeriesKey, RowFault> {
    let name = name.decode().map_err(|problem| RowFault::of("name", format!("name {problem}")))?;
    let name = MetricName::new(&name).map_err(|error| RowFault::label(&error))?;
    let labels = if labels.is_empty() { Labels::empty() } else { parse_labels(labels)? };
    Ok(SeriesKey::new(name, labels))
}

/// The labels of an object that was passed over before, so that it is known to be JSON.
fn parse_labels(object: &[u8]) -> Result<Labels, RowFault> {
    let pairs = label_pairs(object).map_err(|error| RowFault::of("labels", error.describe(object)))??;
    Labels::new(pairs).map_err(|error| RowFault::of("labels", error.to_string()))
}

/// The labels of an object that stands by itself.
///
/// # Errors
/// [`RowFault`] when the text is no JSON, no object of texts, or breaks a bound.
#[cfg(feature = "arrow")]
pub(in crate::wire) fn labels(text: &str) -> Result<Labels, RowFault> {
    let mut scanner = Scanner::new(text.as_bytes());
    let whole = read_labels(&mut scanner, &[]).and_then(|labels| {
        scanner.end("the end after the labels")?;
        Ok(labels)
    });
    parse_labels(whole.map_err(|error| RowFault::of("labels", error.describe(text.as_bytes())))??)
}

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn label_pairs(object: &[u8]) -> Result<Result<Pairs<'_>, RowFault>, ScanError> {
    let mut pairs = Pairs::new();
    let mut scanner = Scanner::new(object);
    scanner.kind()?;
    scanner.enter()?;
    let mut first = true;
    while let Some(key) = scanner.member(&mut first)? {
        let fault = |problem: &str| Ok(Err(RowFault::of("labels", format!("label {} {problem}", excerpt(key.raw)))));
        let kind = scanner.kind()?;
        if kind != Kind::Text {
            return fault(&format!("is {}: a text is required", kind.describe()));
        }
        match (key.decode(), scanner.text()?.decode()) {
            (Err(problem), _) | (_, Err(problem)) => return fault(problem),
            (Ok(name), _) if pairs.iter().any(|(known, _)| *known == name) => return fault("is given twice"),
            (Ok(name), Ok(value)) => pairs.push((name, value)),
        }
        if pairs.len() > MAX_LABELS {
            let error = LabelError::TooMany(pairs.len());
            return Ok(Err(RowFault::of("labels", format!("{error} (or more)"))));
        }
    }
    Ok(Ok(pairs))
}
