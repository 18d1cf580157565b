//! Room on the disk: noticed before DuckDB runs out of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a look at the disk is believed while there is plenty: others write there too.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The disk has not the room that is to stay free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the disk is nearly full: {free_bytes} bytes are free, {needed_bytes} are needed (--min-free-disk and what is to be written): make room, and it goes on by itself"
)]
pub struct DiskFull {
    /// What is free.
    pub free_bytes: u64,
    /// What would have to be.
    pub needed_bytes: u64,
}

/// The disk of a folder, of which some space is to stay free.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    folder: PathBuf,
    reserve_bytes: u64,
    seen: Mutex<Option<Seen>>,
}

/// The last look at the disk.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    free_bytes: u64,
    /// What was allowed since.
    taken_bytes: u64,
}

impl DiskSpace {
    /// The disk of a file, which need not exist yet.
    pub(crate) fn of(file: &Path, reserve_bytes: u64) -> Self {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned(), reserve_bytes, seen: Mutex::new(None) }
    }

    /// What is free at this moment; none where the system does not tell.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.folder)
    }

    /// Whether so many bytes may be written, while so many more and the reserve stay free. Looks at the disk once a
    /// second, and every time where there is little.
    ///
    /// # Errors
    /// [`DiskFull`] when they may not.
    pub(crate) fn take(&self, bytes: u64, keep_bytes: u64) -> Result<(), DiskFull> {
        if self.reserve_bytes == 0 {
            return Ok(());
        }
        let needed_bytes = self.reserve_bytes.saturating_add(keep_bytes).saturating_add(bytes);
        let mut seen = self.seen.lock();
        let plenty = seen.filter(|seen| {
            let left = seen.free_bytes.saturating_sub(seen.taken_bytes);
            seen.at.elapsed() < LOOK_INTERVAL && left / 2 > needed_bytes
        });
        let known = match plenty {
            Some(known) => known,
            // A system that tells nothing is not held against those who write.
            None => match self.free_bytes() {
                Some(free_bytes) => Seen { at: Instant::now(), free_bytes, taken_bytes: 0 },
                None => return Ok(()),
            },
        };
        if known.free_bytes < needed_bytes {
            *seen = None;
            return Err(DiskFull { free_bytes: known.free_bytes, needed_bytes });
        }
        *seen = Some(Seen { taken_bytes: known.taken_bytes.saturating_add(bytes), ..known });
        Ok(())
    }
}

/// What is free on the disk of a folder for those who are not root.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match fs4::available_space(folder) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::debug!(%error, folder = %folder.display(), "the disk does not tell how much is free");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_stay_free_stays_free() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("m.duckdb");
        let free = free_bytes(folder.path()).expect("the system tells");
        assert_eq!(DiskSpace::of(&file, 1).take(1, 1), Ok(()));
        let refused = DiskSpace::of(&file, u64::MAX / 2).take(7, 5).expect_err("nobody has so much");
        assert_eq!(refused.needed_bytes, u64::MAX / 2 + 12);
        assert!(refused.free_bytes.abs_diff(free) < 1 << 30, "{refused} of {free}");
        assert_eq!(DiskSpace::of(&file, 0).take(u64::MAX, 0), Ok(()), "0 does not look");
    }

    #[test]
    fn a_look_is_not_believed_once_what_it_saw_is_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let space = DiskSpace::of(&folder.path().join("m.duckdb"), 1);
        let stale = Seen { at: Instant::now(), free_bytes: 100, taken_bytes: 0 };
        *space.seen.lock() = Some(stale);
        space.take(10, 0).expect("the look tells enough");
        assert_eq!(space.seen.lock().map(|seen| (seen.free_bytes, seen.taken_bytes)), Some((100, 10)));
        space.take(50, 0).expect("the disk has more");
        assert!(space.seen.lock().is_some_and(|seen| seen.free_bytes > 100), "it was looked at anew");
    }
}
