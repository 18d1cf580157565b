//! What a server may be made to hold, do and wait for: every bound, with its default.

use std::time::Duration;

use clap::Args;
use metrics_core::{Options, SqlLimits};
use metrics_http::ServerOptions;

use super::values::{above_zero, count, labels, size};

/// Bounds of a server. (Those of a store's file that other commands have too are in [`super::StoreArgs`].)
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Largest body of a request as it arrives; over it: 413
    #[arg(long, value_name = "SIZE", default_value = "10MiB", value_parser = size)]
    body_limit: u64,
    /// Largest body after decompression; over it: 413
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    inflated_limit: u64,
    /// Memory for the bodies of all requests at a time, compressed and decompressed; over it: 503
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    body_memory: u64,
    /// Largest head of a request; over it: 431, or 414 where the address alone is longer
    #[arg(long, value_name = "SIZE", default_value = "32KiB", value_parser = size)]
    header_limit: u64,
    /// Time for a request's head, from its first byte or the start of the connection; over it the connection is closed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    header_timeout: Duration,
    /// Time for a request's body, and a second more for every --body-rate of it; over it: 408
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    body_timeout: Duration,
    /// Bytes of a body that extend its time by a second
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = size)]
    body_rate: u64,
    /// How long a client may keep the server waiting with bytes of an answer, and a second more for every
    /// --answer-rate that it takes; over it the connection is closed, a stream's too
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    answer_timeout: Duration,
    /// Bytes of an answer that earn a waiting client a second
    #[arg(long, value_name = "SIZE", default_value = "8KiB", value_parser = size)]
    answer_rate: u64,
    /// How long a connection stays open without a request; over it it is closed
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = above_zero)]
    idle_timeout: Duration,
    /// Connections at a time, at most half of the files that the process may open; over it: 503
    #[arg(long, value_name = "N", default_value = "8192", value_parser = count)]
    max_connections: usize,
    /// Requests at a time, /ping, /health and /metrics not counted; over it: 503
    #[arg(long, value_name = "N", default_value = "1024", value_parser = count)]
    max_requests: usize,
    /// Streams of events (/v1/stream) at a time; over it: 503
    #[arg(long, value_name = "N", default_value = "256", value_parser = count)]
    max_streams: usize,
    /// Wrong tokens of one address in 10 s, where tokens are asked for; over it: 429, and the connection is closed
    #[arg(long, value_name = "N", default_value = "20", value_parser = count)]
    max_wrong_tokens: usize,
    /// Queries that run at a time, the cores but at least 4 by default; others wait for --queue-timeout
    #[arg(long, value_name = "N", value_parser = count)]
    max_queries: Option<usize>,
    /// How long a query or a large body waits for its turn; over it: 503
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    queue_timeout: Duration,
    /// How long a query may take, a PromQL query too; over it: 503
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = above_zero)]
    query_timeout: Duration,
    /// Windows, of all groups together, in one answer; over it: 400
    #[arg(long, value_name = "N", default_value = "10000000", value_parser = count)]
    max_windows: usize,
    /// Values that one PromQL query makes, 8 bytes each; over it: 422
    #[arg(long, value_name = "N", default_value = "50000000", value_parser = count)]
    max_promql_values: usize,
    /// How long a statement of SQL may run; over it: 504
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = above_zero)]
    sql_timeout: Duration,
    /// Rows of a statement's result; over it: 400
    #[arg(long, value_name = "N", default_value = "100000", value_parser = count)]
    sql_rows: usize,
    /// Memory of a statement's result; over it: 400
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    sql_memory: u64,
    /// Statements that run at a time; others wait for --queue-timeout
    #[arg(long, value_name = "N", default_value = "2", value_parser = count)]
    max_statements: usize,
    /// Exports that are kept or sent at a time; over it: 503
    #[arg(long, value_name = "N", default_value = "8", value_parser = count)]
    max_exports: usize,
    /// Largest file of an export by URL; over it: 400
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    export_limit: u64,
    /// How long an export is kept after it was last asked for
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = above_zero)]
    export_lifetime: Duration,
    /// Points that wait for their commit; over it: 503
    #[arg(long, value_name = "N", default_value = "500000", value_parser = count)]
    queue_points: usize,
    /// Points of one write; over it: 413
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = count)]
    batch_points: usize,
    /// How long a write waits for its commit; over it: 504, and nobody knows whether it is stored
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = above_zero)]
    commit_timeout: Duration,
    /// Labels of a series, at most 32; over it: 400
    #[arg(long, value_name = "N", default_value = "32", value_parser = labels)]
    max_labels: usize,
    /// Idempotency keys that are remembered; over it: 503
    #[arg(long, value_name = "N", default_value = "2000000", value_parser = count)]
    max_keys: usize,
    /// How long /health waits for the store; over it: 503
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = above_zero)]
    health_timeout: Duration,
    /// How long requests may take to finish once the server is to stop; over it they are dropped
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = above_zero)]
    grace: Duration,
}

/// As a number of bytes in memory; a machine that cannot count so many has not so many.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

impl LimitArgs {
    /// The bounds that the server keeps.
    pub(crate) fn server(&self) -> ServerOptions {
        let usual = ServerOptions::default();
        ServerOptions {
            body_limit_bytes: bytes(self.body_limit),
            inflated_limit_bytes: bytes(self.inflated_limit),
            body_memory_bytes: bytes(self.body_memory),
            header_limit_bytes: bytes(self.header_limit),
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            body_rate_min_bytes_per_s: bytes(self.body_rate),
            answer_timeout: self.answer_timeout,
            answer_rate_min_bytes_per_s: bytes(self.answer_rate),
            idle_timeout: self.idle_timeout,
            max_connections: self.max_connections,
            max_requests: self.max_requests,
            max_streams: self.max_streams,
            max_wrong_tokens: self.max_wrong_tokens,
            max_queries: self.max_queries.unwrap_or(usual.max_queries),
            queue_timeout: self.queue_timeout,
            query_timeout: self.query_timeout,
            max_statements: self.max_statements,
            max_exports: self.max_exports,
            export_limit_bytes: self.export_limit,
            export_lifetime: self.export_lifetime,
            commit_timeout: self.commit_timeout,
            health_timeout: self.health_timeout,
            grace: self.grace,
            ..usual
        }
    }

    /// What a statement of SQL may take.
    pub(crate) fn sql(&self) -> SqlLimits {
        SqlLimits { timeout: self.sql_timeout, max_rows: self.sql_rows, max_bytes: bytes(self.sql_memory) }
    }

    /// The bounds that the store keeps.
    pub(crate) fn store(&self, options: Options) -> Options {
        Options {
            query_timeout: self.query_timeout,
            max_cells: self.max_windows,
            max_promql_values: self.max_promql_values,
            queue_points: self.queue_points,
            batch_points: self.batch_points,
            max_labels: self.max_labels,
            max_keys: self.max_keys,
            ..options
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
