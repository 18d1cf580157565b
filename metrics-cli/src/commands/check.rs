//! `check`: whether rollups say what the points say.

use metrics_core::{CheckReport, Engine};

use super::query::format;
use crate::args::CheckArgs;
use crate::figures::{self, count};
use crate::output::{note, print};

/// Runs the command. True when the store is sound, or was made so.
pub(crate) async fn run(args: &CheckArgs, engine: &Engine) -> anyhow::Result<bool> {
    let found = check(engine, args.repair).await?;
    let figures = [
        count("chunks", found.chunks),
        count("rollup_rows", found.buckets),
        count("differences", found.differences),
        count("repaired_chunks", found.repaired),
    ];
    print(&figures::text(&figures, format(&args.print)))?;
    let left = if found.repaired > 0 { check(engine, false).await?.differences } else { found.differences };
    note(match (found.differences, left) {
        (0, _) => "every rollup equals its points".to_owned(),
        (_, 0) => "the rollups that differed were built anew from their points".to_owned(),
        (_, left) if args.repair => format!("{left} rows of rollups still differ: their points are not kept any more"),
        (_, left) => format!("{left} rows of rollups differ from their points: --repair builds them anew"),
    });
    Ok(left == 0)
}

async fn check(engine: &Engine, repair: bool) -> anyhow::Result<CheckReport> {
    let engine = engine.clone();
    Ok(tokio::task::spawn_blocking(move || engine.check(repair)).await??)
}
