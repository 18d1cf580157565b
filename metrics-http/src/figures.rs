//! What the server counts of itself.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hyper::StatusCode;

use crate::router::Route;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Malformed,
    Partial,
    TooLarge,
    Unsupported,
    Unauthorized,
    Forbidden,
    NotFound,
    Method,
    NotAcceptable,
    Slow,
    SeriesLimit,
    QueueFull,
    Overloaded,
    Closed,
    CommitTimeout,
    Internal,
    QueryTimeout,
    Evaluation,
    NoSpace,
    Failed,
}

impl Reason {
    /// All of them with the words that the figures use.
    pub(crate) const ALL: [(Self, &'static str); 20] = [
        (Self::Malformed, "malformed"),
        (Self::Partial, "partial"),
        (Self::TooLarge, "too_large"),
        (Self::Unsupported, "unsupported"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Forbidden, "forbidden"),
        (Self::NotFound, "not_found"),
        (Self::Method, "method"),
        (Self::NotAcceptable, "not_acceptable"),
        (Self::Slow, "slow"),
        (Self::SeriesLimit, "series_limit"),
        (Self::QueueFull, "queue_full"),
        (Self::Overloaded, "overloaded"),
        (Self::Closed, "closed"),
        (Self::CommitTimeout, "commit_timeout"),
        (Self::Internal, "internal"),
        (Self::QueryTimeout, "query_timeout"),
        (Self::Evaluation, "evaluation"),
        (Self::NoSpace, "no_space"),
        (Self::Failed, "failed"),
    ];
}

/// What writes held that is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    StaleMarker,
    Exemplar,
    Metadata,
    NativeHistogram,
    ExponentialBuckets,
    RemoteSample,
    OtlpPoint,
}

impl Dropped {
    /// All of them with the figures' names and what they count.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 7] = [
        (
            Self::StaleMarker,
            "metrics_http_stale_markers_dropped_total",
            "Ends of series in remote write and OTLP, which are no values.",
        ),
        (Self::Exemplar, "metrics_http_exemplars_skipped_total", "Exemplars in remote write and OTLP."),
        (Self::Metadata, "metrics_http_metadata_skipped_total", "Descriptions of metrics in remote write."),
        (
            Self::NativeHistogram,
            "metrics_http_native_histograms_skipped_total",
            "Samples of native histograms in remote write.",
        ),
        (
            Self::ExponentialBuckets,
            "metrics_http_exponential_buckets_skipped_total",
            "Exponential histograms in OTLP of which sum and count are stored.",
        ),
        (
            Self::RemoteSample,
            "metrics_http_remote_write_samples_rejected_total",
            "Bad samples in remote write; the good ones beside them are stored.",
        ),
        (
            Self::OtlpPoint,
            "metrics_http_otlp_points_rejected_total",
            "Bad data points in OTLP; the good ones beside them are stored.",
        ),
    ];
}

/// The statuses that the server gives; 0 stands for any other.
pub(crate) const STATUSES: [u16; 22] =
    [200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 408, 413, 414, 415, 422, 429, 431, 500, 503, 504, 507, 0];
/// Upper bounds of the buckets of request durations, in microseconds.
pub(crate) const BUCKETS_US: [u64; 9] = [500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];

/// How long the requests of one route took.
#[derive(Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    fn record(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|&bound| micros <= bound).unwrap_or(BUCKETS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// Requests in each bucket (not cumulative; the last one has no upper bound), and the sum in microseconds.
    pub(crate) fn read(&self) -> ([u64; BUCKETS_US.len() + 1], u64) {
        let counts = std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed));
        (counts, self.sum_us.load(Ordering::Relaxed))
    }
}

/// The counters of a server.
pub(crate) struct Figures {
    /// By route, then by status in the order of [`STATUSES`]; the last stands for any other.
    requests: Vec<[AtomicU64; STATUSES.len()]>,
    durations: Vec<Durations>,
    rejected: [AtomicU64; Reason::ALL.len()],
    /// Points whose commit was answered.
    pub(crate) points_accepted: AtomicU64,
    /// Bad lines of line protocol.
    pub(crate) lines_rejected: AtomicU64,
    /// Text fields of line protocol, which hold no number.
    pub(crate) strings_skipped: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// Connections closed at once because there were too many.
    pub(crate) connections_refused: AtomicU64,
    /// When the server started.
    pub(crate) started: SystemTime,
}

impl Figures {
    pub(crate) fn new() -> Self {
        Self {
            requests: Route::ALL.iter().map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect(),
            durations: Route::ALL.iter().map(|_| Durations::default()).collect(),
            rejected: std::array::from_fn(|_| AtomicU64::new(0)),
            points_accepted: AtomicU64::new(0),
            lines_rejected: AtomicU64::new(0),
            strings_skipped: AtomicU64::new(0),
            dropped: std::array::from_fn(|_| AtomicU64::new(0)),
            connections: AtomicUsize::new(0),
            connections_refused: AtomicU64::new(0),
            started: SystemTime::now(),
        }
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, route: Route, status: StatusCode, elapsed: Duration) {
        let at = STATUSES.iter().position(|&known| known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.requests[route as usize][at].fetch_add(1, Ordering::Relaxed);
        self.durations[route as usize].record(elapsed);
    }

    /// Counts a refused write.
    pub(crate) fn rejected(&self, reason: Reason) {
        self.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was not stored.
    pub(crate) fn dropped(&self, what: Dropped, count: u64) {
        self.dropped[what as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// What was not stored: name, meaning, count.
    pub(crate) fn drops(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let counts = self.dropped.iter().map(|count| count.load(Ordering::Relaxed));
        Dropped::ALL.iter().zip(counts).map(|((_, name, help), count)| (*name, *help, count))
    }

    /// Requests of a route by status, only where there were any.
    pub(crate) fn requests(&self, route: Route) -> impl Iterator<Item = (u16, u64)> {
        let counts = self.requests[route as usize].iter().map(|count| count.load(Ordering::Relaxed));
        STATUSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    pub(crate) fn durations(&self, route: Route) -> &Durations {
        &self.durations[route as usize]
    }

    /// Refused writes by those reasons that a write can meet.
    pub(crate) fn rejections(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let never = [Reason::NotFound, Reason::Method, Reason::NotAcceptable, Reason::QueryTimeout, Reason::Evaluation];
        let reasons = Reason::ALL.iter().filter(move |(reason, _)| !never.contains(reason));
        reasons.map(|&(reason, word)| (word, self.rejected[reason as usize].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_in_the_order_of_their_enums() {
        assert!(Reason::ALL.iter().enumerate().all(|(at, (reason, _))| *reason as usize == at));
        assert!(Dropped::ALL.iter().enumerate().all(|(at, (what, ..))| *what as usize == at));
        assert!(Route::ALL.iter().enumerate().all(|(at, route)| *route as usize == at));
    }

    #[test]
    fn durations_fall_into_the_first_bucket_that_holds_them() {
        let durations = Durations::default();
        for micros in [0, 500, 501, 10_000_000, 10_000_001] {
            durations.record(Duration::from_micros(micros));
        }
        assert_eq!(durations.read(), ([2, 1, 0, 0, 0, 0, 0, 0, 1, 1], 20_001_002));
    }
}
