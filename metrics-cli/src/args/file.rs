//! Commands that work on a store's file, never through a server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use metrics_core::{ExportFormat, LabelFilter, MetricName};

use super::values::{filter, metric_name};
use super::{PrintArgs, StoreArgs};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Build rollups that differ anew from their points
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file; one that exists is never written over. A server (--url) puts it into its --backup-dir under a name
    /// of its own, which is printed
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup; it stays as it is
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace the store that is at --db, which is lost
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The new file; one that exists is never written over
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A metric's name; without it all of them
    #[arg(value_parser = metric_name)]
    pub(crate) name: Option<MetricName>,
    /// Format of the file; without it that of the name's ending
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ExportFile>,
    #[command(flatten)]
    pub(crate) span: SpanArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFile {
    Parquet,
    Csv,
    Arrow,
}

impl From<ExportFile> for ExportFormat {
    fn from(file: ExportFile) -> Self {
        match file {
            ExportFile::Parquet => Self::Parquet,
            ExportFile::Csv => Self::Csv,
            ExportFile::Arrow => Self::Arrow,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The metric's name
    #[arg(value_parser = metric_name)]
    pub(crate) name: MetricName,
    #[command(flatten)]
    pub(crate) span: SpanArgs,
    /// Delete without asking; required where nobody can be asked
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RetainArgs {
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Which points of a metric.
#[derive(Debug, Args)]
pub(crate) struct SpanArgs {
    /// Label filter: host=a, host!=a, host=~web.*, host!~web.* (repeatable)
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(crate) filters: Vec<LabelFilter>,
    /// Start: RFC 3339, a date, an epoch number, or relative such as now-7d [default: the first point]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End, not included [default: after the last point]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}
