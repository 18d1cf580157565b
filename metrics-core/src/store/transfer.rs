//! Copies of a store: whole, as a backup that is a store itself, or its points, in a format that others read.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use arrow::ipc::writer::StreamWriter;
use duckdb::params;

use super::Store;
use super::connection::Connection;
use super::error::{During, StoreError};
use super::ownership::beside;
use super::registry::SeriesId;

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

/// A text as SQL writes it between quotes of a kind.
fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}

fn path_text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::new("cannot write a copy", "its path is not UTF-8"))
}

/// Writes a file under another name first, and gives it its own once it is whole and on disk.
fn whole_or_absent(path: &Path, write: impl FnOnce(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    if path.exists() {
        return Err(StoreError::new(format!("cannot write {}", path.display()), "it exists already"));
    }
    let partial = beside(path, ".partial");
    let _ = std::fs::remove_file(&partial);
    let written = write(&partial).and_then(|()| {
        let action = format!("cannot write {}", path.display());
        File::open(&partial).and_then(|file| file.sync_all()).during(&action)?;
        std::fs::rename(&partial, path).during(&action)?;
        // The new name itself is durable once its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).during(&action)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

impl Store {
    /// Copies the store, as it is at one moment, into a new file.
    pub(crate) fn backup(&self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        whole_or_absent(path, |partial| {
            let own: String = connection
                .query_row("SELECT current_database()", [], |row| row.get(0))
                .during("cannot read the database's name")?;
            let attach = format!("ATTACH {} AS metrics_backup", quoted(path_text(partial)?, '\''));
            connection.execute_batch(&attach).during("cannot create the backup")?;
            let copy = format!("COPY FROM DATABASE {} TO metrics_backup", quoted(&own, '"'));
            let copied = connection.execute_batch(&copy).during("cannot copy the store");
            copied.and(connection.execute_batch("DETACH metrics_backup").during("cannot close the backup"))
        })
    }

    /// Writes the points of some series in `[from, to)`, ordered by series and time, as columns `timestamp`, `name`,
    /// `labels` (JSON) and `value`. Gives back how many.
    pub(crate) fn export(
        &self,
        connection: &Connection,
        path: &Path,
        format: ExportFormat,
        series: &[SeriesId],
        (from, to): (i64, i64),
    ) -> Result<u64, StoreError> {
        let action = "cannot export";
        connection.execute_batch("CREATE OR REPLACE TEMP TABLE exported(series UBIGINT NOT NULL)").during(action)?;
        let ids = arrow::array::UInt64Array::from_iter_values(series.iter().map(|series| series.0));
        super::head::append(
            connection,
            "exported",
            super::head::record_batch(vec![("series", std::sync::Arc::new(ids))]),
        )?;
        let select = "SELECT p.timestamp, p.name, p.labels, p.value FROM points p \
             JOIN series s ON s.name = p.name AND s.labels = p.labels JOIN exported e ON e.series = s.id \
             WHERE p.timestamp >= make_timestamp(?) AND p.timestamp < make_timestamp(?) ORDER BY s.id, p.timestamp, p.value";
        let mut rows = 0;
        whole_or_absent(path, |partial| {
            let copy = |options: &str| -> Result<u64, StoreError> {
                let target = quoted(path_text(partial)?, '\'');
                let sql = format!("COPY ({select}) TO {target} ({options})");
                connection.execute(&sql, params![from, to]).during(action).map(|rows| rows as u64)
            };
            rows = match format {
                ExportFormat::Parquet => copy("FORMAT parquet, COMPRESSION zstd")?,
                ExportFormat::Csv => copy("FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'")?,
                ExportFormat::Arrow => export_arrow(connection, select, (from, to), partial)?,
            };
            Ok(())
        })?;
        connection.execute_batch("DROP TABLE exported").during(action)?;
        Ok(rows)
    }
}

fn export_arrow(connection: &Connection, select: &str, (from, to): (i64, i64), path: &Path) -> Result<u64, StoreError> {
    let action = "cannot export";
    let failed = |error: arrow::error::ArrowError| StoreError::new(action, error);
    let mut statement = connection.prepare(select).during(action)?;
    let stream = statement.stream_arrow(params![from, to]).during(action)?;
    let file = std::io::BufWriter::new(File::create(path).during(action)?);
    let mut writer = StreamWriter::try_new(file, &stream.get_schema()).map_err(failed)?;
    let mut rows = 0;
    for batch in stream {
        let batch = batch.during(action)?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)?.flush().during(action)?;
    Ok(rows)
}
