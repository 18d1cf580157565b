//! Batches on the disk of the client, while the server is away.

mod directory;
mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use directory::{Aside, Directory, Entry, ReadError};
pub(crate) use file::Packed;

/// Where a [`Writer`](crate::Writer) puts batches that it cannot deliver now.
///
/// ```
/// use metrics_sdk::Spill;
/// let spill = Spill::in_folder("/var/lib/agent/spill").max_bytes(256 << 20).durable(true);
/// ```
///
/// The folder holds one file a batch. A file is written under another name, synced, renamed, and the folder synced, so
/// that it is there as a whole or not at all; should a disk lose a part of it all the same, its checksum tells, and the
/// file is moved to `set-aside` in the folder instead of being sent. Files are sent in their order, each under the
/// idempotency key of its batch, and removed once the server has stored them; the next start goes on where this one
/// ended. One writer uses a folder at a time.
///
/// # Batches that are too old
///
/// The server knows an idempotency key for 48 hours. A batch of which it is *unknown* whether the server has stored it
/// (its answer was lost, or the program ended while it was sent) is sent again only within [`Self::MAX_DOUBT`]; later
/// it could be stored twice, and is set aside instead. This befalls at most the one batch that was under way. Batches that
/// were never sent are sent however old they are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "these are settings: give them to WriterBuilder::spill"]
pub struct Spill {
    pub(crate) folder: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) durable: bool,
    pub(crate) after: Duration,
}

impl Spill {
    /// Most bytes of files where nothing else is asked for: 1 GiB.
    pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;
    /// How long after a lost answer a batch is still sent again: 47 hours.
    pub const MAX_DOUBT: Duration = Duration::from_secs(47 * 60 * 60);

    /// Spills into a folder, which is made where it is missing.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            max_bytes: Self::DEFAULT_MAX_BYTES,
            durable: false,
            after: Duration::from_secs(1),
        }
    }

    /// Most bytes of files that wait; what is set aside may take as much again, and its oldest files go first. When the
    /// files take this much, batches stay in memory, and when that is full the writer's
    /// [`WhenFull`](crate::WhenFull) decides. Default [`Self::DEFAULT_MAX_BYTES`].
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Whether every point is on the disk, synced, before the call that hands it over returns. It then survives a crash
    /// of this program and of its machine too. Points that are handed over at the same time share a file and its sync;
    /// one by one, each waits for its own, some milliseconds: hand over batches. Default false: batches are in memory
    /// until the server has been away for [`Self::after`].
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// How long the server may be away before batches go to the disk. Default 1 s; at once when the writer is closed or
    /// flushed, or its buffer is half full.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

/// Why a spill folder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// Another writer, of this process or another, uses the folder.
    #[error("{} is used by another writer: give each writer a folder of its own", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system reported.
        kind: io::ErrorKind,
        /// The same in words.
        reason: String,
    },
    /// The files take as much as they may.
    #[error("the spilled batches take {max_bytes} bytes, their limit")]
    Full {
        /// [`Spill::max_bytes`].
        max_bytes: u64,
    },
}

impl SpillError {
    /// What befell a path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { action, path, kind: error.kind(), reason: error.to_string() }
    }
}
