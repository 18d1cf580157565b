//! The command line of the metrics store: parses, dispatches, and turns the outcome into an exit code.

mod args;
mod backend;
mod collector;
mod commands;
mod config;
mod csv_rows;
mod figures;
mod glob;
mod ingest;
mod latency;
mod log;
mod notify;
mod output;
mod plot;
mod png;
mod remote;
mod screen;
mod signal;
mod simulator;
mod sparkline;
mod suggest;
mod table;
mod zone;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use metrics_core::{Engine, Options, Timestamp};

use args::{Cli, Command, ListArgs, SqlArgs, StoreArgs, TargetArgs};
use backend::{Access, Backend, Target};
use commands::list::Listing;
use commands::serve::StoreFailed;
use output::{ReaderGone, WrongUsage, note, print};
use remote::Remote;

/// A third less time for a small query, and less memory that is held but not used, than with glibc's.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code of a command that did not do what it was asked.
const FAILED: u8 = 1;
/// Exit code of a command line that asks for what cannot be.
const WRONG_USAGE: u8 = 2;
/// Exit code of a server whose store failed: a supervisor is to start it anew.
const STORE_FAILED: u8 = 3;

fn main() -> ExitCode {
    let line: Vec<OsString> = env::args_os().collect();
    let variables: Vec<(OsString, OsString)> = env::vars_os().collect();
    let config::Invocation { cli, printed, stray } = match config::read(&line, &variables) {
        Ok(invocation) => invocation,
        Err(config::Refused::Line(error)) => error.exit(),
        Err(config::Refused::Elsewhere(error)) => {
            note(format_args!("error: {error}"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    log::start(&cli);
    for warning in stray {
        tracing::warn!("{warning}");
    }
    if let Some(text) = printed {
        return ended(print(text.as_bytes()).map(|()| true));
    }
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
    ended(outcome)
}

/// The exit code of an outcome, which is told where it is not good.
fn ended(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            if let Some(advice) = remote::advice(&error) {
                note(advice);
            }
            ExitCode::from(match error {
                error if error.is::<WrongUsage>() => WRONG_USAGE,
                error if error.is::<StoreFailed>() => STORE_FAILED,
                _ => FAILED,
            })
        }
    }
}

/// Runs a command; false when it ended well but not everything it was given was good.
async fn run(cli: Cli) -> anyhow::Result<bool> {
    let now = Timestamp::now();
    let target = cli.target;
    match cli.command {
        Command::Completions { shell } => commands::docs::completions(shell)?,
        Command::Man { command } => commands::docs::man(command.as_deref())?,
        Command::Token(args) => commands::token::run(args.command)?,
        Command::Serve(args) => {
            commands::serve::check(&args)?;
            let (file, options) = (Target::file(target)?, args.store.clone().options());
            commands::serve::run(args, &file, options).await?;
        }
        Command::Ingest(args) => {
            let store = args.store.clone();
            let load = commands::ingest::prepare(args)?;
            let ingest = async |backend: &Backend| commands::ingest::run(load, backend).await;
            return with(target, store, Access::Write, ingest).await;
        }
        Command::Simulate(args) => {
            let simulate = async |backend: &Backend| commands::simulate::run(&args, backend).await;
            return with(target, args.store.clone(), Access::Write, simulate).await;
        }
        Command::Collect(args) => {
            let collect = async |backend: &Backend| commands::collect::run(&args, backend).await;
            return with(target, args.store.clone(), Access::Write, collect).await;
        }
        Command::Post(args) => {
            let store = args.store.clone();
            let point = commands::post::point(args, now)?;
            let post = async |backend: &Backend| commands::post::run(point, backend).await;
            with(target, store, Access::Write, post).await?;
        }
        Command::List(args) => list(Listing::Series, &args, target).await?,
        Command::Latest(args) => list(Listing::Latest, &args, target).await?,
        Command::Top(args) => {
            let filters = commands::list::filters_of(&args.filters)?;
            refuse_file(&target, "top shows what a running server gets")?;
            let top = async |backend: &Backend| commands::top::run(&args, &filters, backend).await;
            with(target, StoreArgs::default(), Access::Read, top).await?;
        }
        Command::Query(args) => {
            let request = commands::query::request(&args.window, now)?;
            let query = async |backend: &Backend| commands::query::run(&args, &request, backend).await;
            with(target, args.store.clone(), Access::Read, query).await?;
        }
        Command::Plot(args) => {
            let request = commands::plot::request(&args, now)?;
            if args.follow {
                refuse_file(&target, "--follow shows what a running server gets")?;
            }
            let plot = async |backend: &Backend| commands::plot::run(&args, &request, backend).await;
            with(target, args.store.clone(), Access::Read, plot).await?;
        }
        Command::Stats(args) => {
            let stats = async |backend: &Backend| commands::stats::run(&args, backend).await;
            with(target, args.store.clone(), Access::Read, stats).await?;
        }
        Command::Check(args) => {
            let check = async |engine: &Engine| commands::check::run(&args, engine).await;
            return on_file(target, args.store.clone(), check).await;
        }
        Command::Backup(args) => {
            let to = Target::of(target.clone())?;
            match (commands::backup::file(&args, &to)?, to) {
                (Some(file), _) => {
                    let backup = async |engine: &Engine| commands::backup::of_file(file, engine).await;
                    on_file(target, args.store, backup).await?;
                }
                (None, Target::Server(remote)) => commands::backup::of_server(&remote).await?,
                (None, Target::File(_)) => unreachable!("a file's backup has a name"),
            }
        }
        Command::Health(args) => {
            let why = "health is about a running server";
            commands::health::run(&args, &server(target, why)?).await?;
        }
        Command::Restore(args) => {
            let (file, options) = (Target::file(target)?, args.store.clone().options());
            commands::restore::run(args, file, options).await?;
        }
        Command::Export(args) => {
            let export = commands::export::prepare(&args, now)?;
            let work = async |backend: &Backend| commands::export::run(export, backend).await;
            with(target, args.store, Access::Read, work).await?;
        }
        Command::Sql(args) => sql(&args, target).await?,
        Command::Delete(args) => {
            let doomed = commands::delete::prepare(&args, now)?;
            let delete = async |engine: &Engine| commands::delete::run(doomed, engine).await;
            return on_file(target, args.store, delete).await;
        }
        Command::Retain(args) => {
            commands::retain::check_rules(&args.store.clone().options())?;
            let retain = async |engine: &Engine| commands::retain::run(&args, engine).await;
            on_file(target, args.store.clone(), retain).await?;
        }
    }
    Ok(true)
}

/// Refuses a file, which nobody else writes while this process has it.
fn refuse_file(target: &TargetArgs, why: &str) -> Result<(), WrongUsage> {
    server(target.clone(), why).map(drop)
}

/// The server that a command needs.
fn server(target: TargetArgs, why: &str) -> Result<Remote, WrongUsage> {
    match Target::of(target)? {
        Target::Server(remote) => Ok(remote),
        Target::File(_) => Err(WrongUsage(format!("{why}: name it with --url, such as http://127.0.0.1:8080"))),
    }
}

async fn sql(args: &SqlArgs, target: TargetArgs) -> anyhow::Result<()> {
    let statement = commands::sql::statement(args)?;
    match Target::of(target)? {
        Target::Server(remote) => {
            let client = remote.client()?;
            commands::sql::on_server(args, &statement, &client).await
        }
        Target::File(file) => {
            let options = Options { sql: true, ..args.store.clone().options() };
            let engine = backend::open_file(&file, Access::Read, options).await?;
            let result = commands::sql::on_file(args, statement, &engine).await;
            result.and(Backend::File(engine).close().await)
        }
    }
}

async fn list(listing: Listing, args: &ListArgs, target: TargetArgs) -> anyhow::Result<()> {
    let filters = commands::list::filters(args)?;
    let list = async |backend: &Backend| commands::list::run(listing, args, &filters, backend).await;
    with(target, args.store.clone(), Access::Read, list).await
}

/// Opens the target, works on it, and closes it whatever came of the work.
async fn with<T>(
    target: TargetArgs,
    store: StoreArgs,
    access: Access,
    work: impl AsyncFnOnce(&Backend) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let backend = Backend::open(&Target::of(target)?, access, store).await?;
    let result = work(&backend).await;
    let closed = backend.close().await;
    let value = result?;
    closed?;
    Ok(value)
}

/// The same with a file that is there, for work that no server does.
async fn on_file<T>(
    target: TargetArgs,
    store: StoreArgs,
    work: impl AsyncFnOnce(&Engine) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let file = Target::file(target)?;
    let engine = backend::open_file(&file, Access::Read, store.options()).await?;
    let result = work(&engine).await;
    let closed = Backend::File(engine).close().await;
    let value = result?;
    closed?;
    Ok(value)
}
