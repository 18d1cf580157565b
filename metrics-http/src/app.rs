//! What all requests of a server share.

use std::io;
use std::sync::Arc;

use metrics_core::Engine;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::backups::Backups;
use crate::exports::Exports;
use crate::figures::Figures;
use crate::gate::Gate;
use crate::limits::{Memory, Workers};
use crate::options::ServerOptions;
use crate::router::Router;

/// Exports that are made at a time.
const EXPORTERS: usize = 2;
/// Checks of the store at a time.
const WATCHERS: usize = 2;

/// The shared state of a server.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) options: ServerOptions,
    pub(crate) access: Access,
    pub(crate) gate: Gate,
    pub(crate) router: Router,
    pub(crate) figures: Figures,
    /// Memory for bodies.
    pub(crate) memory: Memory,
    /// Threads for queries.
    pub(crate) readers: Workers,
    /// Threads for what only computes, large bodies and long lists: apart from the readers, so that neither waits for
    /// the other.
    pub(crate) coders: Workers,
    /// Threads for the routes that are answered whatever the load; few, for a store that hangs would keep them all.
    pub(crate) watchers: Workers,
    /// Threads for exports, which take long.
    pub(crate) exporters: Workers,
    /// Threads for SQL.
    pub(crate) statements: Workers,
    /// Files of exports.
    pub(crate) exports: Exports,
    /// Backups, where they are made.
    pub(crate) backups: Option<Arc<Backups>>,
    /// Room for requests.
    pub(crate) requests: Semaphore,
    /// Room for streams.
    pub(crate) streams: Arc<Semaphore>,
    /// The server is to stop, and is not ready any more.
    pub(crate) drain: CancellationToken,
    /// The server stops: what has no end of its own ends now.
    pub(crate) stop: CancellationToken,
}

impl App {
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when an option is none that a server could follow; [`io::ErrorKind::Other`] when
    /// the folder for backups cannot be used.
    pub(crate) fn new(engine: Engine, options: ServerOptions) -> io::Result<Self> {
        options.check()?;
        let backups = options.backups.as_ref().map(|backups| Backups::open(backups, &engine)).transpose();
        let coders = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            access: Access::new(&options)?,
            gate: Gate::new(&options),
            router: Router::new(),
            figures: Figures::new(),
            memory: Memory::new(options.body_memory_bytes),
            readers: Workers::new(options.max_queries, options.queue_timeout, "--max-queries"),
            coders: Workers::new(coders, options.queue_timeout, "--queue-timeout"),
            statements: Workers::new(options.max_statements, options.queue_timeout, "--max-statements"),
            exporters: Workers::new(EXPORTERS, options.queue_timeout, "--queue-timeout"),
            exports: Exports::new(&options, engine.path()),
            watchers: Workers::new(WATCHERS, options.health_timeout, "--health-timeout"),
            requests: Semaphore::new(options.max_requests.min(Semaphore::MAX_PERMITS)),
            streams: Arc::new(Semaphore::new(options.max_streams.min(Semaphore::MAX_PERMITS))),
            backups: backups.map_err(io::Error::other)?.map(Arc::new),
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
            engine,
            options,
        })
    }
}
