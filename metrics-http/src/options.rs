//! What a server may be told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use metrics_core::SqlLimits;

use crate::backups::BackupOptions;
use crate::tls::Tls;
use crate::tokens::Tokens;

/// Bounds and access of a server. Every field is enforced; [`Default`] suits a machine that others use too.
///
/// ```
/// use metrics_http::ServerOptions;
/// let options = ServerOptions { allow_hosts: vec!["metrics.example".into()], ..ServerOptions::default() };
/// assert_eq!(options.body_limit_bytes, 10 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Largest body of a request as it arrives; a larger one is answered with 413. Default 10 MiB; at least 1.
    pub body_limit_bytes: usize,
    /// Largest body after decompression; a larger one is answered with 413. Default 32 MiB; at least 1.
    pub inflated_limit_bytes: usize,
    /// Most memory that the bodies of all requests take together, compressed and decompressed; a request that would
    /// exceed it is answered with 503 and `Retry-After`. Default 256 MiB; at least one body's two limits together.
    pub body_memory_bytes: usize,
    /// Largest head of a request, request line and headers together; a larger one is answered with 431, or with 414
    /// where its address alone is larger. Beyond twice as much, and beyond 100 headers, the answer has no body.
    /// Default 32 KiB; at least 1.
    pub header_limit_bytes: usize,
    /// How long a request's head may take from its first byte, or a new connection from its start, until the head is
    /// complete; the connection is then closed. Default 10 s; more than 0.
    pub header_timeout: Duration,
    /// How long a request's body may take, not counting the time that it is given for the bytes that did arrive
    /// (see [`Self::body_rate_min_bytes_per_s`]); a slower one is answered with 408. Default 10 s; more than 0.
    pub body_timeout: Duration,
    /// Every so many bytes of a body extend its time by a second. Default 64 KiB; at least 1.
    pub body_rate_min_bytes_per_s: usize,
    /// How long a connection stays open without a request after an answer. Default 75 s; more than 0.
    pub idle_timeout: Duration,
    /// How long a client may keep the server waiting with bytes of an answer (see
    /// [`Self::answer_rate_min_bytes_per_s`]); the connection is then closed. Default 10 s; more than 0.
    pub answer_timeout: Duration,
    /// Every so many bytes of an answer that a client takes give it a second of [`Self::answer_timeout`] back.
    /// Default 8 KiB; at least 1.
    pub answer_rate_min_bytes_per_s: usize,
    /// Most connections at a time; one more is answered with 503 and closed. Default 8,192; at least 1. It is lowered
    /// to half of the process's limit of open files where that is known, so that the store keeps its share.
    pub max_connections: usize,
    /// Most requests at a time, `/ping`, `/health` and `/metrics` not counted; one more is answered with 503 and
    /// `Retry-After`. Default 1,024; at least 1.
    pub max_requests: usize,
    /// Most streams of events at a time; one more is answered with 503 and `Retry-After`. Default 256; at least 1.
    pub max_streams: usize,
    /// How often a stream without events sends a comment, so that nobody on the way takes it for dead. Default 15 s;
    /// more than 0.
    pub stream_keep_alive: Duration,
    /// Most queries that run at a time; others wait for [`Self::queue_timeout`]. Default: the number of cores, at
    /// least 4.
    pub max_queries: usize,
    /// How long a query or a large body waits for its turn; it is then answered with 503 and `Retry-After`.
    /// Default 10 s.
    pub queue_timeout: Duration,
    /// How long a write waits for its commit; it is then answered with 504, and whether it was stored is not known.
    /// Default 30 s; more than 0.
    pub commit_timeout: Duration,
    /// How long the evaluation of one PromQL query may take, whatever the query itself allows; it is then answered with
    /// 503. (Other queries go by `Options::query_timeout`.) Default two minutes, as in Prometheus; more than 0.
    pub query_timeout: Duration,
    /// How long `/health` waits for the store before it says "down". Default 2 s; more than 0.
    pub health_timeout: Duration,
    /// What a statement may take that `/v1/sql` runs; without it SQL is off. Needs a store that was opened with
    /// `Options::sql`. Default: off.
    pub sql: Option<SqlLimits>,
    /// Most statements that run at a time; others wait for [`Self::queue_timeout`]. Default 2; at least 1.
    pub max_statements: usize,
    /// Where exports that are read by URL are kept for a while. Default: beside the store's file, with `.exports`
    /// appended. Its `.parquet` files are removed at the start and at the end.
    pub export_directory: Option<PathBuf>,
    /// Most exports that are kept or sent at a time; one more is answered with 503 and `Retry-After`.
    /// Default 8; at least 1.
    pub max_exports: usize,
    /// Largest file of an export, in bytes; a larger one is answered with 400. Default 2 GiB; at least 1.
    pub export_limit_bytes: u64,
    /// How long an export is kept after it was last asked for. Default 2 min; more than 0.
    pub export_lifetime: Duration,
    /// Where and when backups are made; a store that was opened with `Options::sql` has to know the folder too, as
    /// `Options::backup_directory`. Default: none are made.
    pub backups: Option<BackupOptions>,
    /// How long connections and requests are still taken after the stop, while `/ready` says that the server is
    /// stopping: time for who spreads requests over servers to notice. Default: none.
    pub drain: Duration,
    /// How long requests may take to finish after the stop. Default 8 s.
    pub grace: Duration,
    /// The origin, such as `http://localhost:3000`, whose pages may call this server, or `*` for all; none by default.
    pub cors_origin: Option<String>,
    /// Further names under which the server may be called, without port. Default: none, so that only loopback names
    /// and the address that the client connected to are served.
    pub allow_hosts: Vec<String>,
    /// The tokens of those who may ask; without any, everybody who reaches the listener may read and write, so that it
    /// should be one of this machine alone. Default: none.
    pub tokens: Option<Tokens>,
    /// Most wrong tokens that are answered with 401 from one address (of version 6: one /64) in 10 s; one more is
    /// answered with 429 and its connection closed. Good tokens pass all the same. Default 20; at least 1.
    pub max_wrong_tokens: usize,
    /// Certificate and key by which every connection is TLS. A handshake may take [`Self::header_timeout`]. Default: none,
    /// so that tokens and points go over the network as they are.
    pub tls: Option<Tls>,
}

impl ServerOptions {
    /// Refuses what no server could work with.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] names the field.
    pub(crate) fn check(&self) -> io::Result<()> {
        let counts = [
            ("body_limit_bytes", self.body_limit_bytes),
            ("inflated_limit_bytes", self.inflated_limit_bytes),
            ("header_limit_bytes", self.header_limit_bytes),
            ("body_rate_min_bytes_per_s", self.body_rate_min_bytes_per_s),
            ("answer_rate_min_bytes_per_s", self.answer_rate_min_bytes_per_s),
            ("max_statements", self.max_statements),
            ("max_connections", self.max_connections),
            ("max_requests", self.max_requests),
            ("max_streams", self.max_streams),
            ("max_queries", self.max_queries),
            ("max_exports", self.max_exports),
            ("max_wrong_tokens", self.max_wrong_tokens),
            ("export_limit_bytes", usize::try_from(self.export_limit_bytes).unwrap_or(usize::MAX)),
        ];
        let times = [
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("idle_timeout", self.idle_timeout),
            ("answer_timeout", self.answer_timeout),
            ("stream_keep_alive", self.stream_keep_alive),
            ("commit_timeout", self.commit_timeout),
            ("query_timeout", self.query_timeout),
            ("health_timeout", self.health_timeout),
            ("export_lifetime", self.export_lifetime),
        ];
        let zero_count = counts.iter().find(|(_, count)| *count == 0).map(|(name, _)| *name);
        let every = self.backups.iter().filter_map(|backups| Some(("backups.every", backups.every?)));
        let zero_time = times.into_iter().chain(every).find(|(_, time)| time.is_zero()).map(|(name, _)| name);
        let wrong = match zero_count.or(zero_time) {
            Some(name) => format!("{name} is 0: more is required"),
            None if self.body_memory_bytes < self.body_limit_bytes.saturating_add(self.inflated_limit_bytes) => {
                "body_memory_bytes is less than body_limit_bytes and inflated_limit_bytes together".to_owned()
            }
            None => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            body_limit_bytes: 10 << 20,
            inflated_limit_bytes: 32 << 20,
            body_memory_bytes: 256 << 20,
            header_limit_bytes: 32 << 10,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_rate_min_bytes_per_s: 64 << 10,
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(10),
            answer_rate_min_bytes_per_s: 8 << 10,
            max_connections: 8_192,
            max_requests: 1_024,
            max_streams: 256,
            stream_keep_alive: Duration::from_secs(15),
            max_queries: cores.max(4),
            queue_timeout: Duration::from_secs(10),
            commit_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(120),
            health_timeout: Duration::from_secs(2),
            sql: None,
            max_statements: 2,
            export_directory: None,
            max_exports: 8,
            export_limit_bytes: 2 << 30,
            export_lifetime: Duration::from_secs(120),
            backups: None,
            drain: Duration::ZERO,
            grace: Duration::from_secs(8),
            cors_origin: None,
            allow_hosts: Vec::new(),
            tokens: None,
            max_wrong_tokens: 20,
            tls: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_nothing_works_with_is_named() {
        assert!(ServerOptions::default().check().is_ok());
        for (options, word) in [
            (ServerOptions { max_requests: 0, ..ServerOptions::default() }, "max_requests"),
            (ServerOptions { idle_timeout: Duration::ZERO, ..ServerOptions::default() }, "idle_timeout"),
            (ServerOptions { body_memory_bytes: 32 << 10, ..ServerOptions::default() }, "body_memory_bytes"),
        ] {
            let error = options.check().expect_err(word);
            assert_eq!(
                (error.kind(), error.to_string().contains(word)),
                (io::ErrorKind::InvalidInput, true),
                "{error}"
            );
        }
    }
}
