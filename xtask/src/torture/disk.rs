//! A disk that keeps what was synced, and of the rest whatever it likes: none, all, some sectors.
//!
//! Bytes are on it when their file was synced; of later ones it keeps any sectors of any write. Changes of names are in
//! the file system's journal, as with ext4, XFS and btrfs: any sync takes those along that came before it, and of later
//! ones it keeps the first few, in order.

use std::collections::BTreeMap;
use std::path::Path;

use rand::Rng;

use super::trace::Event;

/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

type FileId = usize;

#[derive(Debug, Clone)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let (at, end) = (*at as usize, *at as usize + bytes.len());
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[at..end].copy_from_slice(bytes);
            }
            Self::Truncate { length } => content.resize(*length as usize, 0),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What is on the disk for sure.
    settled: Vec<u8>,
    /// What came after, in order.
    later: Vec<Change>,
    /// Its length as the program sees it.
    length: u64,
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, FileId),
    Removed(String),
}

/// What a sync covers, as of its beginning.
#[derive(Debug)]
struct Sync {
    /// The file (none: the folder), and how many of its later changes.
    file: Option<(FileId, usize)>,
    /// Changes of names since the start.
    names: usize,
}

/// How much of what was not synced a disk kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    All,
    /// Any whole writes.
    SomeWrites,
    /// Any sectors.
    SomeSectors,
}

impl Kept {
    pub(crate) const ALL: [Self; 4] = [Self::Nothing, Self::All, Self::SomeWrites, Self::SomeSectors];
}

/// The disk under a store.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// As the program sees them.
    names: BTreeMap<String, FileId>,
    settled_names: BTreeMap<String, FileId>,
    later_names: Vec<NameChange>,
    /// Changes of names that were settled so far.
    named: usize,
    /// Syncs under way.
    syncs: BTreeMap<u64, Sync>,
}

impl Disk {
    /// Takes in what happened. What is no file's changes nothing.
    pub(crate) fn happen(&mut self, event: &Event) {
        match event {
            Event::Open { path, truncated } => self.open(path, *truncated),
            Event::Write { path, at, bytes } => {
                if let Some(file) = self.names.get(path).map(|id| &mut self.files[*id]) {
                    let at = at.unwrap_or(file.length);
                    file.length = file.length.max(at + bytes.len() as u64);
                    file.later.push(Change::Write { at, bytes: bytes.clone() });
                }
            }
            Event::Truncate { path, length } => {
                if let Some(file) = self.names.get(path).map(|id| &mut self.files[*id]) {
                    file.length = *length;
                    file.later.push(Change::Truncate { length: *length });
                }
            }
            Event::SyncBegins { path, call } => {
                let file = self.names.get(path).map(|id| (*id, self.files[*id].later.len()));
                self.syncs.insert(*call, Sync { file, names: self.named + self.later_names.len() });
            }
            Event::SyncEnds { call, .. } => self.sync(*call),
            Event::Unlink { path } => {
                if self.names.remove(path).is_some() {
                    self.later_names.push(NameChange::Removed(path.clone()));
                }
            }
            Event::Rename { from, to } => {
                if let Some(id) = self.names.remove(from) {
                    self.names.insert(to.clone(), id);
                    self.later_names.push(NameChange::Removed(from.clone()));
                    self.later_names.push(NameChange::Set(to.clone(), id));
                }
            }
            Event::Acknowledged { .. } => {}
        }
    }

    fn open(&mut self, path: &str, truncated: bool) {
        match self.names.get(path) {
            Some(id) if truncated => {
                self.files[*id].length = 0;
                self.files[*id].later.push(Change::Truncate { length: 0 });
            }
            Some(_) => {}
            None => {
                let id = self.files.len();
                self.files.push(File::default());
                self.names.insert(path.to_owned(), id);
                self.later_names.push(NameChange::Set(path.to_owned(), id));
            }
        }
    }

    fn sync(&mut self, call: u64) {
        let Some(Sync { file, names }) = self.syncs.remove(&call) else { return };
        if let Some((id, covered)) = file {
            let File { settled, later, .. } = &mut self.files[id];
            // Another sync of the same file may have ended before.
            let covered = covered.min(later.len());
            later.drain(..covered).for_each(|change| change.apply(settled));
        }
        let changes: Vec<NameChange> = self.later_names.drain(..names.saturating_sub(self.named)).collect();
        self.named += changes.len();
        changes.into_iter().for_each(|change| change_name(&mut self.settled_names, change));
    }

    /// Writes what a power cut now would leave into a folder, under the files' own last names.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn cut(&self, kept: Kept, random: &mut impl Rng, folder: &Path) -> std::io::Result<()> {
        let mut names = self.settled_names.clone();
        let changes = match kept {
            Kept::Nothing => 0,
            Kept::All => self.later_names.len(),
            Kept::SomeWrites | Kept::SomeSectors => random.random_range(0..=self.later_names.len()),
        };
        self.later_names[..changes].iter().cloned().for_each(|change| change_name(&mut names, change));
        std::fs::create_dir_all(folder)?;
        for (path, id) in names {
            let name = Path::new(&path).file_name().map(|name| folder.join(name)).unwrap_or_default();
            std::fs::write(name, self.content(id, kept, random))?;
        }
        Ok(())
    }

    fn content(&self, id: FileId, kept: Kept, random: &mut impl Rng) -> Vec<u8> {
        let File { settled, later, .. } = &self.files[id];
        let mut content = settled.clone();
        for change in later {
            match (kept, change) {
                (Kept::Nothing, _) => {}
                (Kept::All, change) => change.apply(&mut content),
                (Kept::SomeSectors, Change::Write { at, bytes }) => {
                    sectors(*at, bytes).filter(|_| random.random_bool(0.5)).for_each(|part| part.apply(&mut content));
                }
                (_, change) if random.random_bool(0.5) => change.apply(&mut content),
                _ => {}
            }
        }
        content
    }
}

fn change_name(names: &mut BTreeMap<String, FileId>, change: NameChange) {
    match change {
        NameChange::Set(path, id) => {
            names.insert(path, id);
        }
        NameChange::Removed(path) => {
            names.remove(&path);
        }
    }
}

/// A write as the sectors that it touches.
fn sectors(at: u64, bytes: &[u8]) -> impl Iterator<Item = Change> {
    let first = SECTOR_BYTES - (at as usize % SECTOR_BYTES);
    let (head, tail) = bytes.split_at(first.min(bytes.len()));
    let mut place = at;
    std::iter::once(head).chain(tail.chunks(SECTOR_BYTES)).map(move |part| {
        let change = Change::Write { at: place, bytes: part.to_vec() };
        place += part.len() as u64;
        change
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn write(path: &str, bytes: &[u8]) -> Event {
        Event::Write { path: path.into(), at: None, bytes: bytes.to_vec() }
    }

    fn sync(path: &str, call: u64) -> [Event; 2] {
        [Event::SyncBegins { path: path.into(), call }, Event::SyncEnds { path: path.into(), call }]
    }

    fn left(events: &[Event], kept: Kept) -> Vec<(String, Vec<u8>)> {
        let (mut disk, folder) = (Disk::default(), tempfile::tempdir().expect("a temporary folder"));
        events.iter().for_each(|event| disk.happen(event));
        disk.cut(kept, &mut StdRng::seed_from_u64(1), folder.path()).expect("writes");
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|file| {
                let file = file.expect("a file");
                (file.file_name().into_string().expect("UTF-8"), std::fs::read(file.path()).expect("reads"))
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn only_what_was_synced_is_there_for_sure() {
        let open = Event::Open { path: "/t/a".into(), truncated: false };
        let mut events = vec![open, write("/t/a", b"one")];
        assert_eq!(left(&events, Kept::Nothing), []);
        assert_eq!(left(&events, Kept::All), [("a".into(), b"one".to_vec())]);
        events.extend(sync("/t/a", 1));
        events.push(write("/t/a", b"two"));
        assert_eq!(left(&events, Kept::Nothing), [("a".into(), b"one".to_vec())]);
        events.push(Event::Unlink { path: "/t/a".into() });
        assert_eq!(left(&events, Kept::Nothing), [("a".into(), b"one".to_vec())]);
        assert_eq!(left(&events, Kept::All), []);
        events.extend(sync("/t", 2));
        assert_eq!(left(&events, Kept::Nothing), []);
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began() {
        let mut events = vec![Event::Open { path: "/t/a".into(), truncated: false }, write("/t/a", b"one")];
        let [begins, ends] = sync("/t/a", 1);
        events.extend([begins, write("/t/a", b"two"), ends]);
        assert_eq!(left(&events, Kept::Nothing), [("a".into(), b"one".to_vec())]);
    }

    #[test]
    fn a_write_is_torn_at_sectors() {
        let parts: Vec<(u64, usize)> = sectors(500, &[7; 1_100])
            .map(|change| match change {
                Change::Write { at, bytes } => (at, bytes.len()),
                Change::Truncate { .. } => unreachable!("only writes"),
            })
            .collect();
        assert_eq!(parts, [(500, 12), (512, 512), (1_024, 512), (1_536, 64)]);
    }
}
