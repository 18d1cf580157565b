//! What OpenTelemetry's exporters send to `POST /v1/metrics`: good data points are stored, bad ones counted in the
//! answer, which is written as the request was.

use hyper::StatusCode;
use hyper::header::HeaderValue;
use metrics_core::wire::otlp::{self, OtlpEncoding, OtlpOutcome};
use metrics_core::{IdempotencyKey, Timestamp};

use super::influx::list;
use super::write::{REPLAYED, commit, refused};
use crate::app::App;
use crate::figures::Dropped;
use crate::respond::{Dialect, Failure, Reply, content, otlp_type};

/// A request as it was read.
pub(super) struct Export {
    encoding: OtlpEncoding,
    outcome: OtlpOutcome,
}

/// Reads a request.
pub(super) fn decode(body: &[u8], encoding: OtlpEncoding, now: Timestamp) -> Result<Export, Failure> {
    let outcome = otlp::decode(body, encoding, now);
    let outcome = outcome.map_err(|error| refused(error).told_in(Dialect::Otlp(encoding)))?;
    Ok(Export { encoding, outcome })
}

impl Export {
    /// Stores the good data points; answers when they are durable.
    pub(super) async fn store(self, app: &App, key: Option<IdempotencyKey>) -> Result<Reply, Failure> {
        let Self { encoding, outcome } = self;
        // A body without points leaves its key for one that has some.
        let replayed = if outcome.batch.is_empty() {
            false
        } else {
            let receipt = commit(app, outcome.batch, key).await;
            receipt.map_err(|failure| failure.told_in(Dialect::Otlp(encoding)))?.replayed
        };
        if !replayed {
            app.figures.dropped(Dropped::StaleMarker, outcome.stale_markers);
            app.figures.dropped(Dropped::Exemplar, outcome.exemplars);
            app.figures.dropped(Dropped::ExponentialBuckets, outcome.exponential_histograms);
            app.figures.dropped(Dropped::OtlpPoint, outcome.rejected as u64);
        }
        let told = list(&outcome.errors, outcome.rejected, "data points");
        let answer = otlp::export_answer(encoding, outcome.rejected as u64, &told);
        let mut reply = content(StatusCode::OK, otlp_type(encoding), answer);
        if replayed {
            reply.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(reply)
    }
}
