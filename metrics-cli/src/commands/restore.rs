//! `restore`: a backup in the place of a store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use metrics_core::{Engine, LOG_ENDINGS, NOTE_ENDINGS, Options, Ownership, beside, remove_with_companions};

use crate::args::RestoreArgs;
use crate::output::{counted, note};

/// What the copy is called until it is known to be sound.
const UNPROVEN: &str = ".restoring";

/// Runs the command.
pub(crate) async fn run(args: RestoreArgs, target: PathBuf, options: Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let (backup, file) = (args.file.clone(), target.clone());
    let points = tokio::task::spawn_blocking(move || restore(&backup, &file, args.force, options)).await??;
    let seconds = start.elapsed().as_secs_f64();
    let (points, target, backup) = (counted(points, "point"), target.display(), args.file.display());
    note(format_args!("{points} in {target} from {backup} in {seconds:.2} s"));
    Ok(())
}

/// Copies, proves, and only then replaces. Gives back how many points there are.
fn restore(backup: &Path, target: &Path, force: bool, options: Options) -> anyhow::Result<u64> {
    let source = open_backup(backup)?;
    // Behind a link stands the file that is to be replaced; the link stays.
    let led_to = || fs::canonicalize(target).with_context(|| format!("{} leads nowhere", target.display()));
    let target = if target.is_symlink() { led_to()? } else { target.to_owned() };
    let ownership = Ownership::take(&target)?;
    if target.exists() {
        ensure!(fs::canonicalize(&target)? != fs::canonicalize(backup)?, "{} is the store itself", backup.display());
        ensure!(force, "{} exists: --force replaces it, and what is in it is lost", target.display());
    }
    let copy = Copy::new(&target);
    let points = copy.fill(source).and_then(|()| copy.prove(options));
    let points = points.with_context(|| format!("{} was not restored", backup.display()))?;
    copy.replace(&target).with_context(|| format!("cannot replace {}", target.display()))?;
    drop(ownership);
    Ok(points)
}

fn open_backup(backup: &Path) -> anyhow::Result<File> {
    let file = File::open(backup).with_context(|| format!("cannot open {}", backup.display()))?;
    let metadata = file.metadata()?;
    // DuckDB takes an empty file for a new database: it would replace a store by nothing.
    ensure!(metadata.is_file() && metadata.len() > 0, "{} is no backup: it is empty or no file", backup.display());
    if let Some(log) = LOG_ENDINGS.map(|ending| beside(backup, ending)).iter().find(|log| log.exists()) {
        bail!(
            "{} stands beside {}: a store that is in use or was not closed is no backup; make one with `backup`",
            log.display(),
            backup.display()
        );
    }
    Ok(file)
}

/// A copy under a name of its own beside the target; gone with all that belongs to it unless it replaces that.
struct Copy {
    path: PathBuf,
}

impl Copy {
    fn new(target: &Path) -> Self {
        let copy = Self { path: beside(target, UNPROVEN) };
        // Of a restore that was killed. The target is owned: there is no other that runs.
        remove_with_companions(&copy.path);
        copy
    }

    fn fill(&self, mut source: File) -> anyhow::Result<()> {
        let mut copy = File::create_new(&self.path)?;
        io::copy(&mut source, &mut copy)?;
        Ok(copy.sync_all()?)
    }

    /// Opens the copy, which brings an older one up to date, and checks it.
    fn prove(&self, options: Options) -> anyhow::Result<u64> {
        // A backup is restored as it is; rules are for the store that it becomes.
        let engine = Engine::open_with(&self.path, Options { retention: Vec::new(), ..options })?;
        let report = engine.check(false)?;
        let points = engine.stats().points;
        engine.close()?;
        let differences = counted(report.differences, "row");
        ensure!(
            report.differences == 0,
            "{differences} of its rollups differ from its points: `check --repair` it first"
        );
        Ok(points)
    }

    fn replace(&self, target: &Path) -> io::Result<()> {
        for ending in LOG_ENDINGS.into_iter().chain(NOTE_ENDINGS) {
            remove_file(&beside(target, ending))?;
        }
        fs::rename(&self.path, target)?;
        // The new name is durable once its folder is.
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        remove_with_companions(&self.path);
    }
}

/// Removes a file that may be absent.
fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
