//! The folder of spilled batches: its lock, its files, what is set aside.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use metrics_core::Timestamp;

use super::SpillError;
use super::file::{self, MAX_HEAD_BYTES, Packed};

const LOCK: &str = "lock";
const SET_ASIDE: &str = "set-aside";
/// End of the names of batches.
const BATCH: &str = "batch";
/// End of the names of files that are being written.
const UNFINISHED: &str = "unfinished";

/// A folder that this writer alone uses.
#[derive(Debug)]
pub(crate) struct Directory {
    folder: PathBuf,
    /// Most bytes of what is set aside.
    max_aside_bytes: u64,
    /// Held as long as the folder is used; the operating system lets it go with the process.
    lock: Mutex<Option<File>>,
}

/// A file of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the order in which batches are sent.
    pub(crate) seq: u64,
    pub(crate) points: usize,
    pub(crate) bytes: u64,
    /// Since when it is unknown whether the server has stored it.
    pub(crate) doubt: Option<Timestamp>,
}

/// Why a batch is set aside; the end of its file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    Damaged,
    TooOld,
    Rejected,
}

impl Aside {
    fn word(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::TooOld => "too-old",
            Self::Rejected => "rejected",
        }
    }
}

/// Why a file gives no batch.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is not what was written.
    Damaged,
    /// It could not be read this time.
    Io(SpillError),
}

impl Directory {
    /// Opens a folder, making it where it is missing. Gives the batches of earlier writers in their order, and how many
    /// files were damaged; these are set aside.
    pub(crate) fn open(folder: &Path, max_aside_bytes: u64) -> Result<(Self, Vec<Entry>, u64), SpillError> {
        fs::create_dir_all(folder).map_err(SpillError::io("make", folder))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let lock = lock.map_err(SpillError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpillError::Locked { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(SpillError::io("lock", &path)(error)),
        }
        let directory = Self { folder: folder.to_owned(), max_aside_bytes, lock: Mutex::new(Some(lock)) };
        let (entries, damaged) = directory.list()?;
        Ok((directory, entries, damaged))
    }

    /// Lets another writer use the folder. This one does nothing with it any more.
    pub(crate) fn release(&self) {
        self.lock.lock().expect("nothing panics while it holds this").take();
    }

    fn list(&self) -> Result<(Vec<Entry>, u64), SpillError> {
        let (mut entries, mut damaged) = (Vec::new(), 0);
        for found in fs::read_dir(&self.folder).map_err(SpillError::io("list", &self.folder))? {
            let path = found.map_err(SpillError::io("list", &self.folder))?.path();
            let end = path.extension().and_then(|end| end.to_str());
            if end == Some(UNFINISHED) {
                // Its writer ended before it was a batch, so nobody was told that it is one.
                fs::remove_file(&path).map_err(SpillError::io("remove", &path))?;
            }
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let (Some(BATCH), Some(seq)) = (end, number) else { continue };
            match self.look(seq)? {
                Some(entry) => entries.push(entry),
                None => {
                    self.set_aside(seq, Aside::Damaged)?;
                    damaged += 1;
                }
            }
        }
        entries.sort_unstable_by_key(|entry| entry.seq);
        if let Some(first) = entries.first_mut() {
            // Batches are sent one at a time in their order: only the first can have been under way.
            let created = self.head(first.seq)?.map(|head| head.created());
            first.doubt = first.doubt.or(created);
        }
        Ok((entries, damaged))
    }

    /// What a file says of itself; none when it is damaged.
    fn look(&self, seq: u64) -> Result<Option<Entry>, SpillError> {
        let path = self.path(seq, BATCH);
        let bytes = fs::metadata(&path).map_err(SpillError::io("read", &path))?.len();
        let head = self.head(seq)?;
        Ok(head.map(|head| Entry { seq, points: head.points, bytes, doubt: head.doubt() }))
    }

    fn head(&self, seq: u64) -> Result<Option<file::Head>, SpillError> {
        let path = self.path(seq, BATCH);
        let mut start = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_HEAD_BYTES as u64).read_to_end(&mut start));
        read.map_err(SpillError::io("read", &path))?;
        Ok(file::head(&start).ok().map(|(head, _)| head))
    }

    fn path(&self, seq: u64, end: &str) -> PathBuf {
        self.folder.join(format!("{seq:020}.{end}"))
    }

    /// Writes a batch, of which `content` is the [`Packed::file`]; when this returns, it is on the disk.
    pub(crate) fn write(&self, seq: u64, batch: &Packed, content: &[u8]) -> Result<Entry, SpillError> {
        let (unfinished, path) = (self.path(seq, UNFINISHED), self.path(seq, BATCH));
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        if let Err(error) = written {
            // Half a file is of no use, and the disk may be full.
            let _ = fs::remove_file(&unfinished);
            return Err(SpillError::io("write", &unfinished)(error));
        }
        fs::rename(&unfinished, &path).map_err(SpillError::io("rename", &unfinished))?;
        self.sync()?;
        Ok(Entry { seq, points: batch.points, bytes: content.len() as u64, doubt: batch.doubt })
    }

    /// Reads a batch.
    pub(crate) fn read(&self, entry: &Entry) -> Result<Packed, ReadError> {
        let path = self.path(entry.seq, BATCH);
        let mut content = Vec::new();
        // The file was as long as this when it was written or found: no other length is right.
        let read = File::open(&path).and_then(|file| file.take(entry.bytes + 1).read_to_end(&mut content));
        read.map_err(|error| ReadError::Io(SpillError::io("read", &path)(error)))?;
        file::decode(content).map_err(|_| ReadError::Damaged)
    }

    /// Removes a batch for good: after a crash of the machine it is not there again.
    pub(crate) fn remove(&self, seq: u64) -> Result<(), SpillError> {
        let path = self.path(seq, BATCH);
        fs::remove_file(&path).map_err(SpillError::io("remove", &path))?;
        self.sync()
    }

    /// Moves a batch to where it is kept but not sent.
    pub(crate) fn set_aside(&self, seq: u64, why: Aside) -> Result<(), SpillError> {
        let aside = self.folder.join(SET_ASIDE);
        fs::create_dir_all(&aside).map_err(SpillError::io("make", &aside))?;
        let (from, name) = (self.path(seq, BATCH), format!("{seq:020}.{}", why.word()));
        fs::rename(&from, aside.join(name)).map_err(SpillError::io("set aside", &from))?;
        self.sync()?;
        self.bound_aside(&aside)
    }

    /// Removes the oldest of what was set aside until the rest keeps its bound.
    fn bound_aside(&self, aside: &Path) -> Result<(), SpillError> {
        let list = || -> std::io::Result<Vec<(PathBuf, u64)>> {
            let sized = |entry: fs::DirEntry| Ok((entry.path(), entry.metadata()?.len()));
            fs::read_dir(aside)?.map(|entry| entry.and_then(sized)).collect()
        };
        let mut files = list().map_err(SpillError::io("list", aside))?;
        files.sort_unstable();
        let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        for (path, size) in files {
            if bytes <= self.max_aside_bytes {
                break;
            }
            fs::remove_file(&path).map_err(SpillError::io("remove", &path))?;
            bytes -= size;
        }
        Ok(())
    }

    /// Syncs the folder itself: what was renamed or removed is so after a crash too. Only Unix has a way to do this
    /// and a need for it.
    fn sync(&self) -> Result<(), SpillError> {
        if cfg!(unix) {
            let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
            synced.map_err(SpillError::io("sync", &self.folder))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::IdempotencyKey;
    use crate::body::Body;

    fn batch(points: usize) -> Packed {
        let body = Body { bytes: Bytes::from(vec![b'x'; 1_000]), gzip: false };
        Packed { key: IdempotencyKey::random(), created: Timestamp::EPOCH, doubt: None, points, body }
    }

    fn open(folder: &Path) -> (Directory, Vec<Entry>, u64) {
        Directory::open(folder, 3_000).expect("a folder")
    }

    fn write(directory: &Directory, seq: u64) -> Result<Entry, SpillError> {
        let batch = batch(1);
        directory.write(seq, &batch, &batch.file())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn batches_are_found_in_their_order_and_only_the_first_is_in_doubt() {
        let folder = tempfile::tempdir().expect("a folder");
        let (directory, none, _) = open(folder.path());
        assert_eq!(none, []);
        let batches: Vec<Packed> = (1..=3).map(batch).collect();
        for (seq, batch) in [(10, &batches[1]), (2, &batches[0]), (11, &batches[2])] {
            directory.write(seq, batch, &batch.file()).expect("written");
        }
        drop(directory);
        let (directory, entries, damaged) = open(folder.path());
        assert_eq!(damaged, 0);
        let seen: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.points, entry.doubt)).collect();
        assert_eq!(seen, [(2, 1, Some(Timestamp::EPOCH)), (10, 2, None), (11, 3, None)]);
        let read: Vec<Packed> = entries.iter().map(|entry| directory.read(entry).expect("whole")).collect();
        assert_eq!(read, batches);
        directory.remove(2).expect("there");
        assert_eq!(names(folder.path()), ["00000000000000000010.batch", "00000000000000000011.batch", "lock"]);
    }

    #[test]
    fn a_folder_is_one_writers_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = open(folder.path());
        let error = Directory::open(folder.path(), 0).expect_err("it is in use");
        assert_eq!(error, SpillError::Locked { folder: folder.path().to_owned() });
        drop(first);
        open(folder.path());
    }

    #[test]
    fn damaged_and_unfinished_files_are_no_batches() {
        let folder = tempfile::tempdir().expect("a folder");
        let (directory, ..) = open(folder.path());
        for seq in 0..3 {
            write(&directory, seq).expect("written");
        }
        drop(directory);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("00000000000000000000.batch"), "torn").expect("written");
        let whole = fs::read(path("00000000000000000001.batch")).expect("there");
        fs::write(path("00000000000000000001.batch"), &whole[..whole.len() - 1]).expect("written");
        fs::write(path("00000000000000000007.unfinished"), &whole).expect("written");
        let (directory, entries, damaged) = open(folder.path());
        assert_eq!((entries.len(), damaged), (2, 1), "a body is looked at when it is sent");
        assert!(matches!(directory.read(&entries[0]), Err(ReadError::Damaged)));
        directory.set_aside(1, Aside::Damaged).expect("moved");
        directory.read(&entries[1]).expect("whole");
        assert_eq!(names(folder.path()), ["00000000000000000002.batch", "lock", "set-aside"]);
        let aside = names(&path("set-aside"));
        assert_eq!(aside, ["00000000000000000000.damaged", "00000000000000000001.damaged"]);
    }

    #[test]
    fn what_is_set_aside_is_bounded_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (directory, ..) = open(folder.path());
        for seq in 0..4 {
            write(&directory, seq).expect("written");
            directory.set_aside(seq, Aside::Rejected).expect("moved");
        }
        let aside = names(&folder.path().join("set-aside"));
        assert_eq!(aside, ["00000000000000000002.rejected", "00000000000000000003.rejected"]);
    }
}
