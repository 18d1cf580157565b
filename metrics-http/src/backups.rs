//! Backups that a server makes: on a schedule, and when it is asked to.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics_core::{Backup, BackupError, BackupFolder, Engine, Timestamp};
use tokio::sync::Semaphore;

use crate::app::App;

/// How long after a backup that failed the next is tried, unless the schedule says sooner.
const RETRY: Duration = Duration::from_secs(300);
/// The clock is looked at again so often: it may be set, and a machine may sleep.
const LOOK: Duration = Duration::from_secs(60);

/// Where a server makes backups, and when.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupOptions {
    /// The folder, made where it is not there: a client never says where a backup goes.
    pub directory: PathBuf,
    /// Time from one backup to the next, also from the last one of an earlier run. Default: none, so that backups are
    /// made when asked only; more than 0.
    pub every: Option<Duration>,
    /// How many are kept; the oldest go. Default 7.
    pub keep: NonZeroUsize,
    /// Whether each is opened and checked before it counts. Default: no.
    pub check: bool,
}

impl BackupOptions {
    /// A folder, and the defaults.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), every: None, keep: NonZeroUsize::MIN.saturating_add(6), check: false }
    }
}

/// The backups of a server.
pub(crate) struct Backups {
    folder: BackupFolder,
    every: Option<Duration>,
    /// One at a time.
    turn: Arc<Semaphore>,
    pub(crate) figures: BackupFigures,
}

/// What is counted.
#[derive(Default)]
pub(crate) struct BackupFigures {
    pub(crate) made: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// Seconds since 1970 of the newest; 0 without any.
    pub(crate) newest_s: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) took_ms: AtomicU64,
}

/// Why there is no backup.
#[derive(Debug)]
pub(crate) enum NotMade {
    /// One is being made, or is of this second.
    Busy,
    Failed(BackupError),
    /// The work panicked, which its own message tells.
    Broken,
}

impl Backups {
    /// # Errors
    /// [`BackupError`] when the folder cannot be used.
    pub(crate) fn open(options: &BackupOptions, engine: &Engine) -> Result<Self, BackupError> {
        let folder = BackupFolder::open(&options.directory, engine.path(), options.keep)?.checked(options.check);
        let figures = BackupFigures::default();
        if let Some((newest, path)) = folder.list()?.pop() {
            figures.newest_s.store(seconds(newest), Ordering::Relaxed);
            figures.bytes.store(path.metadata().map_or(0, |metadata| metadata.len()), Ordering::Relaxed);
        }
        Ok(Self { folder, every: options.every, turn: Arc::new(Semaphore::new(1)), figures })
    }

    /// Makes a backup. It is finished also when nobody waits for it any more.
    pub(crate) async fn take(self: &Arc<Self>, engine: &Engine) -> Result<(Backup, Duration), NotMade> {
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| NotMade::Busy)?;
        let (this, engine) = (Arc::clone(self), engine.clone());
        let work = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            let made = this.folder.take(&engine, Timestamp::now());
            let took = begun.elapsed();
            this.figures.count(&made, took);
            drop(turn);
            made.map(|backup| (backup, took))
        });
        match work.await {
            Ok(Ok(made)) => Ok(made),
            Ok(Err(BackupError::Exists { .. })) => Err(NotMade::Busy),
            Ok(Err(error)) => Err(NotMade::Failed(error)),
            Err(_) => Err(NotMade::Broken),
        }
    }

    /// How long until the next one is due, by the times in the names of those that are there.
    fn due_in(&self, every: Duration, now: Timestamp) -> Duration {
        let newest = self.folder.list().ok().and_then(|mut backups| backups.pop());
        let Some((newest, _)) = newest else { return Duration::ZERO };
        let age = Duration::from_micros(u64::try_from(now.micros() - newest.micros()).unwrap_or(0));
        every.saturating_sub(age)
    }
}

impl BackupFigures {
    fn count(&self, made: &Result<Backup, BackupError>, took: Duration) {
        match made {
            Ok(backup) => {
                self.made.fetch_add(1, Ordering::Relaxed);
                self.newest_s.store(seconds(backup.time), Ordering::Relaxed);
                self.bytes.store(backup.bytes, Ordering::Relaxed);
                self.took_ms.store(u64::try_from(took.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
            Err(BackupError::Exists { .. }) => {}
            Err(_) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.micros() / 1_000_000).unwrap_or(0)
}

/// Makes backups when they are due, until the server is told to stop.
pub(crate) async fn on_schedule(app: Arc<App>) {
    let Some(backups) = &app.backups else { return };
    let Some(every) = backups.every else { return };
    let work = async {
        loop {
            let due = backups.due_in(every, Timestamp::now());
            if !due.is_zero() {
                tokio::time::sleep(due.min(LOOK)).await;
                continue;
            }
            match backups.take(&app.engine).await {
                Ok((backup, took)) => tracing::info!(
                    file = %backup.path.display(),
                    bytes = backup.bytes,
                    dropped = backup.dropped,
                    checked = backup.checked_points.is_some(),
                    ?took,
                    "a backup was made"
                ),
                Err(NotMade::Busy) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(failed) => {
                    let wait = RETRY.min(every);
                    tracing::error!(error = %failed, next_try = ?wait, "a backup was not made");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    };
    tokio::select! {
        () = app.drain.cancelled() => {}
        () = work => {}
    }
}

impl std::fmt::Display for NotMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busy => f.write_str("a backup is being made"),
            Self::Failed(error) => error.fmt(f),
            Self::Broken => f.write_str("the work on it ended early"),
        }
    }
}
