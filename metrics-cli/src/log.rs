//! Where messages go: stderr, as text or as JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Cli, Command, LogFormat};

/// Starts the log: those messages that `--log-level` or RUST_LOG let through; by itself a server tells from `info` on
/// and other commands from `warn` on. Colours are for terminals, unless NO_COLOR holds anything (no-color.org).
pub(crate) fn start(cli: &Cli) {
    let usual = if matches!(cli.command, Command::Serve(_)) { LevelFilter::INFO } else { LevelFilter::WARN };
    let filter = match &cli.log_level {
        Some(filter) => EnvFilter::new(filter),
        None => EnvFilter::builder().with_default_directive(usual.into()).from_env_lossy(),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match cli.log_format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
        LogFormat::Text => {
            let coloured =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            log.with_ansi(coloured).with_target(false).init();
        }
    }
}
