//! What was acknowledged last, noted beside the file, so that a log that lost its end is noticed.
//!
//! DuckDB drops the end of a write-ahead log that breaks off, as it must: a crash leaves one in the middle of a commit
//! of which nobody was told. A log that lost commits of which somebody was told looks just the same. So after each
//! commit the store notes how many points its head table holds, and opening compares.
//!
//! The note is written after the commit is on the disk and is not synced itself: it never says more than what the disk
//! holds. After a power cut it may say less than it could, and less is noticed.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::connection::Connection;
use super::error::{OpenError, StoreError};
use super::head::{self, HeadId};
use super::ownership::{MARK_ENDING, beside};

/// Two numbers of twenty digits, with a space between and a line's end.
const BYTES: usize = 42;

/// The head table that took the last commit, and how many points it held then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) head: HeadId,
    pub(super) points: u64,
}

/// The file of the note.
#[derive(Debug)]
pub(super) struct Mark {
    file: Mutex<Option<File>>,
    path: PathBuf,
}

/// Where a store's note stands.
pub(super) fn path_of(store: &Path) -> PathBuf {
    beside(store, MARK_ENDING)
}

/// The note of a store; none where there is none, or where it is no note.
pub(super) fn read(store: &Path) -> Option<Noted> {
    let text = std::fs::read_to_string(path_of(store)).ok().filter(|text| text.len() == BYTES)?;
    let (head, points) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Noted { head: head.parse().ok()?, points: points.parse().ok()? })
}

impl Noted {
    /// How many noted points some head tables lack. A table before the first of them is in chunks by now.
    fn missing(&self, heads: &[(HeadId, u64)]) -> u64 {
        match heads.iter().find(|(head, _)| *head == self.head) {
            Some((_, points)) => self.points.saturating_sub(*points),
            None if heads.iter().all(|(head, _)| *head < self.head) => self.points.max(1),
            None => 0,
        }
    }

    /// Compares a database that was just opened with the note.
    ///
    /// # Errors
    /// [`OpenError::Cut`] when it lacks points. The log is left as it is.
    pub(super) fn compare(&self, connection: &Connection, path: &Path) -> Result<(), OpenError> {
        let count = |head: HeadId| Ok((head, head::count(connection, head)?));
        let heads =
            head::list(connection).and_then(|heads| heads.into_iter().map(count).collect::<Result<Vec<_>, _>>());
        let missing = self.missing(&heads.map_err(OpenError::store(path))?);
        if missing == 0 {
            return Ok(());
        }
        Err(OpenError::Cut { path: path.to_owned(), missing, mark: path_of(path) })
    }
}

impl Mark {
    /// Begins to take notes, with the first of them on the disk. Without a place for them the store works all the same.
    pub(super) fn begin(store: &Path, noted: Noted) -> Self {
        let begin = || -> io::Result<File> {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path_of(store))?;
            write(&mut file, noted)?;
            file.set_len(BYTES as u64)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = begin().map_err(|error| told(&error)).ok();
        Self { file: Mutex::new(file), path: path_of(store) }
    }

    /// Takes the note away: the store is closed, and nothing is left in its log that could be lost.
    pub(super) fn end(&self) {
        if self.file.lock().take().is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the note of what was acknowledged last stays");
        }
    }

    /// Notes a commit that is on the disk.
    pub(super) fn note(&self, noted: Noted) {
        let mut file = self.file.lock();
        if let Some(open) = file.as_mut()
            && let Err(error) = write(open, noted)
        {
            told(&error);
            *file = None;
        }
    }
}

fn told(error: &io::Error) {
    tracing::warn!(%error, "what was acknowledged last is not noted: a damaged write-ahead log would not be noticed");
}

fn write(file: &mut File, Noted { head, points }: Noted) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    // In one call, within one sector: a reader sees the old note or the new one.
    file.write_all(format!("{head:020} {points:020}\n").as_bytes())
}

/// What is done about a log with an entry that does not fit its checksum.
///
/// A power cut may leave the last entries, of which nobody was told, with holes in them. DuckDB then refuses the
/// whole. The log is kept aside and opened again without what follows the first such entry; what is left must hold all
/// that was noted.
pub(super) struct Torn {
    log: PathBuf,
    aside: PathBuf,
}

impl Torn {
    /// Cuts the log where an error of opening says that it does not fit; none where it says no such thing.
    pub(super) fn cut(store: &Path, error: &StoreError) -> io::Result<Option<Self>> {
        let Some(length) = broken_at(&error.to_string()) else { return Ok(None) };
        let torn = Self { log: beside(store, ".wal"), aside: beside(store, ".wal.torn") };
        std::fs::copy(&torn.log, &torn.aside)?;
        File::open(&torn.aside)?.sync_all()?;
        let log = OpenOptions::new().write(true).open(&torn.log)?;
        log.set_len(length)?;
        log.sync_all()?;
        Ok(Some(torn))
    }

    /// Puts the log back as it was.
    pub(super) fn put_back(self) {
        if let Err(error) = std::fs::rename(&self.aside, &self.log) {
            tracing::error!(%error, "the write-ahead log is kept as {}", self.aside.display());
        }
    }

    /// Tells that the store goes on without the end of the log.
    pub(super) fn tell(&self) {
        tracing::warn!(
            "the write-ahead log ended in entries that do not fit their checksums, as a power cut leaves them; all that \
             is known to have been acknowledged is there; the log as it was is kept as {}",
            self.aside.display()
        );
    }
}

/// Where the log breaks, as DuckDB says it.
fn broken_at(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once("Corrupt WAL file: entry at byte position ")?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_nothing_else_is_a_note() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("m.duckdb");
        assert_eq!(read(&store), None);
        let mark = Mark::begin(&store, Noted { head: 3, points: 0 });
        assert_eq!(read(&store), Some(Noted { head: 3, points: 0 }));
        mark.note(Noted { head: 4, points: u64::MAX });
        assert_eq!(read(&store), Some(Noted { head: 4, points: u64::MAX }));
        for other in ["", "1 2", "00000000000000000004 0000000000000000000x\n"] {
            std::fs::write(path_of(&store), other).expect("writes");
            assert_eq!(read(&store), None, "{other}");
        }
    }

    #[test]
    fn only_what_is_in_no_chunk_can_be_missing() {
        let noted = Noted { head: 5, points: 100 };
        for (heads, missing) in [
            (vec![(5, 100)], 0),
            (vec![(4, 7), (5, 120)], 0),
            (vec![(5, 98)], 2),
            (vec![(6, 0)], 0),
            (vec![(4, 500)], 100),
        ] {
            assert_eq!(noted.missing(&heads), missing, "{heads:?}");
        }
    }

    #[test]
    fn the_place_where_a_log_breaks_is_read_from_duckdbs_words() {
        let words = "Failure while replaying WAL file \"m.wal\": Corrupt WAL file: entry at byte position 90183 computed checksum 1";
        assert_eq!(broken_at(words), Some(90_183));
        assert_eq!(broken_at("Corrupt database file"), None);
    }
}
