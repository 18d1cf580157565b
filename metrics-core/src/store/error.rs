//! What can go wrong below the engine.

use std::path::{Path, PathBuf};

/// What a commit that failed was doing.
pub(super) const COMMITTING: &str = "cannot commit";

/// The store could not do what it was asked. The text is for the operator; a server keeps it from its clients.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct StoreError {
    action: String,
    reason: String,
}

impl StoreError {
    /// What was being done, and why it failed.
    pub(crate) fn new(action: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self { action: action.into(), reason: reason.to_string() }
    }

    /// Whether the disk, a quota or a limit of this process left no room for what was to be written. Nothing is lost by
    /// it, and the same may go well once there is room.
    pub fn is_out_of_space(&self) -> bool {
        let texts = ["No space left on device", "Disk quota exceeded", "File too large"];
        !self.is_fatal() && texts.iter().any(|text| self.reason.contains(text))
    }

    /// Whether DuckDB has given the database up: nothing reads or writes it any more until it is opened again.
    pub(crate) fn is_fatal(&self) -> bool {
        self.reason.contains("FATAL Error") || self.reason.contains("database has been invalidated")
    }

    /// Whether a commit failed in a way that leaves open what is in the log: all that comes after could build on sand.
    /// Where there was no room, DuckDB has cut what it began off the log again.
    pub(crate) fn leaves_the_log_unknown(&self) -> bool {
        self.is_fatal() || (self.action == COMMITTING && !self.is_out_of_space())
    }

    /// Whether a checkpoint has to wait for queries that began before tables were created or dropped.
    pub(crate) fn is_busy(&self) -> bool {
        self.reason.contains("Cannot CHECKPOINT: there are other")
    }

    /// Whether a table that was planned for is gone: a compaction replaced it in between.
    pub(crate) fn is_missing_table(&self) -> bool {
        self.reason.contains("Catalog Error") && self.reason.contains("does not exist")
    }
}

/// Adds what was being done to an error of the database or the system.
pub(crate) trait During<T> {
    fn during(self, action: &str) -> Result<T, StoreError>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, action: &str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::new(action, error))
    }
}

/// Why a store could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another engine, in this or another process, holds the file.
    #[error("{} is in use by another process: one process owns a store. Talk to its server with --url instead", path.display())]
    Owned {
        /// The store's file.
        path: PathBuf,
    },
    /// The file was written by a later version of this program.
    #[error("{} has schema version {found}, this program knows versions up to {known}: use the newer program", path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Latest version that this program knows.
        known: u32,
    },
    /// Points that were acknowledged are not there: the write-ahead log lost its end, or another file was put in the
    /// store's place. Nothing was changed.
    #[error(
        "{} lacks {missing} points that were acknowledged: its write-ahead log was cut or damaged after they were \
         written, or another file was put in its place. The files are left as they are: restore a backup, or remove {} \
         to open what there is",
        path.display(),
        mark.display()
    )]
    Cut {
        /// The store's file.
        path: PathBuf,
        /// How many points are missing at least.
        missing: u64,
        /// The file that says so.
        mark: PathBuf,
    },
    /// A DuckDB database, but not a metrics store.
    #[error("{} is a DuckDB database without a metrics store in it: give another file name", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, cannot be read or written, or is damaged.
    #[error("cannot open {}: {source}", path.display())]
    Store {
        /// The store's file.
        path: PathBuf,
        /// What happened.
        source: StoreError,
    },
}

impl OpenError {
    pub(crate) fn store(path: &Path) -> impl FnOnce(StoreError) -> Self + '_ {
        move |source| Self::Store { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_log_that_nobody_knows() {
        let error = |reason: &str| StoreError::new(COMMITTING, reason);
        let full = error(
            "TransactionContext Error: Failed to commit: Could not write file \"m.wal\": No space left on device",
        );
        assert!(full.is_out_of_space() && !full.leaves_the_log_unknown());
        let lost = error("TransactionContext Error: Failed to commit: fsync failed: Input/output error");
        assert!(!lost.is_out_of_space() && lost.leaves_the_log_unknown());
        let given_up = StoreError::new(
            "cannot checkpoint",
            "FATAL Error: Failed to create checkpoint because of error: No space left on device",
        );
        assert!(!given_up.is_out_of_space() && given_up.leaves_the_log_unknown());
        assert!(!StoreError::new("cannot read", "IO Error: Input/output error").leaves_the_log_unknown());
    }
}
