//! `stats`: how much there is.

use super::query::format;
use crate::args::StatsArgs;
use crate::backend::Backend;
use crate::figures::{self, Figure, count, size, time};
use crate::output::print;

/// Runs the command.
pub(crate) async fn run(args: &StatsArgs, backend: &Backend) -> anyhow::Result<()> {
    print(&figures::text(&figures(backend).await?, format(&args.print)))
}

async fn figures(backend: &Backend) -> anyhow::Result<Vec<Figure>> {
    let series = backend.series(None, &[]).await?;
    let mut names: Vec<&str> = series.iter().map(|info| info.key.name.as_str()).collect();
    names.dedup();
    let mut figures = vec![
        count("metrics", names.len() as u64),
        count("series", series.len() as u64),
        count("points", series.iter().map(|info| info.count).sum()),
        time("first", series.iter().map(|info| info.first).min()),
        time("last", series.iter().map(|info| info.last).max()),
    ];
    // A server's file is its own affair.
    if let Backend::File(engine) = backend {
        let stats = engine.stats();
        figures.push(count("chunks", stats.chunks));
        figures.push(count("memory_points", stats.memory_points));
        figures.push(size("file_bytes", stats.file_bytes));
        figures.push(size("wal_bytes", stats.wal_bytes));
    }
    Ok(figures)
}
