//! A query as `key=value` pairs: the parameters of `GET /v1/query`, the options of the command line.

use chrono_tz::Tz;

use crate::model::{
    Aggregate, AggregateError, DurationError, FillError, FilterError, GroupBy, LabelError, OrderError, Per,
    QueryRequest, Timestamp, TimestampError, parse_duration_micros,
};

/// What is wrong with a query's parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// A key that this call does not have.
    #[error("unknown parameter \"{0}\"")]
    Unknown(String),
    /// No `name`.
    #[error("parameter \"name\" is missing: give the metric's name")]
    NoName,
    /// More names than [`QueryRequest::MAX_NAMES`].
    #[error("{0} names: at most {max} are allowed", max = QueryRequest::MAX_NAMES)]
    ManyNames(usize),
    /// A key that may stand once stands again.
    #[error("parameter \"{0}\" is given twice")]
    Twice(&'static str),
    /// A number outside its bounds.
    #[error("parameter \"{key}\" is \"{value}\": a whole number from 1 to {most} is required")]
    Number {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// Greatest value allowed.
        most: usize,
    },
    /// A word that is neither true nor false.
    #[error("parameter \"{key}\" is \"{value}\": use true or false")]
    Flag {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
    },
    /// A zone that the IANA database does not have.
    #[error("parameter \"tz\" is \"{0}\": use an IANA zone such as Europe/Berlin")]
    Zone(String),
    /// An end that is not after the start.
    #[error("parameter \"from\" ({from}) must lie before \"to\" ({to})")]
    Backwards {
        /// Start asked for.
        from: Timestamp,
        /// End asked for.
        to: Timestamp,
    },
    /// A time that cannot be read.
    #[error("parameter \"{key}\": {source}")]
    Time {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: TimestampError,
    },
    /// A relative time whose distance is no duration.
    #[error("parameter \"{key}\": {source}")]
    Relative {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: DurationError,
    },
    /// A name that breaks a bound.
    #[error("parameter \"name\": {0}")]
    Name(#[from] LabelError),
    /// A width that is none.
    #[error("parameter \"per\": {0}, or minute, hour, day, week, month, raw, auto")]
    Per(#[from] DurationError),
    /// An aggregate that is none.
    #[error("parameter \"agg\": {0}")]
    Aggregate(#[from] AggregateError),
    /// A filter that is none.
    #[error("parameter \"where\": {0}")]
    Filter(#[from] FilterError),
    /// A fill that is none.
    #[error("parameter \"fill\": {0}")]
    Fill(#[from] FillError),
    /// An order that is none.
    #[error("parameter \"order\": {0}")]
    Order(#[from] OrderError),
}

/// Most windows a series, and most windows that `points` may ask for.
pub const MAX_LIMIT: usize = 10_000_000;
/// Microseconds looked back where no `from` is given.
const DEFAULT_SPAN_MICROS: i64 = crate::model::MICROS_PER_DAY;

/// Reads a time: absolute as [`Timestamp::parse`] does, or `now`, `now-24h`, `now+1h`.
///
/// # Errors
/// [`ParamError::Time`] or [`ParamError::Relative`] with the parameter's name.
pub fn parse_time(key: &'static str, text: &str, now: Timestamp) -> Result<Timestamp, ParamError> {
    // A plus sign in a query string that was not escaped arrives as a blank.
    let Some(distance) = text.trim().strip_prefix("now") else {
        let zoned = text.rsplit_once(' ').filter(|(time, _)| time.contains('T'));
        let with_plus = || zoned.and_then(|(time, zone)| Timestamp::parse(&format!("{time}+{zone}")).ok());
        return Timestamp::parse(text).or_else(|source| with_plus().ok_or(ParamError::Time { key, source }));
    };
    let micros = |digits: &str| {
        parse_duration_micros(digits)
            .map(std::num::NonZeroI64::get)
            .map_err(|source| ParamError::Relative { key, source })
    };
    Ok(match distance.split_at_checked(1) {
        None => now,
        Some(("-", span)) => now.saturating_add_micros(-micros(span)?),
        Some(("+" | " ", span)) => now.saturating_add_micros(micros(span)?),
        Some(_) => micros(distance).map(|_| now)?,
    })
}

fn number(key: &'static str, value: &str, most: usize) -> Result<usize, ParamError> {
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(ParamError::Number { key, value: value.chars().take(32).collect(), most }),
    }
}

/// Collects the pairs of one query.
#[derive(Default)]
struct Collected {
    names: Vec<String>,
    filters: Vec<String>,
    single: Vec<(&'static str, String)>,
}

/// The keys of a query's pairs; the first two may stand more than once.
pub const KEYS: [&str; 13] =
    ["name", "where", "from", "to", "per", "points", "agg", "group_by", "fill", "tz", "order", "limit", "explain"];
/// See [`KEYS`].
const REPEATABLE: usize = 2;

impl Collected {
    fn from_pairs<K: AsRef<str>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, ParamError> {
        let mut all = Self::default();
        for (key, value) in pairs {
            match key.as_ref() {
                "name" => all.names.push(value.into()),
                "where" => all.filters.push(value.into()),
                key => {
                    let known = KEYS[REPEATABLE..].iter().find(|known| **known == key);
                    let &known = known.ok_or_else(|| ParamError::Unknown(key.chars().take(64).collect()))?;
                    if all.get(known).is_some() {
                        return Err(ParamError::Twice(known));
                    }
                    all.single.push((known, value.into()));
                }
            }
        }
        Ok(all)
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.single.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }
}

/// Reads a query from its pairs (already unescaped), with the clock's time for defaults and relative times.
///
/// # Errors
/// [`ParamError`] names the parameter, its value and what would be right.
///
/// ```
/// use metrics_core::{Timestamp, wire::params};
/// let pairs = [("name", "cpu"), ("from", "now-7d"), ("per", "hour"), ("agg", "avg,max"), ("where", "host=a")];
/// let request = params::decode(pairs, Timestamp::now()).unwrap();
/// assert_eq!(request.aggregates.len(), 2);
/// ```
pub fn decode<K: AsRef<str>, V: Into<String>>(
    pairs: impl IntoIterator<Item = (K, V)>,
    now: Timestamp,
) -> Result<QueryRequest, ParamError> {
    let all = Collected::from_pairs(pairs)?;
    if all.names.is_empty() {
        return Err(ParamError::NoName);
    }
    if all.names.len() > QueryRequest::MAX_NAMES {
        return Err(ParamError::ManyNames(all.names.len()));
    }
    let to = all.get("to").map_or(Ok(now), |text| parse_time("to", text, now))?;
    let default_from = to.saturating_add_micros(-DEFAULT_SPAN_MICROS);
    let from = all.get("from").map_or(Ok(default_from), |text| parse_time("from", text, now))?;
    if from >= to {
        return Err(ParamError::Backwards { from, to });
    }
    let mut request = QueryRequest::new(&all.names, from, to)?;
    if let Some(word) = all.get("per") {
        request.per = word.parse()?;
    }
    if let Some(text) = all.get("points") {
        let points = number("points", text, MAX_LIMIT)?;
        if let Per::Auto { points: wanted } = &mut request.per {
            *wanted = points;
        }
    }
    if let Some(list) = all.get("agg") {
        request.aggregates = Aggregate::parse_list(list)?;
    }
    request.filters = all.filters.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    request.group_by = all.get("group_by").map_or(GroupBy::Nothing, parse_group_by);
    if let Some(word) = all.get("fill") {
        request.fill = word.parse()?;
    }
    if let Some(name) = all.get("tz") {
        request.zone = name.parse::<Tz>().map_err(|_| ParamError::Zone(name.chars().take(64).collect()))?;
    }
    if let Some(word) = all.get("order") {
        request.order = word.parse()?;
    }
    if let Some(text) = all.get("limit") {
        request.limit = number("limit", text, MAX_LIMIT)?;
    }
    request.explain = match all.get("explain") {
        None | Some("false" | "0") => false,
        Some("true" | "1" | "") => true,
        Some(value) => return Err(ParamError::Flag { key: "explain", value: value.chars().take(32).collect() }),
    };
    Ok(request)
}

fn parse_group_by(text: &str) -> GroupBy {
    match text {
        "" => GroupBy::Nothing,
        "*" => GroupBy::Series,
        list => {
            let mut names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            GroupBy::Labels(names)
        }
    }
}

/// Writes a query as pairs (not escaped) that [`decode`] reads as the same query.
pub fn encode(request: &QueryRequest) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<(&'static str, String)> = request.names.iter().map(|name| ("name", name.to_string())).collect();
    pairs.push(("from", request.from.to_string()));
    pairs.push(("to", request.to.to_string()));
    match request.per {
        Per::Raw => pairs.push(("per", "raw".into())),
        Per::Every(resolution) => pairs.push(("per", resolution.to_string())),
        Per::Auto { points } => pairs.extend([("per", "auto".into()), ("points", points.to_string())]),
    }
    let aggregates: Vec<String> = request.aggregates.iter().map(ToString::to_string).collect();
    pairs.push(("agg", aggregates.join(",")));
    pairs.extend(request.filters.iter().map(|filter| ("where", filter.to_string())));
    match &request.group_by {
        GroupBy::Nothing => {}
        GroupBy::Labels(names) => pairs.push(("group_by", names.join(","))),
        GroupBy::Series => pairs.push(("group_by", "*".into())),
    }
    pairs.push(("fill", request.fill.to_string()));
    pairs.push(("tz", request.zone.name().into()));
    pairs.push(("order", request.order.to_string()));
    pairs.push(("limit", request.limit.to_string()));
    if request.explain {
        pairs.push(("explain", "true".into()));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2024-02-02T12:00:00Z").expect("valid")
    }

    fn error(query: &[(&str, &str)]) -> String {
        let pairs = [("name", "cpu")].iter().chain(query).copied();
        decode(pairs, now()).expect_err("must be refused").to_string()
    }

    #[test]
    fn defaults_are_the_last_day_in_500_windows() {
        let request = decode([("name", "cpu")], now()).expect("valid");
        assert_eq!(request.from.to_string(), "2024-02-01T12:00:00Z");
        assert_eq!((request.to, request.limit, request.per), (now(), 100_000, Per::Auto { points: 500 }));
        assert_eq!(request.resolution().expect("windows").to_string(), "5m");
    }

    #[test]
    fn a_plus_that_arrived_as_a_blank_is_understood() {
        let time = |text| parse_time("from", text, now()).map(|time| time.to_string());
        assert_eq!(time("2024-02-02T12:00:00 01:00"), Ok("2024-02-02T11:00:00Z".into()));
        assert_eq!(time("now 1h"), Ok("2024-02-02T13:00:00Z".into()));
        assert!(time("2024-02-02T12:00:00 tomorrow").is_err());
    }

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let pairs = [
            ("name", "cpu"),
            ("name", "mem"),
            ("from", "now-1w"),
            ("to", "now+1h"),
            ("per", "6h"),
            ("agg", "avg,p99.9,rate"),
            ("where", "host=~web.*"),
            ("where", "dc!=eu"),
            ("group_by", "host,dc"),
            ("fill", "linear"),
            ("tz", "Europe/Berlin"),
            ("order", "desc"),
            ("limit", "7"),
            ("explain", "true"),
        ];
        let first = encode(&decode(pairs, now()).expect("valid"));
        assert_eq!(encode(&decode(first.clone(), now()).expect("valid")), first);
        assert!(first.contains(&("group_by", "dc,host".into())));
    }

    #[test]
    fn every_refusal_names_its_parameter() {
        for (query, word) in [
            ([("from", "then")], "from"),
            ([("to", "now-x")], "to"),
            ([("per", "fortnight")], "per"),
            ([("agg", "mode")], "agg"),
            ([("where", "host")], "where"),
            ([("fill", "x")], "fill"),
            ([("tz", "Mars/Olympus")], "tz"),
            ([("order", "up")], "order"),
            ([("limit", "0")], "limit"),
            ([("points", "-1")], "points"),
            ([("explain", "maybe")], "explain"),
            ([("frm", "now")], "frm"),
            ([("from", "2025-01-01")], "before"),
        ] {
            assert!(error(&query).contains(word), "{query:?}: {}", error(&query));
        }
        assert_eq!(decode([("per", "hour")], now()).expect_err("no name"), ParamError::NoName);
        assert_eq!(error(&[("to", "now"), ("to", "now")]), "parameter \"to\" is given twice");
    }
}
