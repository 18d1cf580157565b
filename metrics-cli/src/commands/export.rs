//! `export`: points in a format that others read.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use metrics_core::{ExportFormat, ExportRequest, MetricName, Timestamp, beside};
use metrics_sdk::{Client, ExportSelection};

use super::span::{Span, require_metric};
use crate::args::ExportArgs;
use crate::backend::Backend;
use crate::output::{WrongUsage, counted, note};

/// What is written where.
pub(crate) struct Prepared {
    file: PathBuf,
    format: ExportFormat,
    name: Option<MetricName>,
    span: Span,
}

/// What the command line spells out.
///
/// # Errors
/// [`WrongUsage`] when the file's name tells no format and none is given, or for a bad span.
pub(crate) fn prepare(args: &ExportArgs, now: Timestamp) -> Result<Prepared, WrongUsage> {
    let format = match args.format {
        Some(format) => format.into(),
        None => format_of(&args.file)?,
    };
    Ok(Prepared { file: args.file.clone(), format, name: args.name.clone(), span: Span::new(&args.span, now)? })
}

fn format_of(file: &Path) -> Result<ExportFormat, WrongUsage> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("parquet") => Ok(ExportFormat::Parquet),
        Some("csv") => Ok(ExportFormat::Csv),
        // The endings that Apache Arrow's media types are registered with: `.arrows` is the stream's own.
        Some("arrow" | "arrows") => Ok(ExportFormat::Arrow),
        _ => Err(WrongUsage(format!(
            "{}: its ending tells no format: use .parquet, .csv or .arrow, or give --format",
            file.display()
        ))),
    }
}

/// Runs the command.
pub(crate) async fn run(prepared: Prepared, backend: &Backend) -> anyhow::Result<()> {
    let Prepared { file, format, name, span } = prepared;
    if let Some(name) = &name {
        require_metric(name, &backend.metric_names().await?)?;
    }
    let start = Instant::now();
    let written = match backend {
        Backend::File(engine) => {
            let names = name.into_iter().collect();
            let (filters, from, to) = (span.filters, span.from, span.to);
            let request = ExportRequest { names, filters, from, to, ..ExportRequest::all(format) };
            let (engine, target) = (engine.clone(), file.clone());
            let exporting = tokio::task::spawn_blocking(move || engine.export(target, &request));
            counted(exporting.await??, "point")
        }
        Backend::Server(client) if format == ExportFormat::Parquet => {
            let (from, to) = (span.from > Timestamp::MIN, span.to < Timestamp::MAX);
            let (from, to) = (from.then_some(span.from), to.then_some(span.to));
            let mut selection = ExportSelection::default();
            selection.names = name.into_iter().collect();
            selection.filters = span.filters;
            (selection.from, selection.to) = (from, to);
            counted(download(client, &selection, &file).await?, "byte")
        }
        Backend::Server(_) => {
            let message = "a server exports Parquet: name a file that ends with .parquet, or give --db";
            return Err(WrongUsage(message.into()).into());
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    note(format_args!("{written} written to {} in {seconds:.2} s", file.display()));
    Ok(())
}

/// Writes a file under another name first, and gives it its own once it is whole.
async fn download(client: &Client, selection: &ExportSelection, path: &Path) -> anyhow::Result<u64> {
    let cannot = || format!("cannot write {}", path.display());
    if path.exists() {
        anyhow::bail!("{}: it exists already", cannot());
    }
    let partial = beside(path, ".partial");
    let mut file = File::create(&partial).with_context(cannot)?;
    let written = client.export_parquet(selection, |part| file.write_all(part)).await;
    let settled = written.map_err(anyhow::Error::from).and_then(|bytes| {
        file.sync_all().with_context(cannot)?;
        std::fs::rename(&partial, path).with_context(cannot)?;
        Ok(bytes)
    });
    if settled.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        let format = |file: &str| format_of(Path::new(file)).ok();
        assert_eq!(format("a/b.parquet"), Some(ExportFormat::Parquet));
        assert_eq!(format("B.CSV"), Some(ExportFormat::Csv));
        assert_eq!([format("x.arrow"), format("x.y.arrows")], [Some(ExportFormat::Arrow); 2]);
        assert_eq!([format("x"), format("x.json"), format("csv")], [None; 3]);
    }
}
