//! `serve`: the HTTP server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::Context;
use metrics_core::{Engine, Options, StoreError};
use metrics_http::{BackupOptions, ServerOptions};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::reload::Files;
use super::{collect, simulate};
use crate::args::ServeArgs;
use crate::backend::{Access, Backend, open_file};
use crate::collector::Collector;
use crate::output::{WrongUsage, print};
use crate::simulator::Simulator;
use crate::{notify, signal};

/// What `--simulate` writes.
const SIMULATED_METRICS: usize = 20;
/// See [`SIMULATED_METRICS`].
const SIMULATED_INTERVAL: Duration = Duration::from_millis(300);

/// Time between two samples of `--collect`.
const COLLECT_INTERVAL: Duration = Duration::from_secs(5);

/// Refuses what would let strangers in unasked, and a schedule for nothing.
///
/// # Errors
/// [`WrongUsage`] for an address that other machines reach where no token is asked for, for half of what TLS needs, and for
/// backups without a folder.
pub(crate) fn check(args: &ServeArgs) -> Result<(), WrongUsage> {
    if args.backup_every.is_some() && args.backup_dir.is_none() {
        return Err(WrongUsage("--backup-every needs --backup-dir, the folder that backups go into".into()));
    }
    if args.access.tls_cert.is_some() != args.access.tls_key.is_some() {
        return Err(WrongUsage("--tls-cert and --tls-key are needed together".into()));
    }
    let ip = args.listen.ip().to_canonical();
    if ip.is_loopback() || args.insecure || args.access.token_file.is_some() {
        return Ok(());
    }
    Err(WrongUsage(format!(
        "--listen {}: every machine that reaches this address could read and write; ask for tokens with --token-file, use 127.0.0.1, or --insecure if that is meant",
        args.listen
    )))
}

/// Serves until the first SIGINT or SIGTERM, then finishes what was begun and closes the store.
///
/// # Errors
/// [`StoreFailed`] when the store failed for good while it was served: the process is to end, and to be started anew.
pub(crate) async fn run(args: ServeArgs, file: &Path, mut options: Options) -> anyhow::Result<()> {
    options.sql = args.allow_sql;
    options.backup_directory.clone_from(&args.backup_dir);
    let options = args.limits.store(options);
    // Bad files before everything else: nothing is begun then.
    let files = Files::load(&args.access)?;
    let stopped = signal::first()?;
    // Else a limit of file sizes (ulimit -f) would kill the process where it can be told like a full disk.
    signal::survive_large_files()?;
    raise_open_files();
    // The port before the file: a second server on the same port must not leave a new store behind.
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let engine = open_file(file, Access::Write, options).await?;
    files.watch()?;
    let scheme = if files.tls.is_some() { "https" } else { "http" };
    if files.tokens.is_some() && files.tls.is_none() && !address.ip().to_canonical().is_loopback() {
        tracing::warn!("tokens cross the network as they are: give --tls-cert and --tls-key, or let a proxy speak TLS");
    }
    let url = format!("{scheme}://{address}");
    if let Err(error) = print(format!("listening on {url}\n").as_bytes()) {
        tracing::warn!("nobody reads that this server listens on {url}: {error}");
    }
    notify::ready(&url);
    let watchdog = notify::watch(&engine);
    if args.open {
        open_page(&page_url(scheme, address));
    }
    let simulation = args.simulate.then(|| Sideline::simulation(engine.clone()));
    let collection = args.collect.then(|| Sideline::collection(engine.clone())).transpose()?;
    let backups = args.backup_dir.clone().map(|folder| backups(&args, folder));
    let options = ServerOptions {
        cors_origin: args.cors_origin,
        allow_hosts: args.allow_host,
        sql: args.allow_sql.then(|| args.limits.sql()),
        backups,
        drain: args.drain,
        tokens: files.tokens,
        tls: files.tls,
        ..args.limits.server()
    };
    let mut failure = None;
    let served = metrics_http::serve(engine.clone(), listener, options, async {
        tokio::select! {
            // A sender that is gone has no signal to give any more: that ends the server too.
            _ = stopped => {}
            reason = engine.failed() => failure = reason,
        }
        notify::stopping();
    })
    .await;
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    if let Some(reason) = failure {
        // Neither closed nor dropped: what is on the disk is what was acknowledged, and DuckDB is not to write to it from
        // a memory that nobody knows. The next process reads the log.
        std::mem::forget(engine);
        return Err(StoreFailed(reason).into());
    }
    for sideline in simulation.into_iter().chain(collection) {
        sideline.stop().await;
    }
    // Also after a failed server: what was acknowledged is on the disk, the rest of the queue goes there now.
    let closed = Backend::File(engine).close().await;
    served.context("the server failed")?;
    closed
}

fn backups(args: &ServeArgs, folder: PathBuf) -> BackupOptions {
    let mut backups = BackupOptions::new(folder);
    (backups.every, backups.keep, backups.check) = (args.backup_every, args.backup_keep, args.backup_check);
    backups
}

/// The store failed while it was served.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store failed and takes no more writes ({0}): this process ends, so that a new one opens the store again; everything acknowledged is in it"
)]
pub(crate) struct StoreFailed(StoreError);

/// Lets this process open as many files, of which connections are some, as the system allows it to.
fn raise_open_files() {
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "files and connections that may be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

/// Metrics made inside this process.
struct Sideline {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Sideline {
    fn simulation(engine: Engine) -> Self {
        let simulator = Simulator::new(SIMULATED_METRICS, rand::random());
        Self::start(move |stopped| async move {
            let report = |line| tracing::debug!("simulation: {line}");
            let total = simulate::live(simulator, SIMULATED_INTERVAL, Backend::File(engine), stopped, report).await;
            if total.failed > 0 {
                tracing::warn!("simulation: {}", total.line());
            }
        })
    }

    fn collection(engine: Engine) -> anyhow::Result<Self> {
        let collector = Collector::new().context("this machine's figures cannot be read")?;
        Ok(Self::start(move |stopped| async move {
            let report = |line| tracing::warn!("collection: {line}");
            collect::live(collector, COLLECT_INTERVAL, &Backend::File(engine), stopped, report).await;
        }))
    }

    fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(Stopped) -> F) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(Stopped(stopped))) }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "what wrote metrics inside the server failed");
        }
    }
}

/// Resolves when a [`Sideline`] is to stop.
struct Stopped(oneshot::Receiver<()>);

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(drop)
    }
}

/// Where a browser on this machine finds the page.
fn page_url(scheme: &str, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("{scheme}://{address}/")
}

/// Opens a page in the browser, with whatever this system has for that.
fn open_page(url: &str) {
    let opened = ["xdg-open", "open"].iter().any(|opener| {
        let command =
            Command::new(opener).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        command.is_ok()
    });
    if !opened {
        tracing::warn!("neither xdg-open nor open is here: open {url} by hand");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn only_loopback_is_served_unasked() {
        let check_with = |listen: &str, insecure: bool, token_file: Option<&str>| {
            let line = ["metrics-cli", "serve", "--listen", listen].into_iter().chain(insecure.then_some("--insecure"));
            let line = line.chain(token_file.into_iter().flat_map(|file| ["--token-file", file]));
            let Command::Serve(args) = Cli::parse_from(line).command else { panic!("a server") };
            super::check(&args).is_ok()
        };
        let check = |listen: &str, insecure| check_with(listen, insecure, None);
        assert!(check("127.0.0.1:0", false) && check("[::1]:80", false) && check("[::ffff:127.0.0.1]:80", false));
        assert!(!check("0.0.0.0:80", false) && !check("[::]:80", false) && !check("192.168.1.7:80", false));
        assert!(check("0.0.0.0:80", true) && check_with("0.0.0.0:80", false, Some("tokens")));
    }

    #[test]
    fn the_page_of_every_address_is_on_this_machine() {
        let page = |address: &str| page_url("http", address.parse().expect("an address"));
        assert_eq!(page("0.0.0.0:81"), "http://127.0.0.1:81/");
        assert_eq!(page("[::]:81"), "http://[::1]:81/");
        assert_eq!(page("10.0.0.7:81"), "http://10.0.0.7:81/");
    }
}
