//! Points of some series, in order, in a file of a format that others read.
//!
//! They are read span by span, as many series or as much time as fits into a bounded number of points, so that an
//! export of any size takes little memory; nothing else waits for it.

mod sink;
mod source;

use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use crate::model::{LabelFilter, MetricName, Timestamp};
use crate::store::{DiskFull, DiskSpace, StoreError, whole_or_absent};
use sink::Sink;
use source::Source;

pub(crate) use source::Stores;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// CSV with a header.
    Csv,
    /// Apache Arrow's IPC stream.
    Arrow,
}

/// A word that is no export format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an export format: use parquet, csv or arrow")]
pub struct ExportFormatError(String);

impl FromStr for ExportFormat {
    type Err = ExportFormatError;

    fn from_str(word: &str) -> Result<Self, ExportFormatError> {
        match word {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "arrow" => Ok(Self::Arrow),
            _ => Err(ExportFormatError(word.chars().take(32).collect())),
        }
    }
}

/// Which points are exported, as what, and how much they may take.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// As what.
    pub format: ExportFormat,
    /// The metrics; all of them where none is named.
    pub names: Vec<MetricName>,
    /// What the labels of their series must pass.
    pub filters: Vec<LabelFilter>,
    /// Start of the time.
    pub from: Timestamp,
    /// Its end, not included.
    pub to: Timestamp,
    /// Largest file, in bytes; an export that would pass it is refused. Without a limit at first.
    pub limit_bytes: u64,
}

impl ExportRequest {
    /// All points.
    pub fn all(format: ExportFormat) -> Self {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        Self { format, names: Vec::new(), filters: Vec::new(), from, to, limit_bytes: u64::MAX }
    }
}

/// Why there is no export.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It would take more than [`ExportRequest::limit_bytes`].
    #[error("the export takes more than {limit_bytes} bytes (--export-limit): narrow it by name, labels or time")]
    TooLarge {
        /// The bound.
        limit_bytes: u64,
    },
    /// The disk that it is written to is nearly full.
    #[error(transparent)]
    DiskFull(#[from] DiskFull),
    /// The engine was closed before it was finished.
    #[error("the store is closed")]
    Closed,
    /// The file could not be written, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes an export into a new file; gives back how many points it has.
pub(crate) fn write(stores: &Stores, path: &Path, request: &ExportRequest) -> Result<u64, ExportError> {
    let reserve_bytes = stores.read().as_ref().map_or(0, |store| store.options.min_free_disk_bytes);
    whole_or_absent(path, |partial| {
        let space = DiskSpace::of(path, reserve_bytes);
        let source = Source::new(stores, request)?;
        let file = File::create(partial).map_err(|error| StoreError::new("cannot export", error))?;
        let mut sink = Sink::new(file, request, space, source.series())?;
        source.read(|rows| sink.write(rows))?;
        sink.finish()
    })
}
