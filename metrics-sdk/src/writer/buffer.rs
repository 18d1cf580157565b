//! The points of a writer: the batch that fills, those that wait in memory, those on the disk. No I/O and no clock.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use metrics_core::{Batch, BatchSeries, Point, SeriesKey, Timestamp};
use tokio::time::Instant;

use super::options::WhenFull;
use super::report::{Counters, MAX_REJECTIONS, Rejection, Report};
use crate::body::Body;
use crate::spill::{Entry, Packed};
use crate::{IdempotencyKey, SpillError};

/// Bytes of a point as JSON besides its name and labels: braces, member names, a time of 27 bytes, a value of 24.
const POINT_BYTES: usize = 96;
/// Bytes of a label as JSON besides its name and value.
const LABEL_BYTES: usize = 6;

/// How much: points, and their bytes as JSON, estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) points: usize,
    pub(super) bytes: usize,
}

impl Size {
    fn of_point(series: &SeriesKey) -> Self {
        let labels: usize = series.labels.iter().map(|(name, value)| name.len() + value.len() + LABEL_BYTES).sum();
        Self { points: 1, bytes: POINT_BYTES + series.name.as_str().len() + labels }
    }

    fn fits(mut self, more: Self, limit: Self) -> bool {
        self += more;
        self.points <= limit.points && self.bytes <= limit.bytes
    }
}

impl AddAssign for Size {
    fn add_assign(&mut self, more: Self) {
        self.points += more.points;
        self.bytes += more.bytes;
    }
}

impl SubAssign for Size {
    fn sub_assign(&mut self, less: Self) {
        self.points -= less.points;
        self.bytes -= less.bytes;
    }
}

#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) batch: Size,
    pub(super) buffer: Size,
    pub(super) max_age: Duration,
    pub(super) when_full: WhenFull,
    pub(super) spill: Option<SpillLimits>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SpillLimits {
    pub(super) max_bytes: u64,
    pub(super) durable: bool,
}

/// Points on their way in, with the size of a point of each series.
#[derive(Debug)]
pub(super) struct Load {
    batch: Batch,
    sizes: Vec<Size>,
    whole: Size,
    /// Samples that were taken already.
    taken: usize,
}

impl From<Batch> for Load {
    fn from(batch: Batch) -> Self {
        let sizes: Vec<Size> = batch.series().iter().map(Size::of_point).collect();
        let mut whole = Size::default();
        batch.samples().iter().for_each(|sample| whole += sizes[sample.series.index()]);
        Self { batch, sizes, whole, taken: 0 }
    }
}

/// A batch that is complete.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) seq: u64,
    pub(super) size: Size,
    key: IdempotencyKey,
    created: Timestamp,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Points(Batch),
    Packed(Packed),
}

impl Sealed {
    /// The batch with its body; takes some milliseconds.
    pub(super) fn pack(self, gzip: bool) -> (u64, Size, Packed) {
        let packed = match self.content {
            Content::Packed(packed) => packed,
            Content::Points(batch) => Packed {
                key: self.key,
                created: self.created,
                doubt: None,
                points: batch.len(),
                body: Body::of(&batch, gzip),
            },
        };
        (self.seq, self.size, packed)
    }

    pub(super) fn packed(seq: u64, size: Size, packed: Packed) -> Self {
        Self { seq, size, key: packed.key.clone(), created: packed.created, content: Content::Packed(packed) }
    }
}

/// What the sender is to do.
#[derive(Debug)]
pub(super) enum Next {
    Memory(Sealed),
    Disk(Entry),
    /// Nothing before this moment, or before something changes.
    Wait(Option<Instant>),
    /// Everything is done that can be.
    Stop,
}

/// Everything that a writer knows of its points.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    open: Batch,
    open_size: Size,
    opened: Option<Instant>,
    /// A batch was begun or completed that nobody was woken for yet.
    news: bool,
    /// The number that the open batch will have.
    open_seq: u64,
    sealed: VecDeque<Sealed>,
    /// Numbers of the batches in memory that a task has in hand.
    in_hand: Vec<u64>,
    /// All points in memory.
    held: Size,
    disk: VecDeque<Entry>,
    disk_points: u64,
    disk_bytes: u64,
    /// Bytes of the files that are being written.
    disk_reserved: u64,
    /// The batch of the disk that is being sent.
    sending: Option<u64>,
    /// Why the last batch could not be put on the disk, until the next one is.
    pub(super) disk_fault: Option<SpillError>,
    pub(super) disk_faults: u64,
    /// Since when no request was answered.
    pub(super) away: Option<Instant>,
    /// When the last attempt failed.
    pub(super) failed_at: Option<Instant>,
    /// The server asked not to be asked before.
    pub(super) asked_until: Option<Instant>,
    /// Whether batches go to the disk: the server is away.
    pub(super) spilling: bool,
    /// Attempts that failed.
    pub(super) failures: u64,
    /// Since when nothing more is taken.
    pub(super) closing: Option<Instant>,
    /// The sender puts away what is left: the keeper takes nothing more.
    pub(super) finishing: bool,
    /// The tasks have ended.
    pub(super) ended: bool,
    counters: Counters,
    rejections: VecDeque<Rejection>,
    pub(super) last_error: Option<String>,
}

impl State {
    pub(super) fn new(limits: Limits, found: Vec<Entry>, damaged: u64) -> Self {
        let mut state = Self {
            limits,
            open: Batch::new(),
            open_size: Size::default(),
            opened: None,
            news: false,
            open_seq: found.last().map_or(0, |last| last.seq + 1),
            sealed: VecDeque::new(),
            in_hand: Vec::new(),
            held: Size::default(),
            disk: VecDeque::new(),
            disk_points: 0,
            disk_bytes: 0,
            disk_reserved: 0,
            sending: None,
            disk_fault: None,
            disk_faults: 0,
            away: None,
            failed_at: None,
            asked_until: None,
            spilling: false,
            failures: 0,
            closing: None,
            finishing: false,
            ended: false,
            counters: Counters::default(),
            rejections: VecDeque::new(),
            last_error: (damaged > 0)
                .then(|| format!("{damaged} files of the spill folder were damaged and are set aside")),
        };
        found.into_iter().for_each(|entry| state.put_on_disk(entry));
        state
    }

    pub(super) fn is_durable(&self) -> bool {
        self.limits.spill.is_some_and(|spill| spill.durable)
    }

    // Points in.

    /// Takes a point; false without room for it.
    pub(super) fn take_point(&mut self, point: &Point, now: Instant) -> bool {
        let size = Size::of_point(point.series());
        if !self.has_room(size) {
            return false;
        }
        self.add(size, now);
        self.open.push(point.clone());
        self.seal_if_full();
        true
    }

    /// Takes as much of a load as there is room for; true when that was the rest of it.
    pub(super) fn take(&mut self, load: &mut Load, now: Instant) -> bool {
        let mut ids: Vec<Option<BatchSeries>> = vec![None; load.sizes.len()];
        let mut ids_of = self.open_seq;
        while let Some(sample) = load.batch.samples().get(load.taken) {
            let series = sample.series.index();
            if !self.has_room(load.sizes[series]) {
                return false;
            }
            self.add(load.sizes[series], now);
            if ids_of != self.open_seq {
                // Another batch was begun, which knows none of the series.
                ids.fill(None);
                ids_of = self.open_seq;
            }
            let id = *ids[series].get_or_insert_with(|| self.open.intern(load.batch.series()[series].clone()));
            self.open.push_any(id, sample.timestamp, sample.value);
            load.taken += 1;
            self.seal_if_full();
        }
        true
    }

    /// Whether all of a load fits at once.
    pub(super) fn fits(&mut self, load: &Load) -> bool {
        match self.limits.when_full {
            WhenFull::DropOldest => true,
            WhenFull::Wait | WhenFull::Error => self.held.fits(load.whole, self.limits.buffer),
        }
    }

    /// Whether a point fits, once the policy has made room for it.
    fn has_room(&mut self, size: Size) -> bool {
        let buffer = self.limits.buffer;
        while !self.held.fits(size, buffer) {
            if self.limits.when_full != WhenFull::DropOldest {
                return false;
            }
            if self.sealed.is_empty() {
                self.seal();
            }
            let Some(oldest) = self.sealed.pop_front() else { return false };
            self.held -= oldest.size;
            self.counters.dropped += oldest.size.points as u64;
        }
        true
    }

    /// Counts a point into the open batch, or into another where it does not fit.
    fn add(&mut self, size: Size, now: Instant) {
        if !self.open_size.fits(size, self.limits.batch) {
            self.seal();
        }
        self.news |= self.opened.is_none() || self.is_durable();
        self.opened.get_or_insert(now);
        self.open_size += size;
        self.held += size;
        self.counters.handed += 1;
    }

    fn seal_if_full(&mut self) {
        if self.open_size.points >= self.limits.batch.points {
            self.seal();
        }
    }

    /// Ends the batch that fills. The next point begins another.
    pub(super) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.sealed.push_back(Sealed {
            seq: self.open_seq,
            size: std::mem::take(&mut self.open_size),
            key: IdempotencyKey::random(),
            created: Timestamp::now(),
            content: Content::Points(std::mem::take(&mut self.open)),
        });
        self.opened = None;
        self.news = true;
        self.open_seq += 1;
    }

    fn seal_if_due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.opened? + self.limits.max_age;
        if due > now && self.closing.is_none() {
            return Some(due);
        }
        self.seal();
        None
    }

    /// Whether somebody is to be woken for points that came.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    // What is where.

    /// The number of the batch that the last point went into.
    pub(super) fn last_seq(&self) -> u64 {
        if self.open.is_empty() { self.open_seq.saturating_sub(1) } else { self.open_seq }
    }

    /// Whether no task has a batch of the memory in hand.
    pub(super) fn is_in_no_hand(&self) -> bool {
        self.in_hand.is_empty()
    }

    /// Whether no batch up to this number is in memory.
    pub(super) fn is_out_of_memory(&self, seq: u64) -> bool {
        let filling = !self.open.is_empty() && self.open_seq <= seq;
        !filling && self.sealed.iter().all(|batch| batch.seq > seq) && self.in_hand.iter().all(|hand| *hand > seq)
    }

    /// Whether batches up to this number are on the disk.
    pub(super) fn is_on_disk(&self, seq: u64) -> bool {
        self.disk.front().is_some_and(|entry| entry.seq <= seq)
    }

    /// Whether the buffer is half full or more.
    pub(super) fn is_pressed(&self) -> bool {
        let Size { points, bytes } = self.limits.buffer;
        self.held.points * 2 >= points || self.held.bytes * 2 >= bytes
    }

    /// Whether the writer is closed and the server does not take what is left at once: it failed an attempt since, or
    /// asked not to be asked.
    pub(super) fn is_left_to_disk(&self, now: Instant) -> bool {
        let Some(closing) = self.closing else { return false };
        let failed = self.failed_at.is_some_and(|at| at >= closing);
        self.away.is_some() && (failed || self.asked_until.is_some_and(|until| until > now))
    }

    // What the tasks take and give back.

    /// What to send next.
    pub(super) fn next_to_send(&mut self, now: Instant) -> Next {
        let due = self.seal_if_due(now);
        if self.limits.spill.is_some() && self.is_left_to_disk(now) {
            return Next::Stop;
        }
        if let Some(entry) = self.disk.front().copied() {
            self.sending = Some(entry.seq);
            return Next::Disk(entry);
        }
        // A durable batch goes by the disk, unless the disk takes none.
        let is_direct = !self.is_durable() || self.disk_fault.is_some();
        if is_direct && let Some(sealed) = self.take_sealed() {
            return Next::Memory(sealed);
        }
        if self.closing.is_some() && self.held.points == 0 { Next::Stop } else { Next::Wait(due) }
    }

    /// What to put on the disk next, or when to look again.
    pub(super) fn next_to_keep(&mut self, now: Instant) -> Result<Sealed, Option<Instant>> {
        if self.finishing || !(self.is_durable() || self.spilling) {
            return Err(None);
        }
        if self.is_durable() {
            self.seal();
        }
        let due = self.seal_if_due(now);
        self.take_sealed().ok_or(due)
    }

    pub(super) fn take_sealed(&mut self) -> Option<Sealed> {
        let sealed = self.sealed.pop_front()?;
        self.in_hand.push(sealed.seq);
        Some(sealed)
    }

    /// Puts a batch back that could not be put on the disk.
    pub(super) fn put_back(&mut self, sealed: Sealed) {
        self.in_hand.retain(|seq| *seq != sealed.seq);
        self.sealed.push_front(sealed);
    }

    /// A batch that was in hand is no longer in memory.
    pub(super) fn let_go(&mut self, seq: u64, size: Size) {
        self.in_hand.retain(|hand| *hand != seq);
        self.held -= size;
    }

    /// A batch of the memory is on the disk.
    pub(super) fn spilled(&mut self, size: Size, entry: Entry) {
        self.let_go(entry.seq, size);
        self.put_on_disk(entry);
    }

    fn put_on_disk(&mut self, entry: Entry) {
        let at = self.disk.partition_point(|other| other.seq < entry.seq);
        self.disk.insert(at, entry);
        self.disk_points += entry.points as u64;
        self.disk_bytes += entry.bytes;
    }

    /// Since when a batch of the disk is in doubt.
    pub(super) fn doubt(&mut self, seq: u64, since: Timestamp) {
        if let Some(entry) = self.disk.iter_mut().find(|entry| entry.seq == seq) {
            entry.doubt.get_or_insert(since);
        }
    }

    /// Takes a batch of the disk from the list.
    pub(super) fn forget(&mut self, seq: u64) {
        if let Some(at) = self.disk.iter().position(|entry| entry.seq == seq) {
            let entry = self.disk.remove(at).expect("it was just found");
            self.disk_points -= entry.points as u64;
            self.disk_bytes -= entry.bytes;
        }
        self.sending = None;
    }

    /// Sets so many bytes of the disk apart for a file, until [`Self::written`]. Gives the batches that make room for it
    /// and are dropped.
    ///
    /// # Errors
    /// [`SpillError::Full`] when none may go.
    pub(super) fn room_on_disk(&mut self, bytes: u64) -> Result<Vec<u64>, SpillError> {
        let max_bytes = self.limits.spill.map_or(0, |spill| spill.max_bytes);
        let mut gone = Vec::new();
        while self.disk_bytes + self.disk_reserved + bytes > max_bytes {
            let oldest = self.disk.iter().find(|entry| self.sending != Some(entry.seq)).copied();
            match oldest {
                Some(entry) if self.limits.when_full == WhenFull::DropOldest => {
                    let sending = self.sending;
                    self.forget(entry.seq);
                    self.sending = sending;
                    self.counters.dropped += entry.points as u64;
                    gone.push(entry.seq);
                }
                _ => return Err(SpillError::Full { max_bytes }),
            }
        }
        self.disk_reserved += bytes;
        Ok(gone)
    }

    /// A file for which room was set apart is written, or is not going to be.
    pub(super) fn written(&mut self, bytes: u64) {
        self.disk_reserved -= bytes;
    }

    // What became of a batch.

    pub(super) fn requested(&mut self, bytes: usize, again: bool) {
        self.counters.requests += 1;
        self.counters.retries += u64::from(again);
        self.counters.sent_bytes += bytes as u64;
    }

    pub(super) fn delivered(&mut self, points: usize, replayed: bool) {
        self.counters.delivered += points as u64;
        if replayed {
            self.counters.replayed += points as u64;
        }
    }

    pub(super) fn rejected(&mut self, points: usize, message: String) {
        self.counters.rejected += points as u64;
        if self.rejections.len() == MAX_REJECTIONS {
            self.rejections.pop_front();
        }
        self.rejections.push_back(Rejection { points: points as u64, message });
    }

    pub(super) fn dropped(&mut self, points: usize) {
        self.counters.dropped += points as u64;
    }

    pub(super) fn set_aside(&mut self, points: usize) {
        self.counters.set_aside += points as u64;
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            buffered: self.held.points as u64,
            spilled: self.disk_points,
            spilled_bytes: self.disk_bytes,
            ..self.counters
        }
    }

    pub(super) fn report(&self) -> Report {
        Report {
            counters: self.counters(),
            rejections: self.rejections.iter().cloned().collect(),
            last_error: self.last_error.clone(),
        }
    }
}
