//! What a checkpoint writes over, kept beside the file until it is done.
//!
//! DuckDB's checkpoint writes new blocks, syncs them, and only then a header that makes them count. But blocks that hold
//! metadata are written again at their old place, with what the old header needs and the new one too, and each block
//! has one checksum: a power cut in the middle of such a write leaves a file that cannot be opened. So these blocks are
//! copied and synced before, and put back where the old header still counts when the store is opened.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};

use super::connection::Connection;
use super::error::{During, StoreError};
use super::ownership::{BLOCKS_ENDING, beside};

const MAGIC: &[u8; 8] = b"metblk01";
/// Magic, checksum, iteration of the header, block size and number of blocks, 8 bytes each.
const HEAD_BYTES: usize = 40;
/// Where the first block begins: after three headers of 4,096 bytes, the last two of which take turns.
const FIRST_BLOCK: u64 = 12_288;
const TURNS: [u64; 2] = [4_096, 8_192];
/// Most that is copied. A store of 16 billion points has a few megabytes of metadata.
const MOST_BYTES: usize = 256 << 20;

/// Copies of a database's blocks of metadata.
#[derive(Debug)]
pub(super) struct Preimages {
    /// Open as long as the database is: closing a descriptor of its file would take DuckDB's own lock off it.
    database: Mutex<File>,
    copies: Mutex<File>,
    path: PathBuf,
}

fn path_of(store: &Path) -> PathBuf {
    beside(store, BLOCKS_ENDING)
}

/// The iteration of the header that counts: the higher one.
fn iteration(database: &mut File) -> io::Result<u64> {
    let mut highest = 0;
    for turn in TURNS {
        // After its checksum.
        highest = highest.max(u64::from_le_bytes(read_at(database, turn + 8, 8)?.try_into().expect("8 bytes")));
    }
    Ok(highest)
}

fn read_at(file: &mut File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Preimages {
    /// Of an open database.
    pub(super) fn of(store: &Path) -> io::Result<Self> {
        let path = path_of(store);
        let copies = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
        Ok(Self { database: Mutex::new(File::open(store)?), copies: Mutex::new(copies), path })
    }

    /// Copies the blocks that the next checkpoint may write over. On the disk when this returns.
    pub(super) fn keep(&self, connection: &Connection) -> Result<(), StoreError> {
        let action = "cannot copy what a checkpoint writes over";
        let block_bytes: u64 = connection
            .query_row("SELECT block_size FROM pragma_database_size()", [], |row| row.get(0))
            .during(action)?;
        let mut statement = connection.prepare("SELECT block_id FROM pragma_metadata_info()").during(action)?;
        let ids: Result<Vec<u64>, _> = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        self.copy(block_bytes, &ids.during(action)?).during(action)
    }

    fn copy(&self, block_bytes: u64, ids: &[u64]) -> io::Result<()> {
        let mut database = self.database.lock();
        let length = database.metadata()?.len();
        let place = |id: u64| FIRST_BLOCK + id * block_bytes;
        // One that is not in the file yet has nothing to lose.
        let ids: Vec<u64> = ids.iter().copied().filter(|id| place(*id) + block_bytes <= length).collect();
        if ids.len() * block_bytes as usize > MOST_BYTES {
            return Err(io::Error::other("there is more metadata than is ever copied"));
        }
        let mut body = Vec::with_capacity(24 + ids.len() * (8 + block_bytes as usize));
        for number in [iteration(&mut database)?, block_bytes, ids.len() as u64].iter().chain(&ids) {
            body.extend(number.to_le_bytes());
        }
        for id in ids {
            body.extend(read_at(&mut database, place(id), block_bytes as usize)?);
        }
        drop(database);
        let mut copies = self.emptied()?;
        copies.write_all(MAGIC)?;
        copies.write_all(&u64::from(crc32fast::hash(&body)).to_le_bytes())?;
        copies.write_all(&body)?;
        copies.sync_all()
    }

    fn emptied(&self) -> io::Result<MutexGuard<'_, File>> {
        let mut copies = self.copies.lock();
        copies.set_len(0)?;
        copies.rewind()?;
        Ok(copies)
    }

    /// Forgets the copies: no checkpoint was made. Other blocks may take these places now.
    pub(super) fn forget(&self) -> Result<(), StoreError> {
        self.emptied().and_then(|copies| copies.sync_all()).during("cannot forget what was copied")
    }

    /// Takes the file of the copies away: the store is closed, and its last checkpoint done.
    pub(super) fn end(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the copies of the last checkpoint stay");
        }
    }
}

/// Puts blocks back that a checkpoint may have written over without being finished: the header of before still counts.
/// True when it did.
pub(super) fn put_back(store: &Path) -> io::Result<bool> {
    let mut bytes = Vec::new();
    match File::open(path_of(store)) {
        Ok(file) => file.take((MOST_BYTES + (1 << 20)) as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let Some(copies) = Copies::read(&bytes) else { return Ok(false) };
    let mut database = match OpenOptions::new().read(true).write(true).open(store) {
        Ok(database) => database,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if database.metadata()?.len() < FIRST_BLOCK || iteration(&mut database)? != copies.iteration {
        return Ok(false);
    }
    let mut changed = false;
    for (id, block) in copies.blocks {
        let at = FIRST_BLOCK + id * block.len() as u64;
        // A file that ends before a block that it had is none that a checkpoint left.
        if read_at(&mut database, at, block.len())? != block {
            database.seek(SeekFrom::Start(at))?;
            database.write_all(block)?;
            changed = true;
        }
    }
    database.sync_all()?;
    Ok(changed)
}

struct Copies<'a> {
    iteration: u64,
    blocks: Vec<(u64, &'a [u8])>,
}

impl<'a> Copies<'a> {
    /// None where they were not written to their end: the checkpoint had not begun.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let sound = bytes.get(..8)? == MAGIC && number(8)? == u64::from(crc32fast::hash(bytes.get(16..)?));
        if !sound {
            return None;
        }
        let (iteration, block_bytes) = (number(16)?, usize::try_from(number(24)?).ok()?);
        let count = usize::try_from(number(32)?).ok()?;
        let first = HEAD_BYTES.checked_add(count.checked_mul(8)?)?;
        let block = |i: usize| {
            let at = first.checked_add(i.checked_mul(block_bytes)?)?;
            Some((number(HEAD_BYTES + i * 8)?, bytes.get(at..at.checked_add(block_bytes)?)?))
        };
        Some(Self { iteration, blocks: (0..count).map(block).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 1_024;

    /// A file with headers of an iteration and three blocks of a letter each.
    fn database(path: &Path, iteration: u64, letters: [u8; 3]) {
        let mut bytes = vec![0; FIRST_BLOCK as usize];
        bytes[4_096 + 8..4_096 + 16].copy_from_slice(&(iteration - 1).to_le_bytes());
        bytes[8_192 + 8..8_192 + 16].copy_from_slice(&iteration.to_le_bytes());
        letters.iter().for_each(|letter| bytes.extend([*letter; BLOCK]));
        std::fs::write(path, bytes).expect("writes");
    }

    fn letters(path: &Path) -> Vec<u8> {
        std::fs::read(path).expect("reads")[FIRST_BLOCK as usize..]
            .chunks(BLOCK)
            .map(|block| block[BLOCK - 1])
            .collect()
    }

    #[test]
    fn blocks_are_put_back_only_while_the_header_of_before_counts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("m.duckdb");
        database(&path, 7, *b"abc");
        Preimages::of(&path).expect("opens").copy(BLOCK as u64, &[0, 2, 9]).expect("copies");
        assert!(!put_back(&path).expect("looks"), "nothing was written over");
        database(&path, 7, *b"xyz");
        assert!(put_back(&path).expect("puts back"));
        assert_eq!(letters(&path), b"ayc");
        database(&path, 8, *b"xyz");
        assert!(!put_back(&path).expect("looks"));
        assert_eq!(letters(&path), b"xyz");
    }

    #[test]
    fn copies_that_were_not_finished_are_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("m.duckdb");
        database(&path, 7, *b"abc");
        let preimages = Preimages::of(&path).expect("opens");
        preimages.copy(BLOCK as u64, &[0, 1]).expect("copies");
        let whole = std::fs::read(path_of(&path)).expect("reads");
        database(&path, 7, *b"xyz");
        for length in [0, 8, 39, 40, whole.len() - 1] {
            std::fs::write(path_of(&path), &whole[..length]).expect("writes");
            assert!(!put_back(&path).expect("looks"), "{length}");
        }
        preimages.forget().expect("forgets");
        assert!(!put_back(&path).expect("looks"));
        assert_eq!(letters(&path), b"xyz");
    }
}
