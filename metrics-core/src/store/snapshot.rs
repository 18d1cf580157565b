//! What a query reads: a view of the store at one moment, replaced as a whole and never changed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::chunk::Chunk;
use super::memtable::Memtable;

/// All points of the store: each is in exactly one of the chunks, the sealed and the active memtable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// How many snapshots came before.
    pub(crate) generation: u64,
    /// Ordered by their first point.
    pub(crate) chunks: Arc<Vec<Arc<Chunk>>>,
    /// Full, on its way into chunks.
    pub(crate) sealed: Option<Memtable>,
    /// Takes the points that arrive.
    pub(crate) active: Memtable,
}

impl Snapshot {
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Memtable> {
        self.sealed.iter().chain([&self.active])
    }
}

/// The current snapshot. Readers take it without waiting; those who replace it take turns.
#[derive(Debug, Default)]
pub(crate) struct Current {
    snapshot: ArcSwap<Snapshot>,
    turn: Mutex<()>,
}

impl Current {
    pub(crate) fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        let _turn = self.turn.lock();
        let mut next = Snapshot::clone(&self.snapshot.load());
        next.generation += 1;
        change(&mut next);
        self.snapshot.store(Arc::new(next));
    }
}
