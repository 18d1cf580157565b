//! `export`: points in a format that others read.

use std::path::{Path, PathBuf};
use std::time::Instant;

use metrics_core::{Engine, ExportFormat, MetricName, Timestamp};

use super::span::{Span, require_metric};
use crate::args::ExportArgs;
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
pub(crate) async fn run(prepared: Prepared, engine: &Engine) -> anyhow::Result<()> {
    let Prepared { file, format, name, span } = prepared;
    if let Some(name) = &name {
        require_metric(name, engine)?;
    }
    let start = Instant::now();
    let (engine, target) = (engine.clone(), file.clone());
    let exporting = tokio::task::spawn_blocking(move || {
        let name = name.as_ref().map(MetricName::as_str);
        engine.export(target, format, name, &span.filters, (span.from, span.to))
    });
    let points = exporting.await??;
    let seconds = start.elapsed().as_secs_f64();
    note(format_args!("{} written to {} in {seconds:.2} s", counted(points, "point"), file.display()));
    Ok(())
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
