//! `POST /api/v1/write`: Prometheus remote write 1.0. Good samples are stored and bad ones listed, as Prometheus does
//! when it receives. Version 2 is refused with 415, upon which its senders fall back.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use metrics_core::wire::remote_write::{self, RemoteWriteOutcome};

use super::influx::list;
use super::write::{KEY, REPLAYED, commit, idempotency_key, receive_coded, refused};
use crate::app::App;
use crate::figures::Dropped;
use crate::negotiate::{self, Coding, PROTOBUF};
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::{Failure, Reply, no_content};
use crate::tokens::Scope;

/// The message of version 1, where the content type names it.
const MESSAGE: &str = "prometheus.WriteRequest";

pub(crate) const REMOTE_WRITE: Operation = Operation {
    method: "POST",
    id: "remote_write",
    group: Group::Write,
    needs: Some(Scope::Write),
    summary: "Takes Prometheus remote write 1.0.",
    text: "Good samples are stored, bad ones are answered with 400 and listed. Version 2.0 is answered with 415.",
    params: &[
        KEY,
        Param::header("Content-Encoding", "How the body is compressed; snappy by default.")
            .words(&["snappy", "identity", "gzip", "deflate", "zstd"]),
    ],
    takes: &[(PROTOBUF, Schema::Text)],
    gives: &[Answer { status: 204, text: "All samples are stored.", kinds: &[] }],
};

/// Takes samples; answers when the good ones are durable.
pub(crate) async fn write(app: &Arc<App>, head: &Parts, body: &mut Incoming) -> Result<Reply, Failure> {
    check_version(&head.headers)?;
    let coding = Coding::of_remote_write(&head.headers)?;
    let key = idempotency_key(head)?;
    let decode = |plain: &[u8]| remote_write::decode(plain).map_err(refused);
    let (outcome, _grant) = receive_coded(app, coding, body, decode).await?;
    let RemoteWriteOutcome { batch, errors, error_count, .. } = outcome;
    let is_empty = batch.is_empty();
    // A body without samples leaves its key for one that has some.
    let replayed = !is_empty && commit(app, batch, key).await?.replayed;
    if !replayed {
        app.figures.dropped(Dropped::StaleMarker, outcome.stale_markers);
        app.figures.dropped(Dropped::Exemplar, outcome.exemplars);
        app.figures.dropped(Dropped::NativeHistogram, outcome.native_histograms);
        app.figures.dropped(Dropped::Metadata, outcome.metadata);
        app.figures.dropped(Dropped::RemoteSample, error_count as u64);
    }
    let mark = replayed.then(|| HeaderValue::from_static("true"));
    if error_count == 0 {
        let mut reply = no_content();
        reply.headers_mut().extend(mark.map(|mark| (REPLAYED, mark)));
        return Ok(reply);
    }
    let told = list(&errors, error_count, "samples");
    let failure = match is_empty {
        true => Failure::malformed(format!("no sample is stored: {told}")),
        false => Failure::partial(format!("partial write: the good samples are stored; bad ones: {told}")),
    };
    let failure = failure.with_rows(errors);
    Err(match mark {
        Some(mark) => failure.with(REPLAYED, mark),
        None => failure,
    })
}

/// Refuses what is not version 1, by its content type or by its version.
fn check_version(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = negotiate::content_type(headers)?;
    let line = headers.get(CONTENT_TYPE).and_then(|line| line.to_str().ok()).unwrap_or_default();
    let mut parameters = line.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let message = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("proto"));
    let message = message.map_or(MESSAGE, |(_, value)| value.trim().trim_matches('"'));
    let version = headers.get("x-prometheus-remote-write-version").map_or(&b"0.1.0"[..], HeaderValue::as_bytes);
    let is_first = version.starts_with(b"0.") || version.starts_with(b"1.");
    if (kind.is_empty() || kind == PROTOBUF) && message == MESSAGE && is_first {
        return Ok(());
    }
    Err(Failure::unsupported(
        "only Prometheus remote write 1.0 is taken: send Content-Type: application/x-protobuf;proto=prometheus.WriteRequest \
         and X-Prometheus-Remote-Write-Version: 0.1.0",
    ))
}
