//! The writer as programs hold it.

use std::sync::{Arc, Mutex};

use metrics_core::{Batch, Point};
use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::buffer::{Load, SpillLimits, State};
use super::keeper;
use super::options::{WhenFull, WriterBuilder};
use super::report::{Counters, Report};
use super::sender::Sender;
use super::{Shared, WriterError};
use crate::spill::Directory;

/// Collects points and sends them in batches. Clones are cheap and share the buffer.
///
/// A batch is sent when it has enough [points](WriterBuilder::max_points) or [bytes](WriterBuilder::max_bytes) or is
/// [old enough](WriterBuilder::max_age), under one idempotency key however often it is sent: the server stores it once.
/// What the server cannot take now is tried again with growing, jittered waits that honour `Retry-After`; what it refuses
/// for good is counted and reported in its words, not tried for ever.
///
/// What happens when the points come faster than the server takes them, [`WhenFull`] decides; what happens while it is
/// away, [`WriterBuilder::give_up_after`] or a [`Spill`](crate::Spill) do.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use metrics_sdk::{Client, Point, Timestamp};
///
/// let writer = Client::new("http://127.0.0.1:8080")?.writer().start()?;
/// for reading in [21.5, 21.7, 21.6] {
///     writer.push(Point::new("temperature", Timestamp::now(), reading)?).await?;
/// }
/// let report = writer.close().await;
/// assert!(report.is_complete(), "{report}");
/// # Ok(())
/// # }
/// ```
///
/// # The end
///
/// [`Self::close`] sends what is left and tells what became of it. When the last clone is dropped instead, the writer
/// does the same in the background as long as its runtime runs: without a durable spill, points that it still holds are
/// lost with the runtime.
#[derive(Debug, Clone)]
pub struct Writer {
    handle: Arc<Handle>,
}

/// Closes the writer when the last clone goes.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.begin_close();
    }
}

impl Shared {
    /// Takes nothing more, and lets the tasks finish.
    fn begin_close(&self) {
        self.lock().closing.get_or_insert_with(Instant::now);
        self.work.notify_one();
        self.keep.notify_one();
        self.urgent.notify_one();
        self.changed.notify_waiters();
    }

    /// Wakes whoever has to do with points that just came.
    fn points_came(&self, state: &mut State) {
        if !state.take_news() {
            return;
        }
        if state.is_durable() || state.spilling {
            self.keep.notify_one();
        }
        self.work.notify_one();
    }
}

impl Writer {
    pub(super) fn start(builder: WriterBuilder) -> Result<Self, WriterError> {
        let runtime = Runtime::try_current().map_err(|_| WriterError::NoRuntime)?;
        let WriterBuilder { client, mut limits, retry, give_up_after, spill } = builder;
        let opened = spill.as_ref().map(|spill| Directory::open(&spill.folder, spill.max_bytes)).transpose()?;
        let (directory, found, damaged) = match opened {
            Some((directory, found, damaged)) => (Some(Arc::new(directory)), found, damaged),
            None => (None, Vec::new(), 0),
        };
        limits.spill = spill.as_ref().map(|spill| SpillLimits { max_bytes: spill.max_bytes, durable: spill.durable });
        let gzip = client.gzip();
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(limits, found, damaged)),
            directory,
            work: Notify::new(),
            keep: Notify::new(),
            urgent: Notify::new(),
            changed: Notify::new(),
        });
        if shared.directory.is_some() {
            runtime.spawn(keeper::run(Arc::clone(&shared), gzip));
        }
        let spill_after = spill.map(|spill| spill.after);
        runtime.spawn(Sender::new(Arc::clone(&shared), client, retry, give_up_after, spill_after).run());
        Ok(Self { handle: Arc::new(Handle { shared }) })
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Hands over a point. Waits for room where the policy is [`WhenFull::Wait`], and for the disk where the spill is
    /// durable. When the future is dropped before it is done, the point is handed over or not at all.
    ///
    /// # Errors
    /// [`WriterError::Full`], [`WriterError::Closed`], or [`WriterError::NotSynced`].
    pub async fn push(&self, point: Point) -> Result<(), WriterError> {
        let take = |state: &mut State| {
            if state.closing.is_some() {
                return Some(Err(WriterError::Closed));
            }
            if state.take_point(&point, Instant::now()) {
                return Some(Ok((state.last_seq(), state.disk_faults)));
            }
            state.refusal().map(Err)
        };
        self.insert(take).await
    }

    /// Hands over points; as [`Self::push`]. More than the buffer holds may be given where the policy is to wait or to
    /// drop. When the future is dropped or the writer closed while it waits for room, a first part of the points is
    /// handed over.
    ///
    /// # Errors
    /// [`WriterError::NotFinite`], and as for [`Self::push`].
    pub async fn push_batch(&self, batch: Batch) -> Result<(), WriterError> {
        let mut load = load(batch)?;
        let take = |state: &mut State| {
            if state.closing.is_some() {
                return Some(Err(WriterError::Closed));
            }
            let is_whole = state.limits.when_full == WhenFull::Error && !state.fits(&load);
            if !is_whole && state.take(&mut load, Instant::now()) {
                return Some(Ok((state.last_seq(), state.disk_faults)));
            }
            state.refusal().map(Err)
        };
        self.insert(take).await
    }

    async fn insert(
        &self,
        mut take: impl FnMut(&mut State) -> Option<Result<(u64, u64), WriterError>>,
    ) -> Result<(), WriterError> {
        let shared = self.shared();
        let taken = shared.until(|state| {
            let taken = take(state);
            // Also what was taken in part is to be sent, so that there is room for the rest.
            shared.points_came(state);
            taken
        });
        let (seq, faults) = taken.await?;
        if !shared.lock().is_durable() {
            return Ok(());
        }
        let synced = shared.until(|state| {
            if state.is_out_of_memory(seq) {
                return Some(Ok(()));
            }
            let fault = state.disk_fault.clone().filter(|_| state.disk_faults > faults)?;
            // Where the policy is to wait, a full disk is waited for.
            let waits = matches!(fault, crate::SpillError::Full { .. }) && state.limits.when_full == WhenFull::Wait;
            (!waits).then_some(Err(WriterError::NotSynced(fault)))
        });
        synced.await
    }

    /// Hands over a point without waiting for anything: neither for room nor for the disk.
    ///
    /// # Errors
    /// [`WriterError::Full`] or [`WriterError::Closed`]; the point was not taken.
    pub fn try_push(&self, point: Point) -> Result<(), WriterError> {
        let shared = self.shared();
        let mut state = shared.lock();
        if state.closing.is_some() {
            return Err(WriterError::Closed);
        }
        if !state.take_point(&point, Instant::now()) {
            return Err(state.full());
        }
        shared.points_came(&mut state);
        Ok(())
    }

    /// Hands over points without waiting for anything; all of them, or none.
    ///
    /// # Errors
    /// [`WriterError::Full`], [`WriterError::Closed`] or [`WriterError::NotFinite`]; nothing was taken.
    pub fn try_push_batch(&self, batch: Batch) -> Result<(), WriterError> {
        let mut load = load(batch)?;
        let shared = self.shared();
        let mut state = shared.lock();
        if state.closing.is_some() {
            return Err(WriterError::Closed);
        }
        if !state.fits(&load) || !state.take(&mut load, Instant::now()) {
            return Err(state.full());
        }
        shared.points_came(&mut state);
        Ok(())
    }

    /// Sends what was handed over before, and waits until all of it is delivered, refused or given up, or is on the disk
    /// and the server did not take it at once.
    pub async fn flush(&self) -> Report {
        let shared = self.shared();
        let (seq, failures) = {
            let mut state = shared.lock();
            state.seal();
            (state.last_seq(), state.failures)
        };
        shared.work.notify_one();
        shared.keep.notify_one();
        shared.urgent.notify_one();
        let settled = shared.until(|state| {
            let waits_on_disk = state.failures > failures || state.asked_until.is_some_and(|at| at > Instant::now());
            let settled = state.is_out_of_memory(seq) && (!state.is_on_disk(seq) || waits_on_disk);
            (settled || state.ended).then(|| state.report())
        });
        settled.await
    }

    /// Takes nothing more, sends what is left, and tells what became of all points. With a spill, what the server does
    /// not take at once stays on the disk for the next start; without one it is tried for
    /// [`WriterBuilder::give_up_after`] at most and then dropped. All clones are closed; to close again gives the same
    /// report.
    pub async fn close(&self) -> Report {
        self.shared().begin_close();
        self.shared().until(|state| state.ended.then(|| state.report())).await
    }

    /// Whether a point that finds room waits for the disk.
    pub(crate) fn may_wait(&self) -> bool {
        self.shared().lock().is_durable()
    }

    /// The figures as they are now.
    pub fn counters(&self) -> Counters {
        self.shared().lock().counters()
    }
}

impl State {
    /// Why a point that finds no room is refused; none where it waits.
    fn refusal(&self) -> Option<WriterError> {
        (self.limits.when_full == WhenFull::Error).then(|| self.full())
    }

    fn full(&self) -> WriterError {
        WriterError::Full { points: usize::try_from(self.counters().buffered).unwrap_or(usize::MAX) }
    }
}

/// Points that are all finite.
fn load(batch: Batch) -> Result<Load, WriterError> {
    match batch.samples().iter().enumerate().find(|(_, sample)| !sample.value.is_finite()) {
        Some((index, sample)) => Err(WriterError::NotFinite { index, value: sample.value }),
        None => Ok(batch.into()),
    }
}
