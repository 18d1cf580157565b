//! Answers and refusals.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use metrics_core::promql::PromqlError;
use metrics_core::wire::otlp::{self, OtlpEncoding};
use metrics_core::wire::{Place, RowError};
use metrics_core::{QueryError, WriteError};
use serde::Serialize;

use crate::content::Content;
use crate::figures::Reason;
use crate::negotiate::PROTOBUF;
use crate::requests::RequestId;

/// An answer before it is sent.
pub(crate) type Reply = Response<Content>;

/// Content type of JSON.
pub(crate) const JSON: &str = "application/json";
/// Seconds after which a refused client may try again.
const RETRY_AFTER_S: u64 = 1;

/// The same for a disk that is full: somebody has to do something first.
const RETRY_AFTER_FULL_S: u64 = 10;

/// An answer with a body.
pub(crate) fn content(status: StatusCode, content_type: &'static str, body: impl Into<Content>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// 204: done, and nothing to tell.
pub(crate) fn no_content() -> Reply {
    let mut reply = Response::new(Content::from(Bytes::new()));
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// An answer in JSON that is written out already.
pub(crate) fn json(status: StatusCode, body: impl Into<Content>) -> Reply {
    content(status, JSON, body)
}

/// An answer in JSON.
pub(crate) fn serialized(status: StatusCode, value: &impl Serialize) -> Reply {
    json(status, serde_json::to_vec(value).expect("answers are plain structs, lists and texts"))
}

/// A refusal: what the client is told, and what is counted.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    reason: Reason,
    rows: Vec<RowError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Where the body says more about its sender than the route does.
    dialect: Option<Dialect>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), reason, rows: Vec::new(), headers: Vec::new(), dialect: None }
    }

    /// 400: the request is wrong, and the message says where.
    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Reason::Malformed, message)
    }

    /// 400: some lines are wrong, the others are stored.
    pub(crate) fn partial(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Reason::Partial, message)
    }

    /// 403.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Reason::Forbidden, message)
    }

    /// 405 with the methods that would be right.
    pub(crate) fn method(method: &hyper::Method, allow: &'static str) -> Self {
        let method: String = method.as_str().chars().take(32).collect();
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Reason::Method,
            format!("method {method} is not allowed here: use {allow}"),
        )
        .with(ALLOW, HeaderValue::from_static(allow))
    }

    /// 413.
    pub(crate) fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge, message)
    }

    /// 414 or 431: the request's address, or its head as a whole.
    pub(crate) fn large_head(is_address: bool, limit_bytes: usize) -> Self {
        let (status, what) = match is_address {
            true => (StatusCode::URI_TOO_LONG, "address is"),
            false => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "line and headers are"),
        };
        let message = format!("the request's {what} longer than {limit_bytes} bytes (--header-limit)");
        Self::new(status, Reason::TooLarge, message)
    }

    /// 415.
    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Reason::Unsupported, message)
    }

    /// 503: it may go better in a moment.
    pub(crate) fn overloaded(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::Overloaded, message)
            .with(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
    }

    /// 507: the disk is full; it may go better once somebody made room.
    pub(crate) fn no_space(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, Reason::NoSpace, message)
            .with(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_FULL_S))
    }

    /// 503: the store failed, and the process is about to end.
    pub(crate) fn failed() -> Self {
        let message = "the store failed and takes no more writes until it is opened again: whether this one is stored is \
            unknown, repeat it with the same Idempotency-Key";
        Self { reason: Reason::Failed, ..Self::overloaded(message) }
    }

    /// 503: the store does not take anything any more.
    pub(crate) fn closing() -> Self {
        Self { reason: Reason::Closed, ..Self::overloaded("the server is stopping: try again in a moment") }
    }

    /// 500, without a word about why.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Reason::Internal,
            "the server could not do this: its log tells why",
        )
    }

    /// 408; the connection is not used again.
    pub(crate) fn slow(timeout: Duration) -> Self {
        let message = format!(
            "the body did not arrive in time: {} s (--body-timeout) and what its size allows",
            timeout.as_secs_f64()
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, Reason::Slow, message)
            .with(CONNECTION, HeaderValue::from_static("close"))
    }

    /// 504: nobody knows how it ended.
    pub(crate) fn unknown_outcome(timeout: Duration) -> Self {
        let message = format!(
            "the write was not confirmed within {} s (--commit-timeout), and may or may not be stored: repeat it with the same Idempotency-Key",
            timeout.as_secs_f64()
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, Reason::CommitTimeout, message)
    }

    /// The same with a header more.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with the first rows that are wrong.
    pub(crate) fn with_rows(mut self, rows: Vec<RowError>) -> Self {
        self.rows = rows;
        self
    }

    /// The same in the words of others.
    pub(crate) fn told_in(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    /// The answer, in the words of the route unless the failure has its own. What is the server's fault says under
    /// which name its log tells of it.
    pub(crate) fn into_reply(self, dialect: Dialect, id: Option<&RequestId>) -> Reply {
        let dialect = self.dialect.unwrap_or(dialect);
        let mut reply = match dialect {
            Dialect::Otlp(encoding) => {
                content(self.status, otlp_type(encoding), otlp::status(encoding, rpc_code(self.status), &self.message))
            }
            _ => serialized(self.status, &self.error_body(dialect, id.filter(|_| self.status.is_server_error()))),
        };
        for (name, value) in self.headers {
            reply.headers_mut().insert(name, value);
        }
        reply
    }

    fn error_body<'a>(&'a self, dialect: Dialect, id: Option<&'a RequestId>) -> ErrorBody<'a> {
        let is_prometheus = dialect == Dialect::Prometheus;
        ErrorBody {
            status: is_prometheus.then_some("error"),
            error_type: is_prometheus.then(|| prometheus_type(self.status, self.reason)),
            error: (is_prometheus || dialect == Dialect::InfluxV1).then_some(&*self.message),
            code: (dialect == Dialect::InfluxV2).then(|| influx_code(self.status)),
            message: &self.message,
            request_id: id.map(RequestId::as_str),
            errors: self.rows.iter().map(RowBody::of).collect(),
        }
    }
}

/// In whose words a refusal is told: clients of other servers look for fields of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `message`.
    Own,
    /// InfluxDB 1: `error`, and our `message`.
    InfluxV1,
    /// InfluxDB 2: `code` and `message`.
    InfluxV2,
    /// OTLP: `google.rpc.Status` in the request's encoding.
    Otlp(OtlpEncoding),
    /// Prometheus: `status`, `errorType` and `error`, and our `message`.
    Prometheus,
}

/// The content type of OTLP's answers.
pub(crate) fn otlp_type(encoding: OtlpEncoding) -> &'static str {
    match encoding {
        OtlpEncoding::Protobuf => PROTOBUF,
        OtlpEncoding::Json => JSON,
    }
}

/// The code of `google.rpc.Code` for a status (google/rpc/code.proto).
fn rpc_code(status: StatusCode) -> u32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 5,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => 14,
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => 4,
        status if status.is_client_error() => 3,
        _ => 13,
    }
}

/// Prometheus' word for a refusal (prometheus.io/docs/prometheus/latest/querying/api, and its `web/api/v1`).
fn prometheus_type(status: StatusCode, reason: Reason) -> &'static str {
    match (status, reason) {
        (_, Reason::QueryTimeout) => "timeout",
        (_, Reason::Evaluation) => "execution",
        (StatusCode::NOT_FOUND, _) => "not_found",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "unavailable",
        (status, _) if status.is_client_error() => "bad_data",
        _ => "internal",
    }
}

/// InfluxDB 2's word for a status (docs.influxdata.com/influxdb/v2/api, "Error").
fn influx_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::METHOD_NOT_ALLOWED => "method not allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported media type",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT | StatusCode::INSUFFICIENT_STORAGE => {
            "unavailable"
        }
        status if status.is_client_error() => "invalid",
        _ => "internal error",
    }
}

/// The body of every refusal.
#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(rename = "errorType", skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RowBody<'a>>,
}

/// One row that is wrong.
#[derive(Serialize)]
struct RowBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: &'a str,
}

impl<'a> RowBody<'a> {
    fn of(row: &'a RowError) -> Self {
        let (index, line) = match row.place {
            Place::Index(index) => (Some(index), None),
            Place::Line(line) => (None, Some(line)),
            _ => (None, None),
        };
        Self { index, line, field: row.field.as_deref(), message: &row.message }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::QueueFull { .. } => Self { reason: Reason::QueueFull, ..Self::overloaded(message) },
            WriteError::SeriesLimit { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, Reason::SeriesLimit, message),
            WriteError::TooLarge { .. } => Self::too_large(message),
            WriteError::Key => Self::malformed(format!("header Idempotency-Key: {message}")),
            WriteError::KeyLimit { .. } | WriteError::Backlog { .. } | WriteError::LogFull { .. } => {
                Self::overloaded(message)
            }
            WriteError::TooManyLabels { .. } => Self::malformed(message),
            WriteError::DiskFull(_) | WriteError::NoRoom(_) => Self::no_space(message),
            WriteError::Store(_) => Self::failed(),
            WriteError::Closed => Self::closing(),
            error => {
                tracing::error!(%error, "a write failed");
                Self::internal()
            }
        }
    }
}

impl From<PromqlError> for Failure {
    fn from(error: PromqlError) -> Self {
        let message = error.to_string();
        match error {
            PromqlError::Read(error @ (QueryError::Closed | QueryError::Store(_))) => Self::from(error),
            PromqlError::TimedOut { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::QueryTimeout, message),
            error if error.is_bad_request() => Self::malformed(message),
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, Reason::Evaluation, message),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Closed => Self::closing(),
            QueryError::TimedOut { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::QueryTimeout, error.to_string())
            }
            QueryError::Store(error) => {
                tracing::error!(%error, "a query failed");
                Self::internal()
            }
            bound => Self::malformed(bound.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: Failure) -> (u16, Option<String>, String) {
        let reply = failure.into_reply(Dialect::Own, None);
        let retry = reply.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("a number").to_owned());
        (
            reply.status().as_u16(),
            retry,
            String::from_utf8(reply.body().whole().expect("a refusal is whole").to_vec()).expect("JSON"),
        )
    }

    #[test]
    fn a_full_queue_asks_to_come_back() {
        let failure = Failure::from(WriteError::QueueFull { limit: 7 });
        assert_eq!(failure.reason(), Reason::QueueFull);
        let (status, retry, body) = told(failure);
        assert_eq!((status, retry.as_deref()), (503, Some("1")));
        assert!(body.contains('7'), "{body}");
    }

    #[test]
    fn a_refusal_lists_its_rows_after_the_message() {
        let rows = vec![
            RowError { place: Place::Index(2), field: Some("value".into()), message: "is \"x\"".into() },
            RowError { place: Place::Line(9), field: None, message: "is no point".into() },
        ];
        let (status, retry, body) = told(Failure::malformed("bad").with_rows(rows));
        assert_eq!((status, retry), (400, None));
        assert_eq!(
            body,
            concat!(
                r#"{"message":"bad","errors":[{"index":2,"field":"value","message":"is \"x\""},"#,
                r#"{"line":9,"message":"is no point"}]}"#
            )
        );
    }
}
