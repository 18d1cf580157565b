//! `backup`: the whole store in a new file, by this process or by the server that owns it.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use metrics_core::Engine;
use metrics_sdk::ClientBuilder;

use crate::args::BackupArgs;
use crate::backend::Target;
use crate::figures::binary_size;
use crate::output::{WrongUsage, counted, note, print};
use crate::remote::Remote;

/// How long a server may take: it finishes a backup that is begun all the same.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The file of a backup that this process makes; none where a server does, which puts it into its own folder.
///
/// # Errors
/// [`WrongUsage`] when the file is missing, or given where a server has the say.
pub(crate) fn file(args: &BackupArgs, target: &Target) -> Result<Option<PathBuf>, WrongUsage> {
    match (target, &args.file) {
        (Target::File(_), Some(file)) => Ok(Some(file.clone())),
        (Target::File(_), None) => Err(WrongUsage("name the backup's file".into())),
        (Target::Server(_), None) => Ok(None),
        (Target::Server(_), Some(file)) => Err(WrongUsage(format!(
            "{}: a server at --url puts backups into the folder of its own --backup-dir: leave the file out",
            file.display()
        ))),
    }
}

/// Copies a store's file.
pub(crate) async fn of_file(file: PathBuf, engine: &Engine) -> anyhow::Result<()> {
    let start = Instant::now();
    let points = engine.stats().points;
    let (copy, copied) = (file.clone(), engine.clone());
    tokio::task::spawn_blocking(move || copied.backup(copy)).await??;
    let size = binary_size(std::fs::metadata(&file)?.len());
    let seconds = start.elapsed().as_secs_f64();
    note(format_args!("{} in {}, {size}, in {seconds:.2} s", counted(points, "point"), file.display()));
    Ok(())
}

/// Has a server make one, and prints what it is called there.
pub(crate) async fn of_server(server: &Remote) -> anyhow::Result<()> {
    let patient = |builder: ClientBuilder| builder.timeout(PATIENCE);
    let made = server.client_with(patient, |key| env::var_os(key))?.backup().await?;
    print(format!("{}\n", made.file).as_bytes())?;
    let checked = made.checked_points.map_or(String::new(), |points| format!(", {} checked", counted(points, "point")));
    note(format_args!("{} in {:.2} s{checked}", binary_size(made.bytes), made.seconds));
    Ok(())
}
