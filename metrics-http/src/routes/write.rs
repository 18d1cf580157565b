//! `POST /v1/metrics`: points in JSON, NDJSON or CSV, all or nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use metrics_core::wire::{self, DecodeError, csv::CsvOptions};
use metrics_core::{Batch, IdempotencyKey, Labels, MetricName, Timestamp};
use serde::Serialize;

use super::read::pairs;
use crate::app::App;
use crate::body;
use crate::inflate::inflate;
use crate::limits::Grant;
use crate::negotiate::{BodyFormat, Coding};
use crate::respond::{Failure, Reply, serialized};

/// Bodies up to this size are decoded where they arrive: cheaper than a change of thread.
const INLINE_BYTES: usize = 16 << 10;

#[derive(Serialize)]
struct Written {
    status: &'static str,
    points: u64,
}

/// Takes a body of points; answers when they are durable.
pub(crate) async fn points(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    let decoder = Decoder::of(head, app.options.inflated_limit_bytes)?;
    let key = idempotency_key(head)?;
    let mut grant = app.memory.grant();
    let wire = body::read(body, &app.options, &mut grant).await?;
    let is_small = decoder.coding == Coding::Identity && wire.len() <= INLINE_BYTES;
    // The grant is held until the commit: what was a body is a batch by then, of about the same size.
    let (batch, _grant) =
        if is_small { decoder.run(wire, grant)? } else { app.coders.run(move || decoder.run(wire, grant)).await?? };
    let ticket = match key {
        None => app.engine.try_write(batch)?,
        Some(key) => app.engine.try_write_keyed(batch, key)?,
    };
    let timeout = app.options.commit_timeout;
    let receipt = tokio::time::timeout(timeout, ticket).await.map_err(|_| Failure::unknown_outcome(timeout))??;
    let mut reply = serialized(StatusCode::CREATED, &Written { status: "success", points: receipt.points });
    if receipt.replayed {
        reply.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    } else {
        app.figures.points_accepted.fetch_add(receipt.points, Ordering::Relaxed);
    }
    Ok(reply)
}

/// How the bytes of one request become points.
struct Decoder {
    format: BodyFormat,
    coding: Coding,
    csv: CsvOptions,
    inflated_limit_bytes: usize,
}

impl Decoder {
    /// By headers and query string.
    fn of(head: &Parts, inflated_limit_bytes: usize) -> Result<Self, Failure> {
        let format = BodyFormat::of(&head.headers)?;
        let coding = Coding::of(&head.headers)?;
        let csv = CsvOptions { name: csv_name(head, format)?, labels: Labels::empty() };
        Ok(Self { format, coding, csv, inflated_limit_bytes })
    }

    fn run(self, wire: Bytes, mut grant: Grant) -> Result<(Batch, Grant), Failure> {
        let plain = inflate(self.coding, wire, self.inflated_limit_bytes, &mut grant)?;
        let now = Timestamp::now();
        let batch = match self.format {
            BodyFormat::Json => wire::json::decode(&plain, now),
            BodyFormat::Ndjson => wire::json::decode_lines(&plain, now),
            BodyFormat::Csv => wire::csv::decode(&plain, &self.csv),
        };
        Ok((batch.map_err(refused)?, grant))
    }
}

fn refused(error: DecodeError) -> Failure {
    let failure = Failure::malformed(error.to_string());
    match error {
        DecodeError::Rows { first, .. } => failure.with_rows(first),
        _ => failure,
    }
}

/// The metric that rows without a name belong to: for CSV only.
fn csv_name(head: &Parts, format: BodyFormat) -> Result<Option<MetricName>, Failure> {
    let mut name = None;
    for (key, value) in pairs(head)? {
        match key.as_str() {
            "name" if format != BodyFormat::Csv => {
                return Err(Failure::malformed(
                    "parameter \"name\" is for text/csv only: here each point has its name",
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

fn idempotency_key(head: &Parts) -> Result<Option<IdempotencyKey>, Failure> {
    let mut lines = head.headers.get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Failure::malformed("header Idempotency-Key is given twice"));
    }
    let text = line.to_str().map_err(|_| Failure::malformed("header Idempotency-Key is not plain text"))?;
    Ok(Some(IdempotencyKey::new(text)?))
}
