//! Backups in a folder: named by their time, proved, and the oldest dropped.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::engine::Engine;
use crate::model::Timestamp;
use crate::store::{OpenError, Ownership, StoreError, beside, remove_with_companions, settle};

/// Time in the name of a backup, in UTC: its order is that of the names.
const TIME: &str = "%Y%m%dT%H%M%SZ";
/// Ending of a backup.
const ENDING: &str = ".duckdb";
/// Ending of a copy that is not known to be whole and sound yet.
const UNPROVEN: &str = ".unproven";

/// A folder with the backups of one store: `metrics-20240202T114302Z.duckdb`, each a store itself.
///
/// The folder is owned as a store is, so that no other process drops what it finds there. Files of other names are
/// left alone.
///
/// ```
/// use std::num::NonZeroUsize;
/// use metrics_core::{BackupFolder, Engine, Timestamp};
/// # let folder = tempfile::tempdir()?;
/// # let (store, backups) = (folder.path().join("metrics.duckdb"), folder.path().join("backups"));
/// let engine = Engine::open(store)?;
/// let backups = BackupFolder::open(backups, engine.path(), NonZeroUsize::new(7).unwrap())?.checked(true);
/// let backup = backups.take(&engine, Timestamp::parse("2024-02-02T11:43:02Z")?)?;
/// assert_eq!(backup.path.file_name().unwrap(), "metrics-20240202T114302Z.duckdb");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BackupFolder {
    folder: PathBuf,
    stem: String,
    keep: NonZeroUsize,
    check: bool,
    _ownership: Ownership,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The file.
    pub path: PathBuf,
    /// When it was asked for, to the second.
    pub time: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// Points in it, where it was opened and checked.
    pub checked_points: Option<u64>,
    /// Older ones that made room for it.
    pub dropped: usize,
}

/// Why there is no backup. Those that were there are there still.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The folder cannot be used.
    #[error("the folder {}: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process keeps its backups in the folder, or another engine of this one.
    #[error("the folder {} is in use: another server keeps backups of its \"{stem}\" there", folder.display())]
    Owned {
        /// The folder.
        folder: PathBuf,
        /// What its backups are called.
        stem: String,
    },
    /// There is one of the same second.
    #[error("{} is of this second", path.display())]
    Exists {
        /// It.
        path: PathBuf,
    },
    /// The store could not be copied.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy cannot be opened.
    #[error("the copy is no sound store: {0}")]
    Unsound(#[from] OpenError),
    /// Rollups in the copy differ from its points, so those in the store do.
    #[error("{differences} rows of the copy's rollups differ from its points: run `check --repair` on the store")]
    Differs {
        /// How many.
        differences: u64,
    },
}

impl BackupFolder {
    /// Takes a folder, which is made where it is not there, for the backups of a store, of which the newest `keep` are
    /// kept.
    ///
    /// # Errors
    /// [`BackupError::Folder`] and [`BackupError::Owned`].
    pub fn open(folder: impl Into<PathBuf>, store: &Path, keep: NonZeroUsize) -> Result<Self, BackupError> {
        let folder = folder.into();
        let failed =
            |error: &dyn std::fmt::Display| BackupError::Folder { folder: folder.clone(), reason: error.to_string() };
        fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
        let stem = store.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ownership = Ownership::take(&folder.join(format!("{stem}.backups"))).map_err(|error| match error {
            OpenError::Owned { .. } => BackupError::Owned { folder: folder.clone(), stem: stem.clone() },
            error => failed(&error),
        })?;
        let this = Self { folder, stem, keep, check: false, _ownership: ownership };
        this.remove_unproven().map_err(|error| this.failed(&error))?;
        Ok(this)
    }

    /// Whether each copy is opened and checked before it counts as a backup, which takes about as long as reading it.
    /// It does not by default.
    #[must_use]
    pub fn checked(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The backups with their times, oldest first.
    ///
    /// # Errors
    /// [`BackupError::Folder`] when it cannot be read.
    pub fn list(&self) -> Result<Vec<(Timestamp, PathBuf)>, BackupError> {
        let mut backups: Vec<(Timestamp, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(|error| self.failed(&error))? {
            let entry = entry.map_err(|error| self.failed(&error))?;
            let time = entry.file_name().to_str().and_then(|name| self.time_of(name));
            backups.extend(time.map(|time| (time, entry.path())));
        }
        backups.sort_unstable();
        Ok(backups)
    }

    /// Copies the store as it is now, proves the copy, gives it the name of this time, and drops the oldest beyond
    /// those that are kept. Writes and queries go on. Blocks.
    ///
    /// # Errors
    /// [`BackupError`]; nothing was dropped then.
    pub fn take(&self, engine: &Engine, now: Timestamp) -> Result<Backup, BackupError> {
        let name = format!("{}-{}{ENDING}", self.stem, now.to_utc().format(TIME));
        let path = self.folder.join(&name);
        if path.exists() {
            return Err(BackupError::Exists { path });
        }
        let unproven = beside(&path, UNPROVEN);
        let made = engine.backup(&unproven).map_err(BackupError::from).and_then(|()| {
            let checked_points = self.check.then(|| prove(&unproven)).transpose()?;
            let bytes = fs::metadata(&unproven).map_err(|error| self.failed(&error))?.len();
            settle(&unproven, &path)?;
            Ok((bytes, checked_points))
        });
        remove_with_companions(&unproven);
        let (bytes, checked_points) = made?;
        let time = self.time_of(&name).unwrap_or(now);
        Ok(Backup { path, time, bytes, checked_points, dropped: self.rotate()? })
    }

    /// Drops the oldest. The newest, which was just made, is always kept.
    fn rotate(&self) -> Result<usize, BackupError> {
        let mut backups = self.list()?;
        let surplus = backups.len().saturating_sub(self.keep.get());
        backups.truncate(surplus);
        for (_, path) in &backups {
            fs::remove_file(path).map_err(|error| self.failed(&error))?;
        }
        Ok(surplus)
    }

    /// Removes what a process left that ended while it made a backup.
    fn remove_unproven(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let whole = name.to_str().and_then(|name| Some(&name[..name.find(UNPROVEN)?]));
            if let Some(whole) = whole.filter(|whole| self.time_of(whole).is_some()) {
                remove_with_companions(&self.folder.join(format!("{whole}{UNPROVEN}")));
            }
        }
        Ok(())
    }

    fn time_of(&self, name: &str) -> Option<Timestamp> {
        let text = name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(ENDING)?;
        let time = NaiveDateTime::parse_from_str(text, TIME).ok()?;
        // What parses in another spelling is no name of ours.
        let time: DateTime<Utc> = time.and_utc();
        (time.format(TIME).to_string() == text).then(|| Timestamp::clamped(time.timestamp_micros()))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> BackupError {
        BackupError::Folder { folder: self.folder.clone(), reason: error.to_string() }
    }
}

/// Opens a copy and compares its rollups with its points; gives back how many points there are.
fn prove(copy: &Path) -> Result<u64, BackupError> {
    let engine = Engine::open(copy)?;
    let report = engine.check(false)?;
    let points = engine.stats().points;
    engine.close()?;
    match report.differences {
        0 => Ok(points),
        differences => Err(BackupError::Differs { differences }),
    }
}
