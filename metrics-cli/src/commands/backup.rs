//! `backup`: the whole store in a new file.

use std::time::Instant;

use metrics_core::Engine;

use crate::args::BackupArgs;
use crate::figures::binary_size;
use crate::output::{counted, note};

/// Runs the command.
pub(crate) async fn run(args: &BackupArgs, engine: &Engine) -> anyhow::Result<()> {
    let start = Instant::now();
    let points = engine.stats().points;
    let (file, copied) = (args.file.clone(), engine.clone());
    tokio::task::spawn_blocking(move || copied.backup(file)).await??;
    let size = binary_size(std::fs::metadata(&args.file)?.len());
    let seconds = start.elapsed().as_secs_f64();
    note(format_args!("{} in {}, {size}, in {seconds:.2} s", counted(points, "point"), args.file.display()));
    Ok(())
}
