//! The server's answers, read and checked.

use std::collections::BTreeMap;

use metrics_core::{Labels, MetricName, SeriesInfo, SeriesKey, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::transport::Answered;

/// What the server says of a write: the points are committed and synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// How many points the write stored, now or when its key was first used.
    pub points: u64,
    /// Whether the key was used before, so that nothing was stored this time.
    pub replayed: bool,
}

/// The latest point of a series.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Latest {
    /// Name and labels.
    pub key: SeriesKey,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// What was measured; NaN where the server has no finite value.
    pub value: f64,
}

/// A backup that a server made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Backup {
    /// Name of the file, in the server's folder for backups.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Points in it, where the server opened and checked it.
    pub checked_points: Option<u64>,
    /// Older backups that made room for it.
    pub dropped: usize,
    /// How long it took.
    pub seconds: f64,
}

/// The count may be absent: the least that a server says is `{"status":"success"}`.
#[derive(Deserialize)]
struct ReceiptBody {
    points: Option<u64>,
}

#[derive(Deserialize)]
struct SeriesBody {
    name: String,
    labels: BTreeMap<String, String>,
    first: String,
    last: String,
    count: u64,
}

#[derive(Deserialize)]
struct LatestBody {
    name: String,
    labels: BTreeMap<String, String>,
    timestamp: String,
    value: Option<f64>,
}

pub(crate) fn receipt(call: &'static str, answered: &Answered, sent: usize) -> Result<Receipt, ClientError> {
    let ReceiptBody { points } = read(call, &answered.body)?;
    Ok(Receipt { points: points.unwrap_or(sent as u64), replayed: answered.replayed })
}

pub(crate) fn backup(call: &'static str, body: &[u8]) -> Result<Backup, ClientError> {
    read(call, body)
}

pub(crate) fn metric_names(call: &'static str, body: &[u8]) -> Result<Vec<MetricName>, ClientError> {
    let names: Vec<String> = read(call, body)?;
    names.iter().map(|name| MetricName::new(name).map_err(|error| unreadable(call, &error))).collect()
}

/// The answer has no last value: it is NaN here.
pub(crate) fn series(call: &'static str, body: &[u8]) -> Result<Vec<SeriesInfo>, ClientError> {
    let rows: Vec<SeriesBody> = read(call, body)?;
    let info = |row: SeriesBody| {
        Ok(SeriesInfo {
            key: key(call, &row.name, &row.labels)?,
            first: time(call, &row.first)?,
            last: time(call, &row.last)?,
            last_value: f64::NAN,
            count: row.count,
        })
    };
    rows.into_iter().map(info).collect()
}

pub(crate) fn latest(call: &'static str, body: &[u8]) -> Result<Vec<Latest>, ClientError> {
    let rows: Vec<LatestBody> = read(call, body)?;
    let point = |row: LatestBody| {
        Ok(Latest {
            key: key(call, &row.name, &row.labels)?,
            timestamp: time(call, &row.timestamp)?,
            value: row.value.unwrap_or(f64::NAN),
        })
    };
    rows.into_iter().map(point).collect()
}

fn read<T: DeserializeOwned>(call: &'static str, body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| unreadable(call, &error))
}

fn key(call: &'static str, name: &str, labels: &BTreeMap<String, String>) -> Result<SeriesKey, ClientError> {
    let name = MetricName::new(name).map_err(|error| unreadable(call, &error))?;
    let labels = Labels::new(labels).map_err(|error| unreadable(call, &error))?;
    Ok(SeriesKey::new(name, labels))
}

fn time(call: &'static str, text: &str) -> Result<Timestamp, ClientError> {
    Timestamp::parse(text).map_err(|error| unreadable(call, &error))
}

fn unreadable(call: &'static str, error: &dyn std::error::Error) -> ClientError {
    ClientError::Answer { call, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_success_counts_the_points_that_were_sent() {
        let read = |body: &'static str, replayed| {
            let answered = Answered { body: body.into(), replayed };
            receipt("POST /v1/metrics", &answered, 3).expect("readable")
        };
        assert_eq!(read(r#"{"status":"success"}"#, false), Receipt { points: 3, replayed: false });
        assert_eq!(read(r#"{"status":"success","points":7,"more":[]}"#, true), Receipt { points: 7, replayed: true });
    }

    #[test]
    fn series_and_latest_points_are_typed() {
        let body = br#"[{"name":"cpu","labels":{"host":"a"},"first":"2024-02-02T00:00:00Z","last":"2024-02-03T00:00:00.5Z","count":2}]"#;
        let all = series("GET /v1/series", body).expect("readable");
        assert_eq!((all[0].key.to_string().as_str(), all[0].count), ("cpu{host=\"a\"}", 2));
        assert_eq!(all[0].last.micros() - all[0].first.micros(), 86_400_500_000);

        let body = br#"[{"name":"cpu","labels":{},"timestamp":"2024-02-02T00:00:00Z","value":null}]"#;
        let all = latest("GET /v1/latest", body).expect("readable");
        assert!(all[0].value.is_nan() && all[0].key.labels.is_empty());
    }

    #[test]
    fn an_answer_of_another_shape_names_the_call() {
        let refusal = |error: ClientError| error.to_string();
        let names = refusal(metric_names("GET /v1/metrics", br#"[""]"#).expect_err("an empty name is none"));
        assert!(names.starts_with("the answer to GET /v1/metrics cannot be read: name is empty"), "{names}");
        let page = refusal(metric_names("GET /v1/metrics", b"<html>").expect_err("markup is no list"));
        assert!(page.contains("GET /v1/metrics") && page.contains("line 1"), "{page}");
        let body = br#"[{"name":"cpu","labels":{},"timestamp":"soon","value":1}]"#;
        let time = refusal(latest("GET /v1/latest", body).expect_err("a bad time"));
        assert!(time.contains("\"soon\" is not a time"), "{time}");
    }
}
