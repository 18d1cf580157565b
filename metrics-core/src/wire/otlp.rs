//! OpenTelemetry metrics (opentelemetry.io/docs/specs/otlp): `ExportMetricsServiceRequest` in protobuf or JSON.
//!
//! | OTLP | series |
//! | --- | --- |
//! | gauge, sum | `name` |
//! | histogram | `name_bucket` with the label `le` (points up to that bound, as Prometheus counts them), `name_sum`, `name_count` |
//! | exponential histogram | `name_sum`, `name_count`; its buckets are counted and skipped |
//! | summary | `name` with the label `quantile`, `name_sum`, `name_count` |
//!
//! In names of metrics and labels each character but letters, digits, `_` (and `:` in metrics) becomes `_`, as in
//! Prometheus: `http.server.duration` is `http_server_duration`. Attributes of a point become labels, and those of the
//! resource that tell one source from another ([`RESOURCE_ATTRIBUTES`]); a point's attribute goes before the resource's.
//! What adds up since the last report (delta temporality) is stored so and has the label `temporality="delta"`: it is
//! summed over a window, where cumulative values take `increase`. Points that break a bound are rejected and told; the
//! good ones are kept. Points that say "no recorded value" are counted and dropped.

mod answer;
mod json;
mod labels;
mod protobuf;
mod store;

pub use answer::{export_answer, status};
pub use json::is_export as is_json_export;
pub use labels::RESOURCE_ATTRIBUTES;
pub use store::MAX_BUCKETS;

use super::error::{DecodeError, RowError};
use crate::model::{Batch, Timestamp};

/// How a request and its answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpEncoding {
    /// Protobuf.
    Protobuf,
    /// JSON as protobuf's own mapping writes it.
    Json,
}

/// What a request holds.
#[derive(Debug, Default)]
pub struct OtlpOutcome {
    /// The points of the good data points.
    pub batch: Batch,
    /// The first rejected data points, each under its metric's name; at most [`super::MAX_LISTED_ROWS`].
    pub errors: Vec<RowError>,
    /// Rejected data points. Nothing of them is in the batch.
    pub rejected: usize,
    /// Data points that say "no recorded value", which are dropped.
    pub stale_markers: u64,
    /// Exemplars, which are skipped.
    pub exemplars: u64,
    /// Exponential histograms whose buckets are skipped.
    pub exponential_histograms: u64,
}

/// Reads a request: good data points into the batch, bad ones into the errors. `now` stands in for absent times.
///
/// # Errors
/// [`DecodeError::Syntax`] when the body is no such message, [`DecodeError::TooManyPoints`] beyond
/// [`super::MAX_BATCH_POINTS`]. Nothing of it is to be stored then.
///
/// ```
/// use metrics_core::Timestamp;
/// use metrics_core::wire::otlp::{self, OtlpEncoding};
/// let body = br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
///   "scopeMetrics":[{"metrics":[{"name":"cart.size","gauge":{"dataPoints":[{"timeUnixNano":"5000000","asInt":"3"}]}}]}]}]}"#;
/// let outcome = otlp::decode(body, OtlpEncoding::Json, Timestamp::now())?;
/// let points: Vec<String> = outcome.batch.points().map(|(key, at, value)| format!("{key} {at} {value}")).collect();
/// assert_eq!(points, [r#"cart_size{service_name="shop"} 1970-01-01T00:00:00.005Z 3"#]);
/// # Ok::<(), metrics_core::wire::DecodeError>(())
/// ```
pub fn decode(body: &[u8], encoding: OtlpEncoding, now: Timestamp) -> Result<OtlpOutcome, DecodeError> {
    match encoding {
        OtlpEncoding::Protobuf => protobuf::decode(body, now),
        OtlpEncoding::Json => json::decode(body, now),
    }
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
