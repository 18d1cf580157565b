//! Long tests of the server as a process.
//!
//! `cargo xtask torture` breaks it in every way that is known to break stores, and holds what is left against what was
//! acknowledged. `cargo xtask soak` lets it run under load and looks whether anything grows.

mod binary;
mod http;
mod server;
mod soak;
mod torture;

use std::io::Write;
use std::process::ExitCode;
use std::thread::ScopedJoinHandle;

use clap::Parser;

/// Long tests of the metrics server.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Kill, cut off, fill up and mislead the server, and compare what is left with what was acknowledged
    Torture(torture::Args),
    /// Let the server run under load, and look whether memory, descriptors or the log grow
    Soak(soak::Args),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Torture(args) => torture::run(&args),
        Task::Soak(args) => soak::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What a client that ran on a thread has to say.
fn joined(client: ScopedJoinHandle<'_, anyhow::Result<()>>) -> anyhow::Result<()> {
    client.join().unwrap_or_else(|_| anyhow::bail!("a client panicked"))
}

/// A line for whoever watches. That nobody does stops nothing.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
