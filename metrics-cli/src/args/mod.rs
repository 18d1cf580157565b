//! What the command line takes.

mod access;
mod file;
mod limits;
mod store;
mod values;
mod window;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use metrics_core::MetricName;
use metrics_core::chart::Theme;
use metrics_core::wire::line::Precision;

pub(crate) use access::{AccessArgs, RemoteArgs, TokenArgs, TokenCommand};
pub(crate) use file::{BackupArgs, CheckArgs, DeleteArgs, ExportArgs, RestoreArgs, RetainArgs, SpanArgs};
pub(crate) use limits::LimitArgs;
pub(crate) use store::{HEADING as STORE_HEADING, StoreArgs};
pub(crate) use window::WindowArgs;

use crate::simulator::MOST_METRICS;
use values::{drawing, duration, finite, interval, label, log_filter, metric_name, sampling, schedule, theme};

/// What the help ends with.
const EXAMPLES: &str = "\
Examples:
  metrics-cli serve --simulate --open
  metrics-cli ingest cpu.csv --name cpu --label host=a
  metrics-cli query cpu --from now-7d --per hour --agg avg,p95 --group-by host
  metrics-cli plot cpu memory --url http://127.0.0.1:8080";

/// Metrics on one machine: serve, ingest, query and plot.
///
/// Every command that reads or writes points works on a store's file in this process (--db) or on a running server
/// (--url). One process owns the file: while a server runs on it, use --url.
#[derive(Debug, Parser)]
#[command(name = "metrics-cli", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// TOML file with options: those of all commands at its top, those of one in a table of its name, such as that of serve.
    /// An option --some-name is the key some-name; the variable METRICS_SOME_NAME goes before the file, and what the
    /// command line says before both [env: METRICS_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Print what counts, as a file for --config that says where each value comes from, and do nothing else
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) print_config: bool,
    /// Least severe messages written to stderr: error, warn, info, debug, trace or off, also for parts of the program,
    /// such as info,metrics_http=debug; without it RUST_LOG decides, else warnings (serve: info)
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log_filter, help_heading = "Global options")]
    pub(crate) log_level: Option<String>,
    /// How these messages are written: as text for people, or as one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = "Global options")]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TargetArgs {
    /// The store's file [env: METRICS_DB] [default: metrics.duckdb]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) db: Option<PathBuf>,
    /// A running server, such as http://127.0.0.1:8080 [env: METRICS_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) url: Option<String>,
    #[arg(skip)]
    pub(crate) elsewhere: Elsewhere,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

/// What is known of a target beyond the two options.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elsewhere {
    /// The file that the environment or the configuration names.
    pub(crate) db: Option<PathBuf>,
    /// The server that they name.
    pub(crate) url: Option<String>,
    /// An option on the command line that is about how a store's file is opened, which a server would never see.
    pub(crate) store_option: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the HTTP server on the store's file
    Serve(ServeArgs),
    /// Load points from CSV, JSON, line protocol, Parquet or Arrow files
    Ingest(IngestArgs),
    /// Write one point
    Post(PostArgs),
    /// Write simulated metrics, live and as history
    Simulate(SimulateArgs),
    /// Write this machine's CPU, memory, disk and network figures
    Collect(CollectArgs),
    /// List series: labels, number of points, first and last time
    List(ListArgs),
    /// Show the latest value of every series
    Latest(ListArgs),
    /// Watch the latest values of a running server, with small charts of what they were before
    Top(TopArgs),
    /// Print averages and other aggregates of time windows, or the points themselves
    Query(QueryArgs),
    /// Draw a chart: in the terminal, or into a picture
    Plot(PlotArgs),
    /// Show how much the store holds
    Stats(StatsArgs),
    /// Ask a running server whether it is well: exit code 0 when it is
    Health(HealthArgs),
    /// Compare every rollup with the points that it sums up
    Check(CheckArgs),
    /// Copy the store into a new file, which is a store itself
    Backup(BackupArgs),
    /// Put a backup in the place of the store
    Restore(RestoreArgs),
    /// Run one read-only SQL statement over the points
    Sql(SqlArgs),
    /// Write points into a Parquet, CSV or Arrow file
    Export(ExportArgs),
    /// Delete points, with their part in every rollup
    Delete(DeleteArgs),
    /// Drop what retention rules do not keep
    Retain(RetainArgs),
    /// Make, list and revoke the tokens of a server
    Token(TokenArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program or of one command, in roff
    Man {
        /// The command; without it the page of the program
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Write 20 simulated metrics every 300 ms
    #[arg(long)]
    pub(crate) simulate: bool,
    /// Write this machine's CPU, memory, disk and network figures every 5 s
    #[arg(long)]
    pub(crate) collect: bool,
    /// Open the chart page in the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Listen on an address that other machines reach although there is no --token-file: everybody may read and write
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Origin whose pages may call the server, such as http://localhost:3000, or * for all
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) cors_origin: Option<String>,
    /// Answer read-only SQL statements on /v1/sql, where there are tokens for those with the scope sql; the store is then shut off from other
    /// files
    #[arg(long)]
    pub(crate) allow_sql: bool,
    /// Further host name under which the server may be called (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Folder for backups of the store, made where it is not there: on the schedule of --backup-every, and when
    /// `backup --url` asks
    #[arg(long, value_name = "FOLDER")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// Time from one backup to the next, such as 24h, also over restarts; without it backups are made when asked only
    #[arg(long, value_name = "DURATION", value_parser = schedule)]
    pub(crate) backup_every: Option<Duration>,
    /// How many backups are kept; the oldest go
    #[arg(long, value_name = "N", default_value = "7")]
    pub(crate) backup_keep: NonZeroUsize,
    /// Open each backup and compare its rollups with its points before it counts
    #[arg(long)]
    pub(crate) backup_check: bool,
    /// How long requests are still taken after the signal to stop, while /ready says 503: time for a load balancer
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask whether the server takes writes and answers reads, not only whether its store answers
    #[arg(long)]
    pub(crate) ready: bool,
    /// How long it may take to answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = interval)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// Files; - reads stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Format of the files; auto goes by the name's ending, else by the content
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: FileFormat,
    /// Metric's name for CSV, Parquet and Arrow files without a name column
    #[arg(long, value_name = "NAME", value_parser = metric_name)]
    pub(crate) name: Option<MetricName>,
    /// Unit of the timestamps in line protocol: ns (the default), us, ms or s
    #[arg(long, value_name = "UNIT")]
    pub(crate) precision: Option<Precision>,
    /// Label added to every point, as key=value (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Stop at the first bad line
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    Auto,
    Csv,
    Ndjson,
    Json,
    /// InfluxDB's line protocol
    Line,
    /// Apache Parquet
    Parquet,
    /// Apache Arrow's IPC stream or file (Feather)
    Arrow,
}

#[derive(Debug, Args)]
pub(crate) struct PostArgs {
    /// Metric's name
    #[arg(value_parser = metric_name)]
    pub(crate) name: MetricName,
    /// The value, a finite number
    #[arg(value_parser = finite, allow_negative_numbers = true)]
    pub(crate) value: f64,
    /// When: RFC 3339, a date, an epoch number, or relative such as now-5m
    #[arg(long, value_name = "TIME", default_value = "now")]
    pub(crate) at: String,
    /// Label of the point, as key=value (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// How many metrics
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=MOST_METRICS as u64))]
    pub(crate) metrics: u64,
    /// Time between two points of a metric
    #[arg(long, value_name = "DURATION", default_value = "300ms", value_parser = interval)]
    pub(crate) interval: Duration,
    /// How long to go on; without it until stopped
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// First write so much history that ends now; with --duration 0s nothing else
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) backfill: Option<Duration>,
    /// Seed of the random numbers: the same seed gives the same walk; without it every run is another
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Time between two samples; rates are averages over it
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = sampling)]
    pub(crate) interval: Duration,
    /// How long to go on; without it until stopped
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// A metric's name, or a pattern with * and ?, in quotes
    pub(crate) pattern: Option<String>,
    /// Label filter: host=a, host!=a, host=~web.*, host!~web.* (repeatable)
    #[arg(long = "where", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The statement, over points (timestamp, name, labels, value) and series; - reads it from stdin
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// A metric's name, or a pattern with * and ?, in quotes
    pub(crate) pattern: Option<String>,
    /// Label filter: host=a, host!=a, host=~web.*, host!~web.* (repeatable)
    #[arg(long = "where", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Time between two drawings
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = drawing)]
    pub(crate) interval: Duration,
    /// Time that the small charts show
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = sampling)]
    pub(crate) span: Duration,
    /// Nothing but ASCII; without it the locale decides
    #[arg(long)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    /// Columns of the chart; without it those of the terminal
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<usize>,
    /// Lines of the chart; without it those of the terminal, at most 30
    #[arg(long, value_name = "LINES")]
    pub(crate) height: Option<usize>,
    /// Draw again and again what a running server has by then, until stopped
    #[arg(long, conflicts_with_all = ["out", "to"])]
    pub(crate) follow: bool,
    /// Time between two drawings of --follow
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = drawing, requires = "follow")]
    pub(crate) interval: Duration,
    /// Nothing but ASCII; without it the locale decides
    #[arg(long, conflicts_with = "out")]
    pub(crate) ascii: bool,
    /// Write a picture into this file, named .svg or .png, or a page, named .html; - writes an SVG to stdout. Width
    /// and height are pixels then
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Colours of the picture: auto (as the reader's screen is set), light or dark
    #[arg(long, value_name = "THEME", default_value = "auto", value_parser = theme, requires = "out")]
    pub(crate) theme: Theme,
    /// First line of the picture; without it the names
    #[arg(long, value_name = "TEXT", requires = "out")]
    pub(crate) title: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// How data is printed; without it a table on a terminal, else csv
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
    Ndjson,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_values_are_wrong_usage() {
        for line in [
            "post cpu NaN",
            "post cpu x",
            "post cpu 1 --label host",
            "simulate --interval 0s",
            "simulate --metrics 0",
            "collect --interval 100ms",
            "top --interval 1ms",
            "plot cpu --follow --out x.svg",
            "plot cpu --theme dark",
            "plot cpu --out x.svg --theme blue",
            "serve --max-streams 0",
            "serve --backup-keep 0",
            "serve --backup-dir x --backup-every 10ms",
            "serve --max-wrong-tokens 0",
            "token",
            "token create --name a --token-file f",
            "token create --name a --scope reed --token-file f",
            "token create --name a --scope read --token-file f --expires soon",
            "token list",
            "simulate --duration x",
            "serve --listen 8080",
            "ingest",
            "query",
            "list --format xml",
            "list --threads 0",
            "list --log-level inof",
            "list --log-level metrics_http=loud",
            "list --log-format xml",
            "list --memory-limit 1MiB",
            "list --retention cpu",
            "export",
            "export out.csv --where host",
            "delete",
            "sql",
            "post  1",
        ] {
            let error = Cli::try_parse_from(["metrics-cli"].into_iter().chain(line.split(' '))).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        assert!(Cli::try_parse_from(["metrics-cli", "post", "cpu", "-5.5"]).is_ok());
    }
}
