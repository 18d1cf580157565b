//! `POST /v1/sql`: one read-only statement over the points.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, VARY};
use hyper::http::request::Parts;
use metrics_core::{SqlAnswer, SqlError};
use serde::Deserialize;

use crate::app::App;
use crate::figures::Reason;
use crate::negotiate::{ARROW_STREAM, FrameFormat, content_type};
use crate::openapi::{Answer, Group, Operation, Schema};
use crate::respond::{Failure, JSON, Reply, content};
use crate::routes::write::receive;
use crate::tokens::Scope;

/// Content type of a statement as it is (RFC 6922).
const SQL: &str = "application/sql";
/// What a statement may take beyond its time to notice that it is up.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) const SQL_STATEMENT: Operation = Operation {
    method: "POST",
    id: "sql",
    group: Group::Read,
    needs: Some(Scope::Sql),
    summary: "Runs one read-only SQL statement over `points` and `series`.",
    text: "Off unless the server was started with `--allow-sql`.",
    params: &[],
    takes: &[(JSON, Schema::Named("SqlStatement")), (SQL, Schema::Text)],
    gives: &[Answer {
        status: 200,
        text: "The result; `Accept` chooses its form.",
        kinds: &[
            (JSON, Schema::Named("SqlResult")),
            ("text/csv", Schema::Text),
            ("application/x-ndjson", Schema::Text),
            (ARROW_STREAM, Schema::Text),
        ],
    }],
};

/// A statement in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    sql: String,
}

/// Runs the statement of the body: `{"sql":"SELECT …"}`, or the text itself as `application/sql`.
pub(crate) async fn run(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let Some(limits) = app.options.sql.clone() else {
        return Err(Failure::forbidden("SQL is off: start the server with --allow-sql to answer it"));
    };
    let format = FrameFormat::of(&head.headers)?;
    let in_json = match content_type(&head.headers)?.as_str() {
        "" | JSON => true,
        SQL => false,
        // Not text/plain: a page of another site may send that unasked.
        _ => {
            let message = "a statement comes as application/json, {\"sql\":\"SELECT …\"}, or as application/sql";
            return Err(Failure::unsupported(message));
        }
    };
    let (statement, _grant) = receive(app, head, body, move |plain| statement(plain, in_json)).await?;
    let engine = app.engine.clone();
    let most = limits.timeout + GRACE;
    let work = app.statements.run(move || engine.sql(&statement, &limits).map(|answer| encoded(&answer, format)));
    // One that cannot be interrupted keeps its thread, and its place among the statements that run at a time.
    let answered = tokio::time::timeout(most + app.options.queue_timeout, work).await;
    let encoded = answered.map_err(|_| Failure::from(SqlError::TimedOut(most)))???;
    let mut reply = content(StatusCode::OK, format.content_type(), encoded);
    reply.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    Ok(reply)
}

fn statement(plain: &[u8], in_json: bool) -> Result<String, Failure> {
    if in_json {
        let body = serde_json::from_slice::<Body>(plain);
        let usual = "a body such as {\"sql\":\"SELECT count(*) FROM points\"} is required";
        return body.map(|body| body.sql).map_err(|error| Failure::malformed(format!("{error}: {usual}")));
    }
    let text = std::str::from_utf8(plain);
    text.map(str::to_owned).map_err(|_| Failure::malformed("the statement is not UTF-8"))
}

fn encoded(answer: &SqlAnswer, format: FrameFormat) -> Vec<u8> {
    match format {
        FrameFormat::Json => answer.json(),
        FrameFormat::Csv => answer.csv(),
        FrameFormat::Ndjson => answer.ndjson(),
        FrameFormat::Arrow => answer.arrow(),
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        let message = error.to_string();
        match error {
            SqlError::Disabled => Self::forbidden(message),
            SqlError::Refused(_) => Self::forbidden(message),
            SqlError::TimedOut(_) => Self::new(StatusCode::GATEWAY_TIMEOUT, Reason::Slow, message),
            SqlError::Closed => Self::closing(),
            SqlError::Store(error) => {
                tracing::error!(%error, "a statement failed");
                Self::internal()
            }
            // What is wrong with the statement, and bounds that it passes.
            _ => Self::malformed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_comes_in_json_or_as_it_is() {
        assert_eq!(statement(br#"{"sql":"SELECT '\u00e9'"}"#, true).expect("JSON"), "SELECT 'é'");
        assert_eq!(statement("SELECT 'é'".as_bytes(), false).expect("text"), "SELECT 'é'");
        for body in [&b"SELECT 1"[..], br#"{"query":"SELECT 1"}"#, br#"{"sql":1}"#, b"", b"[]"] {
            assert_eq!(statement(body, true).expect_err("no statement").status(), StatusCode::BAD_REQUEST);
        }
        assert!(statement(b"SELECT '\xFF'", false).is_err());
    }
}
