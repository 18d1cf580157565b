//! A query's answer in JSON, read back: the inverse of [`crate::encode::json::frame`], for clients.

use chrono_tz::Tz;

use super::error::excerpt;
use super::scan::{Kind, ScanError, Scanner};
use crate::encode::EpochUnit;
use crate::model::{
    Aggregate, Column, ColumnKind, Exactness, Explain, Frame, FrameSeries, Labels, MetricName, TierUse, Timestamp,
};

/// The tiers that a store names; a newer server's others are read as the last.
const TIERS: [&str; 7] = ["memory", "raw", "minute", "quarter", "hour", "day", "other"];

/// Why a text is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameDecodeError {
    /// It is no JSON, or the JSON of something else.
    #[error("the answer is no frame: {0}")]
    Syntax(String),
    /// A member is absent.
    #[error("the answer is no frame: \"{0}\" is missing")]
    Missing(&'static str),
    /// A member holds what it cannot hold.
    #[error("the answer is no frame: {member} {problem}")]
    Member {
        /// The member's name.
        member: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A column has more or fewer values than its series has times.
    #[error("the answer is no frame: column {column} has {values} values, its series {times} times")]
    Length {
        /// The column's name.
        column: String,
        /// How many values it has.
        values: usize,
        /// How many it should have.
        times: usize,
    },
}

/// Either the text is no JSON, whose place is worked out at the end, or its content is wrong.
enum Problem {
    Scan(ScanError),
    Content(FrameDecodeError),
}

impl From<ScanError> for Problem {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<FrameDecodeError> for Problem {
    fn from(error: FrameDecodeError) -> Self {
        Self::Content(error)
    }
}

type Read<T> = Result<T, Problem>;

/// Reads what [`crate::encode::json::frame`] writes. Members that it does not know, as newer servers may add, are passed over.
///
/// # Errors
/// [`FrameDecodeError`] says what is wrong.
///
/// ```
/// let text = br#"{"from":"2024-02-02T00:00:00Z","to":"2024-02-03T00:00:00Z","per":"day","tz":"UTC","series":[
///     {"name":"cpu","labels":{},"time":["2024-02-02T00:00:00Z"],"avg":[0.5]}]}"#;
/// let frame = metrics_core::wire::frame::decode(text).unwrap();
/// assert_eq!(frame.series[0].columns[0].values, [Some(0.5)]);
/// ```
pub fn decode(json: &[u8]) -> Result<Frame, FrameDecodeError> {
    let mut scanner = Scanner::new(json);
    let frame =
        FrameReader { unit: None }.frame(&mut scanner).and_then(|frame| Ok(scanner.end("the end").map(|()| frame)?));
    frame.map_err(|problem| match problem {
        Problem::Scan(error) => FrameDecodeError::Syntax(error.describe(json)),
        Problem::Content(error) => error,
    })
}

/// Reads members of an object until its end, each by its key.
fn object<'a>(
    scanner: &mut Scanner<'a>,
    what: &str,
    mut member: impl FnMut(&mut Scanner<'a>, &str) -> Read<()>,
) -> Read<()> {
    expect(scanner, what, Kind::Object)?;
    scanner.enter()?;
    let mut first = true;
    while let Some(key) = scanner.member(&mut first)? {
        let key = key.decode().map_err(|problem| wrong(what, problem))?;
        member(scanner, &key)?;
    }
    Ok(())
}

/// Reads elements of an array until its end.
fn array<'a, T>(
    scanner: &mut Scanner<'a>,
    what: &str,
    mut element: impl FnMut(&mut Scanner<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    expect(scanner, what, Kind::Array)?;
    scanner.enter()?;
    let mut all = Vec::new();
    let mut first = true;
    while scanner.element(&mut first)? {
        all.push(element(scanner)?);
    }
    Ok(all)
}

fn expect(scanner: &mut Scanner<'_>, what: &str, kind: Kind) -> Read<()> {
    match scanner.kind()? {
        found if found == kind => Ok(()),
        found => Err(wrong(what, format!("is {}: {} is required", found.describe(), kind.describe()))),
    }
}

fn wrong(member: &str, problem: impl ToString) -> Problem {
    FrameDecodeError::Member { member: member.to_owned(), problem: problem.to_string() }.into()
}

fn text(scanner: &mut Scanner<'_>, what: &str) -> Read<String> {
    expect(scanner, what, Kind::Text)?;
    let text = scanner.text()?.decode().map_err(|problem| wrong(what, problem))?;
    Ok(text.into_owned())
}

fn count(scanner: &mut Scanner<'_>, what: &str) -> Read<u64> {
    expect(scanner, what, Kind::Number)?;
    let number = scanner.number()?;
    number.to_u64().ok_or_else(|| wrong(what, format!("is {}: a count is required", excerpt(number.raw))))
}

fn value(scanner: &mut Scanner<'_>, what: &str) -> Read<Option<f64>> {
    if scanner.kind()? == Kind::Null {
        scanner.skip()?;
        return Ok(None);
    }
    expect(scanner, what, Kind::Number)?;
    let number = scanner.number()?;
    number
        .to_f64()
        .map(Some)
        .ok_or_else(|| wrong(what, format!("holds {}, beyond a 64-bit float", excerpt(number.raw))))
}

fn labels(scanner: &mut Scanner<'_>) -> Read<Labels> {
    let mut pairs = Vec::new();
    object(scanner, "labels", |scanner, name| {
        pairs.push((name.to_owned(), text(scanner, "labels")?));
        Ok(())
    })?;
    Labels::new(pairs).map_err(|error| wrong("labels", error))
}

fn quantiles(scanner: &mut Scanner<'_>) -> Read<Vec<(String, Exactness)>> {
    let mut all = Vec::new();
    object(scanner, "quantiles", |scanner, name| {
        let exactness = match text(scanner, "quantiles")?.as_str() {
            "exact" => Exactness::Exact,
            "sketch" => Exactness::Sketch,
            word => return Err(wrong("quantiles", format!("says {word:?}: exact or sketch is required"))),
        };
        all.push((name.to_owned(), exactness));
        Ok(())
    })?;
    Ok(all)
}

fn explain(scanner: &mut Scanner<'_>) -> Read<Explain> {
    let mut explain = Explain::default();
    object(scanner, "explain", |scanner, key| {
        match key {
            "tiers" => explain.tiers = array(scanner, "tiers", tier)?,
            "series" => explain.series = count(scanner, key)?,
            "elapsed_us" => explain.elapsed_us = count(scanner, key)?,
            _ => drop(scanner.skip()?),
        }
        Ok(())
    })?;
    Ok(explain)
}

fn tier(scanner: &mut Scanner<'_>) -> Read<TierUse> {
    let mut tier = TierUse { tier: TIERS[TIERS.len() - 1], rows: 0, chunks: 0 };
    object(scanner, "tiers", |scanner, key| {
        match key {
            "tier" => {
                let name = text(scanner, key)?;
                tier.tier = TIERS.into_iter().find(|known| *known == name).unwrap_or(tier.tier);
            }
            "rows" => tier.rows = count(scanner, key)?,
            "chunks" => tier.chunks = count(scanner, key)?,
            _ => drop(scanner.skip()?),
        }
        Ok(())
    })?;
    Ok(tier)
}

/// The column of a member's name, if it is one.
fn column_kind(name: &str) -> Option<ColumnKind> {
    if name == "value" { Some(ColumnKind::Value) } else { name.parse::<Aggregate>().ok().map(ColumnKind::Aggregate) }
}

/// Reads a frame; remembers the unit of its integer times once it is told.
struct FrameReader {
    unit: Option<EpochUnit>,
}

impl FrameReader {
    fn frame(&mut self, scanner: &mut Scanner<'_>) -> Read<Frame> {
        let (mut from, mut to, mut per, mut zone, mut series, mut explained) = (None, None, None, None, None, None);
        object(scanner, "the body", |scanner, key| {
            match key {
                "epoch" => {
                    self.unit =
                        Some(text(scanner, key)?.parse().map_err(|error| wrong(key, format!("is wrong: {error}")))?)
                }
                "from" => from = Some(self.time(scanner, key)?),
                "to" => to = Some(self.time(scanner, key)?),
                "per" => per = Some(text(scanner, key)?),
                "tz" => {
                    let name = text(scanner, key)?;
                    zone = Some(
                        name.parse::<Tz>().map_err(|_| wrong(key, format!("is {name:?}: an IANA zone is required")))?,
                    );
                }
                "series" => series = Some(array(scanner, key, |scanner| self.series(scanner))?),
                "explain" => explained = Some(explain(scanner)?),
                _ => drop(scanner.skip()?),
            }
            Ok(())
        })?;
        Ok(Frame {
            from: from.ok_or(FrameDecodeError::Missing("from"))?,
            to: to.ok_or(FrameDecodeError::Missing("to"))?,
            per: per.ok_or(FrameDecodeError::Missing("per"))?,
            zone: zone.ok_or(FrameDecodeError::Missing("tz"))?,
            series: series.ok_or(FrameDecodeError::Missing("series"))?,
            explain: explained,
        })
    }

    fn series(&self, scanner: &mut Scanner<'_>) -> Read<FrameSeries> {
        let (mut name, mut time) = (None, None);
        let mut series_labels = Labels::empty();
        let mut columns: Vec<Column> = Vec::new();
        let mut exactness = Vec::new();
        object(scanner, "series", |scanner, key| {
            match (key, column_kind(key)) {
                ("name", _) => name = Some(MetricName::new(&text(scanner, key)?).map_err(|error| wrong(key, error))?),
                ("labels", _) => series_labels = labels(scanner)?,
                ("time", _) => time = Some(array(scanner, key, |scanner| self.time(scanner, key))?),
                ("quantiles", _) => exactness = quantiles(scanner)?,
                (_, Some(kind)) => {
                    let values = array(scanner, key, |scanner| value(scanner, key))?;
                    columns.push(Column { kind, values, exactness: Exactness::Exact });
                }
                _ => drop(scanner.skip()?),
            }
            Ok(())
        })?;
        let time = time.ok_or(FrameDecodeError::Missing("time"))?;
        for column in &mut columns {
            if column.values.len() != time.len() {
                let (values, times) = (column.values.len(), time.len());
                return Err(FrameDecodeError::Length { column: column.kind.to_string(), values, times }.into());
            }
            let told = exactness.iter().find(|(name, _)| column_kind(name) == Some(column.kind));
            column.exactness = told.map_or(Exactness::Exact, |(_, exactness)| *exactness);
        }
        Ok(FrameSeries { name: name.ok_or(FrameDecodeError::Missing("name"))?, labels: series_labels, time, columns })
    }

    /// A time: text, or an integer in the unit told before, else in the one that its magnitude tells.
    fn time(&self, scanner: &mut Scanner<'_>, what: &str) -> Read<Timestamp> {
        if scanner.kind()? == Kind::Text {
            let text = scanner.text()?;
            return super::time::parse(text.raw).map_err(|error| wrong(what, format!("is wrong: {error}")));
        }
        expect(scanner, what, Kind::Number)?;
        let number = scanner.number()?;
        let beyond = || wrong(what, format!("holds {}: no time of the years 1 to 9999", excerpt(number.raw)));
        let epoch = number.to_i64().ok_or_else(beyond)?;
        match self.unit {
            Some(EpochUnit::Millis) => epoch.checked_mul(1_000).and_then(|micros| Timestamp::from_micros(micros).ok()),
            Some(EpochUnit::Micros) => Timestamp::from_micros(epoch).ok(),
            _ => Timestamp::from_epoch(epoch).ok(),
        }
        .ok_or_else(beyond)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
