//! `retain`: retention, now.

use metrics_core::{Engine, Options};

use super::query::format;
use crate::args::RetainArgs;
use crate::figures::{self, count, size};
use crate::output::{WrongUsage, counted, note, print};

/// Refuses to apply no rule.
///
/// # Errors
/// [`WrongUsage`] tells how rules are given.
pub(crate) fn check_rules(options: &Options) -> Result<(), WrongUsage> {
    if options.retention.is_empty() {
        return Err(WrongUsage("no rule is given: add for example --retention 'cpu*: raw=30d, minute=365d'".into()));
    }
    Ok(())
}

/// Runs the command.
pub(crate) async fn run(args: &RetainArgs, engine: &Engine) -> anyhow::Result<()> {
    let before = engine.stats();
    let retaining = engine.clone();
    tokio::task::spawn_blocking(move || retaining.apply_retention()).await??;
    let after = engine.stats();
    let figures = [
        count("points_before", before.points),
        count("points_after", after.points),
        size("file_bytes_before", before.file_bytes),
        size("file_bytes_after", after.file_bytes),
    ];
    print(&figures::text(&figures, format(&args.print)))?;
    let gone = counted(before.points.saturating_sub(after.points), "point");
    note(format_args!("{gone} gone from every tier; points that rollups still sum up are counted"));
    Ok(())
}
