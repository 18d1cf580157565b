//! The command line of the metrics store: parses, dispatches, and turns the outcome into an exit code.

mod args;
mod backend;
mod commands;
mod csv_rows;
mod figures;
mod glob;
mod ingest;
mod latency;
mod output;
mod plot;
mod signal;
mod simulator;
mod suggest;
mod table;
mod zone;

use std::env;
use std::process::ExitCode;

use clap::Parser;
use metrics_core::Timestamp;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use args::{Cli, Command, LogLevel, TargetArgs};
use backend::{Access, Backend, Target};
use commands::list::Listing;
use output::{ReaderGone, WrongUsage, note};

/// Exit code of a command that did not do what it was asked.
const FAILED: u8 = 1;
/// Exit code of a command line that asks for what cannot be.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            note(format_args!("error: no runtime: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let outcome = runtime.block_on(run(cli));
    // A thread that still reads from a pipe must not keep the process: what it read is not wanted any more.
    runtime.shutdown_background();
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::from(if error.is::<WrongUsage>() { WRONG_USAGE } else { FAILED })
        }
    }
}

/// Messages go to stderr, those of a server from `info` on.
fn start_log(cli: &Cli) {
    let usual = if matches!(cli.command, Command::Serve(_)) { LevelFilter::INFO } else { LevelFilter::WARN };
    let filter = match cli.log_level {
        Some(level) => EnvFilter::new(match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }),
        None => EnvFilter::builder().with_default_directive(usual.into()).from_env_lossy(),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

/// Runs a command; false when it ended well but not everything it was given was good.
async fn run(cli: Cli) -> anyhow::Result<bool> {
    let now = Timestamp::now();
    let target = cli.target;
    match cli.command {
        Command::Completions { shell } => commands::docs::completions(shell)?,
        Command::Man { command } => commands::docs::man(command.as_deref())?,
        Command::Serve(args) => {
            commands::serve::check_address(&args)?;
            commands::serve::run(args, &Target::file(target, |key| env::var_os(key))?).await?;
        }
        Command::Check(args) => {
            let file = Target::file(target, |key| env::var_os(key))?;
            let engine = backend::open_file(&file, Access::Read).await?;
            let sound = commands::check::run(&args, &engine).await;
            let closed = Backend::File(engine).close().await;
            return sound.and_then(|sound| closed.map(|()| sound));
        }
        Command::Ingest(args) => {
            let load = commands::ingest::prepare(args)?;
            return with(target, Access::Write, async |backend| commands::ingest::run(load, backend).await).await;
        }
        Command::Simulate(args) => {
            return with(target, Access::Write, async |backend| commands::simulate::run(&args, backend).await).await;
        }
        Command::Post(args) => {
            let point = commands::post::point(args, now)?;
            with(target, Access::Write, async |backend| commands::post::run(point, backend).await).await?;
        }
        Command::List(args) => {
            let filters = commands::list::filters(&args)?;
            let list = async |backend: &Backend| commands::list::run(Listing::Series, &args, &filters, backend).await;
            with(target, Access::Read, list).await?;
        }
        Command::Latest(args) => {
            let filters = commands::list::filters(&args)?;
            let list = async |backend: &Backend| commands::list::run(Listing::Latest, &args, &filters, backend).await;
            with(target, Access::Read, list).await?;
        }
        Command::Query(args) => {
            let request = commands::query::request(&args.window, now)?;
            with(target, Access::Read, async |backend| commands::query::run(&args, &request, backend).await).await?;
        }
        Command::Plot(args) => {
            let request = commands::plot::request(&args, commands::plot::size(&args).0, now)?;
            with(target, Access::Read, async |backend| commands::plot::run(&args, &request, backend).await).await?;
        }
        Command::Stats(args) => {
            with(target, Access::Read, async |backend| commands::stats::run(&args, backend).await).await?;
        }
    }
    Ok(true)
}

/// Opens the target, works on it, and closes it whatever came of the work.
async fn with<T>(
    target: TargetArgs,
    access: Access,
    work: impl AsyncFnOnce(&Backend) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let backend = Backend::open(&Target::of(target, |key| env::var_os(key))?, access).await?;
    let result = work(&backend).await;
    let closed = backend.close().await;
    let value = result?;
    closed?;
    Ok(value)
}
