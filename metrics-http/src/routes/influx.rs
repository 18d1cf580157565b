//! InfluxDB's way to write: line protocol on `POST /write` (version 1) and `POST /api/v2/write` (version 2). Good lines
//! are stored and bad ones listed, as its senders expect. `/query` knows the one statement that they send before.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use metrics_core::Timestamp;
use metrics_core::wire::RowError;
use metrics_core::wire::line::{self, LineOptions, LineOutcome, Precision};

use super::read::pairs;
use super::write::{ENCODING, KEY, REPLAYED, commit, idempotency_key, receive};
use crate::app::App;
use crate::negotiate::{self, FORM};
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, JSON, Reply, json, no_content};
use crate::tokens::Scope;

/// Which of InfluxDB's two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    fn operation(self) -> &'static Operation {
        match self {
            Self::V1 => &LINES_V1,
            Self::V2 => &LINES_V2,
        }
    }

    /// What a word means as a precision: version 2 has no minutes and hours any more.
    fn precision(self, word: &str) -> Result<Precision, Failure> {
        let precision =
            word.parse().map_err(|error| Failure::malformed(format!("parameter \"precision\": {error}")))?;
        match (self, precision) {
            (Self::V2, Precision::Minutes | Precision::Hours) => {
                let message =
                    format!("parameter \"precision\": \"{precision}\" is one of /write only: use ns, us, ms or s");
                Err(Failure::malformed(message))
            }
            _ => Ok(precision),
        }
    }
}

/// Unit of timestamps.
const PRECISION: Param = Param::query(
    "precision",
    "Unit of the timestamps: `ns` (the default), `us`, `ms` or `s`; of version 1 also `m` or `h`.",
);

/// A parameter that senders give. A store has no databases and no users: it says nothing here.
const fn ignored(name: &'static str) -> Param {
    Param::query(name, "Accepted for senders of InfluxDB, without effect.")
}

const LINE_TYPES: &[(&str, Schema)] = &[("text/plain", Schema::Text)];
const STORED: &[Answer] = &[Answer { status: 204, text: "All lines are stored.", kinds: &[] }];
const LINES_TEXT: &str = "Good lines are stored; bad ones are answered with 400 and listed. Each number and each boolean \
    becomes a point of the metric `measurement_field`, or `measurement` where the field is called `value`.";

pub(crate) const LINES_V1: Operation = Operation {
    method: "POST",
    id: "write_lines_v1",
    group: Group::Write,
    needs: Some(Scope::Write),
    summary: "Writes Influx line protocol, as InfluxDB 1 takes it.",
    text: LINES_TEXT,
    params: &[
        PRECISION,
        ignored("db"),
        ignored("rp"),
        ignored("u"),
        ignored("p"),
        ignored("consistency"),
        KEY,
        ENCODING,
    ],
    takes: LINE_TYPES,
    gives: STORED,
};

pub(crate) const LINES_V2: Operation = Operation {
    method: "POST",
    id: "write_lines_v2",
    group: Group::Write,
    needs: Some(Scope::Write),
    summary: "Writes Influx line protocol, as InfluxDB 2 takes it.",
    text: LINES_TEXT,
    params: &[PRECISION, ignored("org"), ignored("orgID"), ignored("bucket"), KEY, ENCODING],
    takes: LINE_TYPES,
    gives: STORED,
};

const DATABASE: &[Answer] =
    &[Answer { status: 200, text: "The database is there.", kinds: &[(JSON, Schema::Named("Results"))] }];

pub(crate) const INFLUX_QUERY: Operation = Operation {
    method: "GET",
    id: "influx_query",
    group: Group::Write,
    needs: Some(Scope::Write),
    summary: "Answers the `CREATE DATABASE` that senders of InfluxDB 1 begin with.",
    text: "No other statement is understood: to read points use `/v1/query`.",
    params: &[Param::query("q", "The statement.").required(), ignored("db")],
    takes: &[],
    gives: DATABASE,
};

pub(crate) const INFLUX_QUERY_FORM: Operation = Operation {
    method: "POST",
    id: "influx_query_form",
    params: &[Param::query("q", "The statement, where no form holds it."), ignored("db")],
    takes: &[(FORM, Schema::Named("Statement"))],
    ..INFLUX_QUERY
};

/// Takes lines; answers when the good ones are durable.
pub(crate) async fn write(
    app: &Arc<App>,
    head: &Parts,
    body: &mut Incoming,
    version: Version,
) -> Result<Reply, Failure> {
    check_type(head)?;
    let precision = precision(head, version)?;
    let key = idempotency_key(head)?;
    let decode = move |plain: &[u8]| Ok(line::decode(plain, &LineOptions { precision, now: Timestamp::now() }));
    let (LineOutcome { batch, errors, error_count, skipped_strings }, _grant) =
        receive(app, head, body, decode).await?;
    let is_empty = batch.is_empty();
    // A body without points leaves its key for the one that is sent when the lines are right.
    let replayed = !is_empty && commit(app, batch, key).await?.replayed;
    if !replayed {
        app.figures.strings_skipped.fetch_add(skipped_strings, Ordering::Relaxed);
        app.figures.lines_rejected.fetch_add(error_count as u64, Ordering::Relaxed);
    }
    let mark = replayed.then(|| HeaderValue::from_static("true"));
    if error_count == 0 {
        let mut reply = no_content();
        reply.headers_mut().extend(mark.map(|mark| (REPLAYED, mark)));
        return Ok(reply);
    }
    let told = list(&errors, error_count, "lines");
    // Senders know a partial write, and lines that are never right, by these words and do not send them again.
    let failure = match is_empty {
        true => Failure::malformed(format!("unable to parse {told}")),
        false => Failure::partial(format!("partial write: the good lines are stored; unable to parse {told}")),
    };
    let failure = failure.with_rows(errors);
    Err(match mark {
        Some(mark) => failure.with(REPLAYED, mark),
        None => failure,
    })
}

/// The first errors, and how many there are of `what`.
pub(super) fn list(errors: &[RowError], count: usize, what: &str) -> String {
    let mut text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if count > 1 {
        text.insert_str(0, &format!("{count} {what}: "));
    }
    if count > errors.len() {
        text.push_str(&format!("; and {} more", count - errors.len()));
    }
    text
}

/// Lines have no content type of their own: every one but that of forms, which are no lines.
fn check_type(head: &Parts) -> Result<(), Failure> {
    if negotiate::content_type(&head.headers)? == FORM {
        return Err(Failure::unsupported(
            "content type application/x-www-form-urlencoded holds no lines: \
             add the header \"Content-Type: text/plain\" (curl: -H 'Content-Type: text/plain' --data-binary @file)",
        ));
    }
    Ok(())
}

fn precision(head: &Parts, version: Version) -> Result<Precision, Failure> {
    let mut precision = None;
    for (key, value) in pairs(head)? {
        match key.as_str() {
            "precision" if precision.is_some() => {
                return Err(Failure::malformed("parameter \"precision\" is given twice"));
            }
            "precision" if value.is_empty() => precision = Some(Precision::default()),
            "precision" => {
                precision = Some(version.precision(&value)?);
            }
            other => version.operation().check_known(other)?,
        }
    }
    Ok(precision.unwrap_or_default())
}

/// `/query`: senders of version 1 make their database before they write. Here it is there.
pub(crate) async fn query(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let mut found = statement(pairs(head)?);
    if found.is_none() && head.method == Method::POST && negotiate::content_type(&head.headers)? == FORM {
        let parse = |form: &[u8]| Ok(statement(form_urlencoded::parse(form).into_owned()));
        found = receive(app, head, body, parse).await?.0;
    }
    match found {
        None => Err(Failure::malformed("missing required parameter \"q\"")),
        Some(text) if creates_database(&text) => Ok(json(StatusCode::OK, r#"{"results":[{"statement_id":0}]}"#)),
        Some(text) => {
            let text: String = text.chars().take(64).collect();
            Err(Failure::malformed(format!(
                "\"{text}\" is not supported: of InfluxDB's queries only CREATE DATABASE is, which does nothing; \
                 to read points use GET /v1/query"
            )))
        }
    }
}

fn statement(pairs: impl IntoIterator<Item = (String, String)>) -> Option<String> {
    pairs.into_iter().find(|(key, _)| key == "q").map(|(_, text)| text)
}

/// Whether a text is one statement `CREATE DATABASE name`, maybe with options.
fn creates_database(text: &str) -> bool {
    let text = text.trim().trim_end_matches(';').trim_end();
    let rest = keyword(text, "create").and_then(|rest| keyword(rest, "database"));
    let Some(after) = rest.and_then(after_name) else { return false };
    after.is_empty() || keyword(after.trim_start(), "with").is_some_and(|options| !options.contains(';'))
}

/// What follows a word and the blanks behind it.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(char::is_whitespace)?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

/// What follows a name, which may stand in double quotes.
fn after_name(text: &str) -> Option<&str> {
    let end = match text.strip_prefix('"') {
        None => text.find(|c: char| c.is_whitespace() || c == ';' || c == '"').unwrap_or(text.len()),
        Some(quoted) => {
            let mut escaped = false;
            let close = quoted.char_indices().find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            close.filter(|(at, _)| *at > 0)?.0 + 2
        }
    };
    let after = &text[end..];
    (end > 0 && (after.is_empty() || after.starts_with(char::is_whitespace))).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_is_created_and_nothing_else() {
        for text in [
            "CREATE DATABASE telegraf",
            "create  database \"my \\\"db\\\"; x\" ;",
            " CREATE DATABASE \"t\" WITH DURATION 30d REPLICATION 1 NAME \"raw\"",
        ] {
            assert!(creates_database(text), "{text}");
        }
        for text in [
            "",
            "CREATE DATABASE",
            "CREATE DATABASE ;",
            "CREATE DATABASE \"\"",
            "CREATE DATABASE \"open",
            "CREATE DATABASE a; DROP DATABASE b",
            "CREATE DATABASE a;DROP DATABASE b",
            "CREATE DATABASE a WITH DURATION 1d; DROP DATABASE b",
            "CREATE DATABASE a b",
            "CREATE USER a",
            "SHOW DATABASES",
        ] {
            assert!(!creates_database(text), "{text}");
        }
    }
}
