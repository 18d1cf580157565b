//! The task that makes a writer's requests, one at a time.

use std::sync::Arc;
use std::time::Duration;

use metrics_core::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::buffer::{Next, Sealed, Size};
use super::keeper;
use crate::key::random_bits;
use crate::spill::{Aside, Entry, Packed, ReadError};
use crate::{Client, ClientError, Retry, Spill};

/// Refusals that may be for good, such as a store's limit of series, are tried so often.
const DOUBTFUL_ATTEMPTS: u32 = 10;

/// A batch that is being sent.
#[derive(Debug)]
struct Parcel {
    packed: Packed,
    origin: Origin,
}

/// Where a batch is meanwhile.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Memory(u64, Size),
    Disk(u64),
}

/// What a failed attempt says about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It may go better later.
    Later,
    /// It may, but not for ever.
    Doubtful,
    /// It never will.
    Never,
}

impl Verdict {
    fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Refused { status: 429, retry_after: None, .. } => Self::Doubtful,
            ClientError::Refused { status: 501 | 505, .. } => Self::Never,
            // A token that was revoked, or has expired, says nothing about the points: with a good one they are taken.
            ClientError::Refused { status: 401 | 403 | 408 | 425 | 429 | 500.., .. } => Self::Later,
            ClientError::Connect { .. } | ClientError::Interrupted { .. } | ClientError::Timeout { .. } => Self::Later,
            // Something answered that is not the server, such as a login page before it.
            ClientError::Answer { .. } | ClientError::TooLarge { .. } => Self::Doubtful,
            _ => Self::Never,
        }
    }
}

/// Whether the server may have stored what it did not confirm.
fn is_unsure(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Connect { .. } | ClientError::Refused { status: 400..=499 | 503, .. } | ClientError::Url { .. }
    )
}

/// Whether the server may have forgotten the key of a batch that it may have stored.
fn is_too_old(doubt: Option<Timestamp>, now: Timestamp) -> bool {
    let most = i64::try_from(Spill::MAX_DOUBT.as_micros()).expect("some hours");
    doubt.is_some_and(|since| now.micros() - since.micros() > most)
}

pub(super) struct Sender {
    shared: Arc<Shared>,
    client: Client,
    retry: Retry,
    give_up_after: Duration,
    /// How long the server may be away before batches go to the disk, with a spill.
    spill_after: Option<Duration>,
    current: Option<Parcel>,
    /// Attempts at the current batch that failed, and in a row whatever the batch.
    failed: u32,
    failed_in_row: u32,
    not_before: Option<Instant>,
}

impl Sender {
    pub(super) fn new(
        shared: Arc<Shared>,
        client: Client,
        retry: Retry,
        give_up_after: Duration,
        spill_after: Option<Duration>,
    ) -> Self {
        let (failed, failed_in_row) = (0, 0);
        Self {
            shared,
            client,
            retry,
            give_up_after,
            spill_after,
            current: None,
            failed,
            failed_in_row,
            not_before: None,
        }
    }

    /// Sends until the writer is closed and all is sent, or stays on the disk, or is given up.
    pub(super) async fn run(mut self) {
        while let Some(parcel) = self.next().await {
            if is_too_old(parcel.packed.doubt, Timestamp::now()) {
                self.put_aside(parcel, Aside::TooOld).await;
            } else {
                self.attempt(parcel).await;
            }
        }
        self.store_all().await;
        if let Some(directory) = &self.shared.directory {
            directory.release();
        }
        {
            let mut state = self.shared.lock();
            while let Some(sealed) = state.take_sealed() {
                state.dropped(sealed.size.points);
                state.let_go(sealed.seq, sealed.size);
            }
            state.ended = true;
        }
        self.shared.keep.notify_one();
        self.shared.changed.notify_waiters();
    }

    /// The batch to send, when it is time for it.
    async fn next(&mut self) -> Option<Parcel> {
        loop {
            self.wait_turn().await;
            if self.is_over() {
                self.end_early().await;
                return None;
            }
            if let Some(parcel) = self.current.take() {
                return Some(parcel);
            }
            self.failed = 0;
            let next = self.shared.lock().next_to_send(Instant::now());
            match next {
                Next::Memory(sealed) => return self.pack(sealed).await,
                Next::Disk(entry) => match self.read(entry).await {
                    Some(parcel) => return Some(parcel),
                    None => continue,
                },
                Next::Wait(Some(due)) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = self.shared.work.notified() => {}
                    }
                }
                Next::Wait(None) => self.shared.work.notified().await,
                Next::Stop => return None,
            }
        }
    }

    async fn pack(&self, sealed: Sealed) -> Option<Parcel> {
        let gzip = self.client.gzip();
        let packed = spawn_blocking(move || sealed.pack(gzip)).await.ok()?;
        let (seq, size, packed) = packed;
        Some(Parcel { packed, origin: Origin::Memory(seq, size) })
    }

    /// A batch of the disk; none when it is not what was written, or cannot be read, and is set aside.
    async fn read(&self, entry: Entry) -> Option<Parcel> {
        let directory = self.shared.directory.clone()?;
        let read = spawn_blocking(move || directory.read(&entry)).await.ok()?;
        let error = match read {
            Ok(mut packed) => {
                packed.doubt = packed.doubt.or(entry.doubt);
                return Some(Parcel { packed, origin: Origin::Disk(entry.seq) });
            }
            Err(ReadError::Damaged) => format!("spilled batch {} is damaged and set aside", entry.seq),
            Err(ReadError::Io(error)) => error.to_string(),
        };
        self.shared.lock().last_error = Some(error);
        self.leave_disk(entry.seq, entry.points, Some(Aside::Damaged)).await;
        None
    }

    /// Waits until the next attempt may be made, or none is to be made any more.
    async fn wait_turn(&mut self) {
        while let Some(at) = self.not_before {
            if self.is_over() {
                return;
            }
            let (asked, closing) = {
                let state = self.shared.lock();
                (state.asked_until, state.closing)
            };
            // The end may come before the server wants to be asked again.
            let at = closing.map_or(at, |since| at.min(since + self.give_up_after));
            let is_urgent = tokio::select! {
                () = sleep_until(at) => false,
                () = self.shared.urgent.notified() => true,
                () = self.shared.work.notified(), if self.may_store() => self.shared.lock().is_pressed(),
            };
            if Instant::now() >= at {
                self.not_before = None;
            } else if is_urgent {
                self.store_current().await;
                // Somebody waits: try once more now, but not against the server's wish.
                self.not_before = asked.filter(|until| *until > Instant::now());
            }
        }
    }

    /// Whether the end has come before everything was delivered.
    fn is_over(&self) -> bool {
        let state = self.shared.lock();
        match (state.closing, self.spill_after) {
            (None, _) => false,
            (Some(_), Some(_)) => state.is_left_to_disk(Instant::now()),
            (Some(closing), None) => state.away.is_some() && closing.elapsed() >= self.give_up_after,
        }
    }

    /// Gives up the batch in hand where it cannot go to the disk.
    async fn end_early(&mut self) {
        self.store_current().await;
        if let Some(Parcel { packed, origin: Origin::Memory(seq, size) }) = self.current.take() {
            let mut state = self.shared.lock();
            state.dropped(packed.points);
            state.let_go(seq, size);
        }
    }

    async fn attempt(&mut self, mut parcel: Parcel) {
        let Packed { key, body, points, .. } = &parcel.packed;
        let points = *points;
        self.shared.lock().requested(body.bytes.len(), self.failed > 0);
        let begun = Timestamp::now();
        let answer = match self.client.write_call(body.clone(), key) {
            Ok(call) => self.client.write_once(&call, points).await,
            Err(error) => Err(error),
        };
        let error = match answer {
            Ok(receipt) => {
                self.shared.lock().delivered(points, receipt.replayed);
                self.answered();
                return self.finish(parcel.origin, points, None).await;
            }
            Err(error) => error,
        };
        self.failed += 1;
        let verdict = Verdict::of(&error);
        if verdict == Verdict::Never || verdict == Verdict::Doubtful && self.failed >= DOUBTFUL_ATTEMPTS {
            self.shared.lock().rejected(points, error.to_string());
            self.answered();
            return self.finish(parcel.origin, points, Some(Aside::Rejected)).await;
        }
        if is_unsure(&error) {
            parcel.packed.doubt.get_or_insert(begun);
        }
        self.failed_attempt(&error, &parcel);
        self.keep(parcel).await;
    }

    /// Notes that the server answers.
    fn answered(&mut self) {
        self.failed_in_row = 0;
        self.not_before = None;
        let mut state = self.shared.lock();
        (state.away, state.asked_until, state.spilling) = (None, None, false);
    }

    /// Notes that it does not, and when to try again.
    fn failed_attempt(&mut self, error: &ClientError, parcel: &Parcel) {
        self.failed_in_row = self.failed_in_row.saturating_add(1);
        let wait = self.retry.wait(self.failed_in_row, error, random_bits());
        let now = Instant::now();
        self.not_before = Some(now + wait);
        let mut state = self.shared.lock();
        state.failures += 1;
        state.away.get_or_insert(now);
        state.failed_at = Some(now);
        state.asked_until = error.retry_after().map(|asked| now + asked);
        state.last_error = Some(error.to_string());
        if let (Origin::Disk(seq), Some(since)) = (parcel.origin, parcel.packed.doubt) {
            state.doubt(seq, since);
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Where a batch waits for its next attempt: with us, on the disk, or nowhere.
    async fn keep(&mut self, parcel: Parcel) {
        let away = self.shared.lock().away.map_or(Duration::ZERO, |since| since.elapsed());
        if self.spill_after.is_none() && away >= self.give_up_after {
            self.shared.lock().dropped(parcel.packed.points);
            // The batches behind it are given one attempt each, now.
            self.not_before = None;
            return self.finish(parcel.origin, parcel.packed.points, None).await;
        }
        self.current = Some(parcel);
        let is_time = self.spill_after.is_some_and(|after| away >= after) || self.shared.lock().is_pressed();
        if is_time {
            self.store_current().await;
        }
    }

    fn may_store(&self) -> bool {
        self.spill_after.is_some() && matches!(&self.current, Some(Parcel { origin: Origin::Memory(..), .. }))
    }

    /// Puts the batch in hand on the disk, and has the keeper do so with those behind it.
    async fn store_current(&mut self) {
        if self.spill_after.is_none() {
            return;
        }
        self.shared.lock().spilling = true;
        self.shared.keep.notify_one();
        if !self.may_store() {
            return;
        }
        if let Some(Parcel { packed, origin: Origin::Memory(seq, size) }) = self.current.take() {
            // Where the disk does not take it, it is back among the batches that wait, with its key.
            keeper::store(&self.shared, Sealed::packed(seq, size, packed), self.client.gzip()).await;
        }
    }

    /// Puts on the disk what is still in memory at the end.
    async fn store_all(&self) {
        if self.shared.directory.is_none() {
            return;
        }
        loop {
            let sealed = {
                let mut state = self.shared.lock();
                state.finishing = true;
                state.seal();
                state.take_sealed()
            };
            let Some(sealed) = sealed else { break };
            if !keeper::store(&self.shared, sealed, self.client.gzip()).await {
                break;
            }
        }
        // One may be in the keeper's hand: it is on the disk or put back when nothing is in hand.
        self.shared.until(|state| state.is_in_no_hand().then_some(())).await;
    }

    async fn put_aside(&mut self, parcel: Parcel, why: Aside) {
        let points = parcel.packed.points;
        {
            let mut state = self.shared.lock();
            state.last_error = Some(format!("a batch of {points} points is too old to be sent again without doubt"));
            if matches!(parcel.origin, Origin::Memory(..)) {
                state.dropped(points);
            }
        }
        self.finish(parcel.origin, points, Some(why)).await;
    }

    /// A batch is done with: it leaves the memory or the disk.
    async fn finish(&self, origin: Origin, points: usize, aside: Option<Aside>) {
        match origin {
            Origin::Memory(seq, size) => self.shared.lock().let_go(seq, size),
            Origin::Disk(seq) => self.leave_disk(seq, points, aside).await,
        }
        self.shared.changed.notify_waiters();
    }

    async fn leave_disk(&self, seq: u64, points: usize, aside: Option<Aside>) {
        let Some(directory) = self.shared.directory.clone() else { return };
        let left = spawn_blocking(move || match aside {
            Some(why) => directory.set_aside(seq, why),
            None => directory.remove(seq),
        });
        let left = left.await;
        let mut state = self.shared.lock();
        state.forget(seq);
        if matches!(aside, Some(Aside::Damaged | Aside::TooOld)) {
            state.set_aside(points);
        }
        if let Ok(Err(error)) = left {
            state.last_error = Some(error.to_string());
        }
        drop(state);
        // There may be room on the disk now.
        self.shared.keep.notify_one();
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> ClientError {
        ClientError::Refused { status, message: "no".into(), retry_after: None }
    }

    #[test]
    fn what_a_retry_can_mend_is_tried_again_and_nothing_else() {
        for status in [401, 403, 408, 500, 502, 503, 504] {
            assert_eq!(Verdict::of(&refused(status)), Verdict::Later, "{status}");
        }
        for status in [400, 404, 405, 413, 415, 501] {
            assert_eq!(Verdict::of(&refused(status)), Verdict::Never, "{status}");
        }
        assert_eq!(Verdict::of(&refused(429)), Verdict::Doubtful);
        let limited = ClientError::Refused { status: 429, message: "no".into(), retry_after: Some(Duration::ZERO) };
        assert_eq!(Verdict::of(&limited), Verdict::Later);
    }

    #[test]
    fn a_batch_in_doubt_is_sent_again_for_47_hours_and_one_without_doubt_for_ever() {
        let since = Timestamp::EPOCH;
        let later = |hours: i64| since.saturating_add_micros(hours * metrics_core::MICROS_PER_HOUR);
        assert!(!is_too_old(Some(since), later(47)));
        assert!(is_too_old(Some(since), later(47).saturating_add_micros(1)));
        assert!(!is_too_old(None, later(10_000)));
    }

    #[test]
    fn only_what_may_have_reached_the_store_is_in_doubt() {
        assert!(is_unsure(&ClientError::Interrupted { url: String::new(), reason: String::new() }));
        assert!(is_unsure(&refused(504)) && is_unsure(&refused(500)));
        assert!(!is_unsure(&refused(503)) && !is_unsure(&refused(429)));
    }
}
