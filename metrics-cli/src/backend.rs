//! Where points are: in a file that this process opens, or behind a running server.

use std::path::{Path, PathBuf};

use anyhow::Context;
use metrics_core::{Batch, Engine, Frame, LabelFilter, MetricName, Options, QueryRequest, SeriesInfo};
use metrics_sdk::Client;
use tokio::task::JoinSet;

use crate::args::{StoreArgs, TargetArgs};
use crate::output::WrongUsage;
use crate::remote::Remote;

/// The file that is used where none is named.
const DEFAULT_FILE: &str = "metrics.duckdb";
/// Writes that wait for their answer at a time; one more waits for the first of them.
const MOST_IN_FLIGHT: usize = 8;

/// Points of one command from which on the file is put in order.
const BULK_POINTS: u64 = 100_000;

/// What `--db`, `--url` and the environment name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A store's file.
    File(PathBuf),
    /// A server's address.
    Server(Remote),
}

impl Target {
    /// The target of a command: an option goes before what the environment and the configuration say, and there a
    /// server before a file.
    ///
    /// # Errors
    /// [`WrongUsage`] when both options are given, or a server and an option of a store.
    pub(crate) fn of(args: TargetArgs) -> Result<Self, WrongUsage> {
        let elsewhere = args.elsewhere;
        let url = match (args.db, args.url) {
            (Some(_), Some(_)) => {
                return Err(WrongUsage("--db and --url cannot be used together: name a file or a server".into()));
            }
            (Some(file), None) => return Ok(Self::File(file)),
            (None, Some(url)) => url,
            (None, None) => match elsewhere.url {
                Some(url) => url,
                None => return Ok(Self::File(elsewhere.db.unwrap_or_else(|| DEFAULT_FILE.into()))),
            },
        };
        match elsewhere.store_option {
            Some(option) => Err(WrongUsage(format!(
                "--{option} is about a store's file: a server at --url has its own, set when it is started"
            ))),
            None => Ok(Self::Server(Remote { url, args: args.remote })),
        }
    }

    /// The file of a command that needs one; a server that the environment names is not looked at.
    ///
    /// # Errors
    /// [`WrongUsage`] when `--url` is given.
    pub(crate) fn file(args: TargetArgs) -> Result<PathBuf, WrongUsage> {
        if args.url.is_some() {
            return Err(WrongUsage("this command works on a file: give --db in place of --url".into()));
        }
        Ok(args.db.or(args.elsewhere.db).unwrap_or_else(|| DEFAULT_FILE.into()))
    }
}

/// Whether a command may make a new store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It reads: the file must be there.
    Read,
    /// It writes.
    Write,
}

/// An open target.
#[derive(Clone)]
pub(crate) enum Backend {
    /// The store, in this process.
    File(Engine),
    /// A server.
    Server(Client),
}

/// Opens a store's file.
pub(crate) async fn open_file(file: &Path, access: Access, options: Options) -> anyhow::Result<Engine> {
    if access == Access::Read && !file.exists() {
        anyhow::bail!("{} does not exist: name the store's file with --db, or a server with --url", file.display());
    }
    let file = file.to_owned();
    Ok(tokio::task::spawn_blocking(move || Engine::open_with(file, options)).await??)
}

impl Backend {
    /// Opens a target; `store` tells how a file is opened.
    pub(crate) async fn open(target: &Target, access: Access, store: StoreArgs) -> anyhow::Result<Self> {
        Ok(match target {
            Target::File(file) => Self::File(open_file(file, access, store.options()).await?),
            Target::Server(remote) => Self::Server(remote.client()?),
        })
    }

    /// Every metric's name, ascending.
    pub(crate) async fn metric_names(&self) -> anyhow::Result<Vec<MetricName>> {
        Ok(match self {
            Self::File(engine) => engine.metric_names(),
            Self::Server(client) => client.metric_names().await?,
        })
    }

    /// The series of one metric, or of all, that pass the filters, in order.
    pub(crate) async fn series(&self, name: Option<&str>, filters: &[LabelFilter]) -> anyhow::Result<Vec<SeriesInfo>> {
        Ok(match self {
            Self::File(engine) => engine.series(name, filters),
            Self::Server(client) => client.series(name, filters).await?,
        })
    }

    /// The series of one metric, or of all, that pass the filters; of a server's only name, labels and the latest
    /// point are known.
    pub(crate) async fn latest(&self, name: Option<&str>, filters: &[LabelFilter]) -> anyhow::Result<Vec<SeriesInfo>> {
        let client = match self {
            Self::File(engine) => return Ok(engine.series(name, filters)),
            Self::Server(client) => client,
        };
        let info = |latest: metrics_sdk::Latest| SeriesInfo {
            key: latest.key,
            first: latest.timestamp,
            last: latest.timestamp,
            last_value: latest.value,
            count: 1,
        };
        Ok(client.latest(name, filters).await?.into_iter().map(info).collect())
    }

    /// Answers a query.
    pub(crate) async fn query(&self, request: &QueryRequest) -> anyhow::Result<Frame> {
        match self {
            Self::File(engine) => {
                let (engine, request) = (engine.clone(), request.clone());
                Ok(tokio::task::spawn_blocking(move || engine.query(&request)).await??)
            }
            Self::Server(client) => Ok(client.query(request).await?),
        }
    }

    /// Writes a batch and returns how many points are stored for good.
    pub(crate) async fn write(&self, batch: Batch) -> anyhow::Result<u64> {
        match self {
            Self::File(engine) => {
                // Waits for room in the queue, in order: a batch must not overtake the one before it.
                let ticket = tokio::task::block_in_place(|| engine.write(batch))?;
                Ok(ticket.await?.points)
            }
            Self::Server(client) => Ok(client.write(&batch).await?.points),
        }
    }

    /// Puts the file in order after so many points were written at once, when they are many: it becomes smaller, and
    /// the next command opens it sooner. A server sees to its file itself.
    pub(crate) async fn after_bulk(&self, points: u64) -> anyhow::Result<()> {
        if let (Self::File(engine), BULK_POINTS..) = (self, points) {
            let engine = engine.clone();
            let compacted = tokio::task::spawn_blocking(move || engine.compact()).await?;
            compacted.context("every point is stored, but the file could not be put in order")?;
        }
        Ok(())
    }

    /// Closes the store; a server goes on.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::File(engine) => {
                tokio::task::spawn_blocking(move || engine.close()).await?.context("closing the store failed")
            }
            Self::Server(_) => Ok(()),
        }
    }
}

/// Keeps several writes under way.
pub(crate) struct Upload<'a> {
    backend: &'a Backend,
    in_flight: JoinSet<anyhow::Result<u64>>,
    stored: u64,
}

impl<'a> Upload<'a> {
    pub(crate) fn new(backend: &'a Backend) -> Self {
        Self { backend, in_flight: JoinSet::new(), stored: 0 }
    }

    /// Points stored for good so far.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// Sends a batch on its way, after waiting for room.
    ///
    /// # Errors
    /// That of this write, or of an earlier one.
    pub(crate) async fn send(&mut self, batch: Batch) -> anyhow::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        while self.in_flight.len() >= MOST_IN_FLIGHT {
            self.settle_one().await?;
        }
        match self.backend {
            Backend::File(engine) => {
                let ticket = tokio::task::block_in_place(|| engine.write(batch))?;
                self.in_flight.spawn(async { Ok(ticket.await?.points) });
            }
            Backend::Server(client) => {
                let client = client.clone();
                self.in_flight.spawn(async move { Ok(client.write(&batch).await?.points) });
            }
        }
        Ok(())
    }

    /// Waits for every write under way, also after one has failed: the count is then right.
    ///
    /// # Errors
    /// The first that failed.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while !self.in_flight.is_empty() {
            let one = self.settle_one().await;
            result = result.and(one);
        }
        result
    }

    async fn settle_one(&mut self) -> anyhow::Result<()> {
        if let Some(answer) = self.in_flight.join_next().await {
            self.stored += answer??;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Elsewhere, RemoteArgs};

    fn args(line: [Option<&str>; 2], elsewhere: [Option<&str>; 2]) -> TargetArgs {
        let ([db, url], [other_db, other_url]) = (line, elsewhere);
        let elsewhere = Elsewhere {
            db: other_db.map(PathBuf::from),
            url: other_url.map(String::from),
            store_option: Some("threads".into()),
        };
        TargetArgs { db: db.map(PathBuf::from), url: url.map(String::from), elsewhere, remote: RemoteArgs::default() }
    }

    fn server(url: &str) -> Target {
        Target::Server(Remote { url: url.into(), args: RemoteArgs::default() })
    }

    #[test]
    fn options_go_before_what_is_said_elsewhere() {
        let both = [Some("e.duckdb"), Some("http://e")];
        let file = |name: &str| Target::File(name.into());
        let of = |line, elsewhere| {
            let mut args = args(line, elsewhere);
            args.elsewhere.store_option = None;
            Target::of(args).expect("valid")
        };
        assert_eq!(of([Some("a"), None], both), file("a"));
        assert_eq!(of([None, Some("http://a")], both), server("http://a"));
        assert_eq!(of([None, None], both), server("http://e"));
        assert_eq!(of([None, None], [Some("e.duckdb"), None]), file("e.duckdb"));
        assert_eq!(of([None, None], [None, None]), file("metrics.duckdb"));
        assert_eq!(Target::file(args([None, None], both)).expect("valid"), PathBuf::from("e.duckdb"));
    }

    #[test]
    fn a_file_and_a_server_together_are_refused() {
        assert!(Target::of(args([Some("a"), Some("http://a")], [None, None])).is_err());
        assert!(Target::file(args([None, Some("http://a")], [None, None])).is_err());
    }

    #[test]
    fn an_option_of_a_store_is_for_files_only() {
        assert!(Target::of(args([Some("a"), None], [None, None])).is_ok());
        let WrongUsage(error) = Target::of(args([None, Some("http://a")], [None, None])).expect_err("a server");
        assert!(error.starts_with("--threads is about a store's file"), "{error}");
    }
}
