//! One process owns a store: an advisory lock on a file beside it.
//!
//! DuckDB locks its own file per process, which neither stops a second engine in the same process nor survives
//! another descriptor of the file being closed. A lock on a separate file does both.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::error::{OpenError, StoreError};

/// The right to open a store's file, or to put another in its place. An open engine holds it; it goes with the
/// process, even when that is killed.
#[derive(Debug)]
pub struct Ownership {
    lock: File,
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a process that another thread is just starting, which holds a copy of
        // every descriptor until it runs its own program. An error leaves what closing does.
        let _ = self.lock.unlock();
    }
}

/// Endings of DuckDB's logs, which stand beside a store's file and belong to that file and no other.
pub const LOG_ENDINGS: [&str; 3] = [".wal", ".wal.checkpoint", ".wal.recovery"];
/// Endings of what a store notes beside its file, of that file and no other.
pub const NOTE_ENDINGS: [&str; 2] = [MARK_ENDING, BLOCKS_ENDING];
/// What was acknowledged last.
pub(super) const MARK_ENDING: &str = ".mark";
/// What the last checkpoint wrote over.
pub(super) const BLOCKS_ENDING: &str = ".blocks";

/// Removes a store's file and all that DuckDB and an engine leave beside it, as far as it is there and can be removed: of a
/// copy that nobody has open.
pub fn remove_with_companions(path: &Path) {
    for ending in LOG_ENDINGS.into_iter().chain(NOTE_ENDINGS).chain(["", ".partial", ".lock"]) {
        let _ = std::fs::remove_file(beside(path, ending));
    }
    let _ = std::fs::remove_dir_all(beside(path, ".tmp"));
}

/// The file with the same name and an ending more.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Ownership {
    /// Takes a file, which need not exist yet. A link is to be resolved first: the lock stands beside what is named.
    ///
    /// # Errors
    /// [`OpenError::Owned`] when an engine, in this or another process, has the file open.
    pub fn take(path: &Path) -> Result<Self, OpenError> {
        let lock_path = beside(path, ".lock");
        let failed = |error: std::io::Error| {
            OpenError::store(path)(StoreError::new(format!("cannot lock {}", lock_path.display()), error))
        };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Owned { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
