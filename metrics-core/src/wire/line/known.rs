//! The series of lines by how they are spelled, so that lines of known series are neither parsed nor copied.

use std::sync::Arc;

use super::cursor::is_special;
use crate::model::{BatchSeries, LabelError, Labels, MetricName, SeededMap, SeriesKey};
use crate::wire::error::{RowFault, excerpt};

/// Most measurement-and-tags, and most fields of them, that are remembered before all is forgotten.
const MAX_REMEMBERED: usize = 65_536;

/// Fields of a source that are looked through one by one; those beyond are found by hash.
const FEW_FIELDS: usize = 32;

/// A measurement with its tags.
#[derive(Debug)]
struct Source {
    measurement: Arc<str>,
    labels: Labels,
    /// The fields met so far, in order: the next line of the same source has likely the same.
    fields: Vec<(Arc<[u8]>, BatchSeries)>,
}

/// A field of a measurement, and the metric that it is.
#[derive(Debug)]
struct Named {
    measurement: Arc<str>,
    key: Arc<[u8]>,
    name: MetricName,
}

/// Where a [`Source`] is remembered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SourceId(u32);

/// All sources met so far.
#[derive(Debug, Default)]
pub(super) struct KnownSeries {
    last: SourceId,
    last_spelling: Vec<u8>,
    sources: Vec<Source>,
    by_spelling: SeededMap<Box<[u8]>, SourceId>,
    /// Fields beyond the first [`FEW_FIELDS`] of a source, by the bytes of the source's id and the field's key.
    by_field: SeededMap<Box<[u8]>, BatchSeries>,
    key: Vec<u8>,
    /// The fields of new series by their places in a line: those of the next source have likely the same there.
    named: Vec<Named>,
}

impl KnownSeries {
    /// How the source found last is spelled; empty before the first.
    pub(super) fn last_spelling(&self) -> &[u8] {
        &self.last_spelling
    }

    /// The source found last.
    pub(super) fn last(&self) -> SourceId {
        self.last
    }

    /// The source of this spelling, parsed if it is new.
    ///
    /// # Errors
    /// [`RowFault`] says what is wrong with it.
    pub(super) fn find(&mut self, spelling: &[u8]) -> Result<SourceId, RowFault> {
        let id = match self.by_spelling.get(spelling) {
            Some(id) => *id,
            None => self.learn(spelling)?,
        };
        self.last = id;
        self.last_spelling.clear();
        self.last_spelling.extend_from_slice(spelling);
        Ok(id)
    }

    fn learn(&mut self, spelling: &[u8]) -> Result<SourceId, RowFault> {
        let (measurement, labels) = parse(spelling)?;
        if self.sources.len() >= MAX_REMEMBERED || self.by_field.len() >= MAX_REMEMBERED {
            *self = Self::default();
        }
        // Hosts of one kind follow each other: their measurement is kept once.
        let shared = self.sources.last().map(|source| &source.measurement).filter(|known| ***known == *measurement);
        let measurement = shared.cloned().unwrap_or_else(|| measurement.into());
        let id = SourceId(u32::try_from(self.sources.len()).expect("the sources remembered are bounded"));
        self.sources.push(Source { measurement, labels, fields: Vec::new() });
        self.by_spelling.insert(spelling.into(), id);
        Ok(id)
    }

    /// The series of a field that stood in a line before; `position` is where in the line it likely was.
    pub(super) fn field(&mut self, id: SourceId, position: usize, key: &[u8]) -> Option<BatchSeries> {
        let fields = &self.sources[id.0 as usize].fields;
        let is_it = |(known, _): &&(Arc<[u8]>, BatchSeries)| **known == *key;
        let found = fields.get(position).filter(is_it).or_else(|| fields.iter().take(FEW_FIELDS).find(is_it));
        if found.is_some() || fields.len() <= FEW_FIELDS {
            return found.map(|(_, series)| *series);
        }
        self.spell(id, key);
        self.by_field.get(self.key.as_slice()).copied()
    }

    /// Remembers the series of a field that [`Self::series_key`] gave a name for this place.
    pub(super) fn remember(&mut self, id: SourceId, position: usize, key: &[u8], series: BatchSeries) {
        let named = self.named.get(position).filter(|named| *named.key == *key);
        let shared = named.map_or_else(|| key.into(), |named| Arc::clone(&named.key));
        let fields = &mut self.sources[id.0 as usize].fields;
        fields.push((shared, series));
        if fields.len() > FEW_FIELDS {
            self.spell(id, key);
            self.by_field.insert(self.key.as_slice().into(), series);
        }
    }

    fn spell(&mut self, id: SourceId, key: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(&id.0.to_le_bytes());
        self.key.extend_from_slice(key);
    }

    /// Name and labels of a field's series, the field standing at a place in its line.
    ///
    /// # Errors
    /// [`RowFault`] when the name breaks a bound.
    pub(super) fn series_key(&mut self, id: SourceId, position: usize, key: &[u8]) -> Result<SeriesKey, RowFault> {
        let source = &self.sources[id.0 as usize];
        let is_it = |named: &&Named| *named.key == *key && named.measurement == source.measurement;
        if let Some(named) = self.named.get(position).filter(is_it) {
            return Ok(SeriesKey::new(named.name.clone(), source.labels.clone()));
        }
        let field = unescape(key, is_special).ok_or_else(|| not_utf_8("field", key))?;
        let name = match field.as_str() {
            "value" => MetricName::new(&source.measurement),
            field => MetricName::new(&format!("{}_{field}", source.measurement)),
        };
        let name = name.map_err(|error| RowFault::label(&error))?;
        let named = Named { measurement: Arc::clone(&source.measurement), key: key.into(), name: name.clone() };
        if position < self.named.len() {
            self.named[position] = named;
        } else if position == self.named.len() && position < FEW_FIELDS {
            self.named.push(named);
        }
        Ok(SeriesKey::new(name, source.labels.clone()))
    }
}

fn not_utf_8(what: &str, bytes: &[u8]) -> RowFault {
    RowFault::row(format!("the {what} {} holds bytes that are no UTF-8", excerpt(bytes)))
}

/// Measurement and tags of a spelling.
fn parse(spelling: &[u8]) -> Result<(String, Labels), RowFault> {
    let mut parts = split(spelling, b',');
    let measurement = parts.next().unwrap_or_default();
    if measurement.is_empty() {
        return Err(RowFault::row("the measurement is missing: a line is measurement,tag=a field=1.5 timestamp"));
    }
    let name = unescape(measurement, |byte| matches!(byte, b',' | b' '))
        .ok_or_else(|| not_utf_8("measurement", measurement))?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for tag in parts {
        let mut sides = split(tag, b'=');
        let (key, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if key.is_empty() || value.is_empty() || sides.next().is_some() {
            return Err(RowFault::of("tags", format!("the tag {} is not of the form key=value", excerpt(tag))));
        }
        let texts = unescape(key, is_special).zip(unescape(value, is_special));
        pairs.push(texts.ok_or_else(|| not_utf_8("tag", tag))?);
        if pairs.len() > crate::model::MAX_LABELS {
            return Err(RowFault::label(&LabelError::TooMany(pairs.len())));
        }
    }
    let labels = Labels::new(pairs).map_err(|error| RowFault::label(&error))?;
    Ok((name, labels))
}

/// The parts between separators that no backslash escapes.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut at = 0;
        while at < text.len() && text[at] != separator {
            let escape = text[at] == b'\\' && text.get(at + 1).is_some_and(|next| is_special(*next));
            at += if escape { 2 } else { 1 };
        }
        rest = text.get(at + 1..).filter(|_| at < text.len());
        Some(&text[..at])
    })
}

/// The text without the backslashes in front of bytes that need one; none when it is no UTF-8.
fn unescape(raw: &[u8], special: impl Fn(u8) -> bool) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        match after.as_bytes().first() {
            Some(&next) if special(next) => {
                plain.push(char::from(next));
                rest = &after[1..];
            }
            _ => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Some(plain)
}
