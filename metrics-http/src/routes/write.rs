//! `POST /v1/metrics`: points in JSON, NDJSON, CSV or Arrow, all or nothing; or what OpenTelemetry's exporters send.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use metrics_core::wire::otlp::OtlpEncoding;
use metrics_core::wire::{self, DecodeError, csv::CsvOptions};
use metrics_core::{Batch, IdempotencyKey, Labels, MetricName, Receipt, Timestamp};
use serde::Serialize;

use super::otlp::{self, Export};
use super::read::pairs;
use crate::app::App;
use crate::body;
use crate::inflate::inflate;
use crate::limits::Grant;
use crate::negotiate::{ARROW_FILE, ARROW_STREAM, BodyFormat, Coding, PROTOBUF};
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, JSON, Reply, serialized};
use crate::tokens::Scope;

/// Bodies up to this size are decoded where they arrive: cheaper than a change of thread.
const INLINE_BYTES: usize = 16 << 10;

/// Tells that the write of this key was stored before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a write.
pub(super) const KEY: Param = Param::header(
    "Idempotency-Key",
    "A write with a key that was used in the last 24 hours changes nothing and gets the first answer; at most 128 \
     characters.",
);
/// How a body is compressed.
pub(super) const ENCODING: Param =
    Param::header("Content-Encoding", "How the body is compressed.").words(&["identity", "gzip", "deflate", "zstd"]);

pub(crate) const WRITE: Operation = Operation {
    method: "POST",
    id: "write",
    group: Group::Write,
    needs: Some(Scope::Write),
    summary: "Writes points: all or none, except of OTLP.",
    text: "The answer comes when the points are on the disk. OpenTelemetry's exporters send OTLP here, as protobuf or as \
        JSON that begins with `resourceMetrics`.",
    params: &[Param::query("name", "The metric of CSV without a column `name`."), KEY, ENCODING],
    takes: &[
        (JSON, Schema::Named("Points")),
        ("application/x-ndjson", Schema::Text),
        ("text/csv", Schema::Text),
        (ARROW_STREAM, Schema::Text),
        (ARROW_FILE, Schema::Text),
        (PROTOBUF, Schema::Text),
    ],
    gives: &[
        Answer { status: 201, text: "All are stored.", kinds: &[(JSON, Schema::Named("Written"))] },
        Answer {
            status: 200,
            text: "The good points of an OTLP export are stored; how many were not, the answer says.",
            kinds: &[(JSON, Schema::Named("OtlpAnswer")), (PROTOBUF, Schema::Text)],
        },
    ],
};

#[derive(Serialize)]
struct Written {
    status: &'static str,
    points: u64,
}

/// What a body was.
enum Decoded {
    Points(Batch),
    Export(Export),
}

/// Takes a body of points; answers when they are durable.
pub(crate) async fn points(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let format = BodyFormat::of(&head.headers)?;
    let name = metric_name(head, format)?;
    let limit = app.options.inflated_limit_bytes;
    let key = idempotency_key(head)?;
    let decode = move |plain: &[u8]| {
        let now = Timestamp::now();
        let batch = match format {
            BodyFormat::Otlp => return otlp::decode(plain, OtlpEncoding::Protobuf, now).map(Decoded::Export),
            BodyFormat::Json if wire::otlp::is_json_export(plain) => {
                return otlp::decode(plain, OtlpEncoding::Json, now).map(Decoded::Export);
            }
            BodyFormat::Json => wire::json::decode(plain, now),
            BodyFormat::Ndjson => wire::json::decode_lines(plain, now),
            BodyFormat::Csv => wire::csv::decode(plain, &CsvOptions { name, labels: Labels::empty() }),
            BodyFormat::Arrow => wire::arrow::decode(plain, name, limit),
        };
        batch.map(Decoded::Points).map_err(refused)
    };
    let (decoded, _grant) = receive(app, head, body, decode).await?;
    let batch = match decoded {
        Decoded::Points(batch) => batch,
        Decoded::Export(export) => return export.store(app, key).await,
    };
    let receipt = commit(app, batch, key).await?;
    let mut reply = serialized(StatusCode::CREATED, &Written { status: "success", points: receipt.points });
    if receipt.replayed {
        reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(reply)
}

/// Takes a body and decodes it. The grant is to be held until the commit: what was a body is a batch by then, of about
/// the same size.
pub(super) async fn receive<T: Send + 'static>(
    app: &Arc<App>,
    head: &Parts,
    body: &mut Incoming,
    decode: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
) -> Result<(T, Grant), Failure> {
    receive_coded(app, Coding::of(&head.headers)?, body, decode).await
}

/// As [`receive`], where the coding is known.
pub(super) async fn receive_coded<T: Send + 'static>(
    app: &Arc<App>,
    coding: Coding,
    body: &mut Incoming,
    decode: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
) -> Result<(T, Grant), Failure> {
    let limit = app.options.inflated_limit_bytes;
    let mut grant = app.memory.grant();
    let wire = body::read(body, &app.options, &mut grant).await?;
    let is_small = match coding {
        Coding::Identity => wire.len() <= INLINE_BYTES,
        // It cannot grow by more than it says.
        Coding::Snappy => snap::raw::decompress_len(&wire).is_ok_and(|length| length <= INLINE_BYTES),
        _ => false,
    };
    let run = move || {
        let plain = inflate(coding, wire, limit, &mut grant)?;
        Ok((decode(&plain)?, grant))
    };
    if is_small { run() } else { app.coders.run(run).await? }
}

/// Commits points and waits until they are durable.
pub(super) async fn commit(app: &App, batch: Batch, key: Option<IdempotencyKey>) -> Result<Receipt, Failure> {
    let ticket = match key {
        None => app.engine.try_write(batch)?,
        Some(key) => app.engine.try_write_keyed(batch, key)?,
    };
    let timeout = app.options.commit_timeout;
    let receipt = tokio::time::timeout(timeout, ticket).await.map_err(|_| Failure::unknown_outcome(timeout))??;
    if !receipt.replayed {
        app.figures.points_accepted.fetch_add(receipt.points, Ordering::Relaxed);
    }
    Ok(receipt)
}

/// A body that gives no batch.
pub(super) fn refused(error: DecodeError) -> Failure {
    let failure = Failure::malformed(error.to_string());
    match error {
        DecodeError::TooManyPoints { .. } => Failure::too_large(error.to_string()),
        DecodeError::Rows { first, .. } => failure.with_rows(first),
        _ => failure,
    }
}

/// The metric that rows without a name belong to: for tables only.
fn metric_name(head: &Parts, format: BodyFormat) -> Result<Option<MetricName>, Failure> {
    let mut name = None;
    for (key, value) in pairs(head)? {
        match key.as_str() {
            "name" if !matches!(format, BodyFormat::Csv | BodyFormat::Arrow) => {
                return Err(Failure::malformed(
                    "parameter \"name\" is for CSV and Arrow only: here each point has its name",
                ));
            }
            "name" if name.is_some() => return Err(Failure::malformed("parameter \"name\" is given twice")),
            "name" => {
                let checked = MetricName::new(&value);
                name = Some(checked.map_err(|error| Failure::malformed(format!("parameter \"name\": {error}")))?);
            }
            other => {
                let other: String = other.chars().take(64).collect();
                return Err(Failure::malformed(format!("unknown parameter \"{other}\"")));
            }
        }
    }
    Ok(name)
}

/// What `Idempotency-Key` says.
pub(super) fn idempotency_key(head: &Parts) -> Result<Option<IdempotencyKey>, Failure> {
    let mut lines = head.headers.get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Failure::malformed("header Idempotency-Key is given twice"));
    }
    let text = line.to_str().map_err(|_| Failure::malformed("header Idempotency-Key is not plain text"))?;
    Ok(Some(IdempotencyKey::new(text)?))
}
