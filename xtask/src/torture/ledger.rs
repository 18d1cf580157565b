//! What was sent and what was acknowledged; each acknowledgement is on the disk before it counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::points::{Points, STRIDE};

/// What is known of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Sent and not answered: may be there wholly or not at all.
    Open,
    /// Acknowledged, or found once: must stay.
    Kept,
    /// Not found once: must not appear, unless it is sent again.
    Lost,
}

/// A request's points: so many numbers from the first on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Post {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) fate: Fate,
    pub(crate) acknowledged: bool,
}

/// All posts to one store.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) points: Points,
    pub(crate) posts: BTreeMap<u64, Post>,
    file: File,
}

impl Ledger {
    /// Of a new store; acknowledgements go to a file.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { points: Points::of_today(), posts: BTreeMap::new(), file: File::create(path)? })
    }

    /// A post of new points, at least so many, that is about to be sent.
    pub(crate) fn open(&mut self, least: u64) -> Post {
        let first = self.next();
        let count = least.next_multiple_of(STRIDE);
        let post = Post { first, count, fate: Fate::Open, acknowledged: false };
        self.posts.insert(first, post);
        post
    }

    /// The number of the next post's first point.
    pub(crate) fn next(&self) -> u64 {
        self.posts.last_key_value().map_or(0, |(first, post)| first + post.count)
    }

    /// A post is about to be sent again: it may appear, if it was not there.
    pub(crate) fn reopen(&mut self, first: u64) {
        let post = self.posts.get_mut(&first).expect("only what was sent is sent again");
        if post.fate == Fate::Lost {
            post.fate = Fate::Open;
        }
    }

    /// A post was acknowledged.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub(crate) fn acknowledge(&mut self, first: u64) -> std::io::Result<()> {
        writeln!(self.file, "{first}")?;
        self.file.sync_data()?;
        let post = self.posts.get_mut(&first).expect("only what was sent is acknowledged");
        (post.fate, post.acknowledged) = (Fate::Kept, true);
        Ok(())
    }

    /// Points of acknowledged posts.
    pub(crate) fn acknowledged_points(&self) -> u64 {
        self.posts.values().filter(|post| post.acknowledged).map(|post| post.count).sum()
    }

    /// As it was when only these posts had been acknowledged: for images of the past. Others are open.
    pub(crate) fn at(&self, acknowledged: &std::collections::BTreeSet<u64>) -> BTreeMap<u64, Post> {
        let mut posts = self.posts.clone();
        for post in posts.values_mut() {
            post.acknowledged = acknowledged.contains(&post.first);
            post.fate = if post.acknowledged { Fate::Kept } else { Fate::Open };
        }
        posts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_follow_each_other_and_acknowledgements_are_written_down() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut ledger = Ledger::create(&folder.path().join("acks")).expect("a file");
        let (a, b) = (ledger.open(1), ledger.open(6));
        assert_eq!((a.first, a.count, b.first, b.count), (0, 4, 4, 8));
        ledger.acknowledge(4).expect("writes");
        assert_eq!(ledger.acknowledged_points(), 8);
        assert_eq!(std::fs::read_to_string(folder.path().join("acks")).expect("reads"), "4\n");
    }
}
