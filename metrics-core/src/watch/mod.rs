//! Telling those who watch which parts of which metrics changed.
//!
//! The committer writes what a commit changed into one log that all watches share; a watch is a place in it. The log
//! is bounded: a watch that fell behind its start is told that anything may have changed, and asks anew. So nobody who
//! watches can make the store's memory grow, or wait for them.

mod park;
mod spans;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::model::{MetricName, Timestamp};
pub use park::WatchTimeout;
pub(crate) use spans::Spans;

/// Changes that the log holds, one for each metric and span of a commit: about 4 MiB.
const LOG_ENTRIES: usize = 65_536;

/// A place in the history of a store, as a text without blanks: what a client keeps to go on where it stopped.
/// It is good for one opening of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchPosition {
    /// Tells one opening of a store from another: when it was opened, in microseconds.
    opening: i64,
    /// Commits since then.
    commit: u64,
}

impl fmt::Display for WatchPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.opening, self.commit)
    }
}

/// A text that is no [`WatchPosition`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a place in a store's history: use one that the store gave")]
pub struct WatchPositionError(String);

impl FromStr for WatchPosition {
    type Err = WatchPositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('-').and_then(|(opening, commit)| Some((opening.parse().ok()?, commit.parse().ok()?)));
        let (opening, commit) = parts.ok_or_else(|| WatchPositionError(text.chars().take(64).collect()))?;
        Ok(Self { opening, commit })
    }
}

/// What changed since a watch was asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Points of these metrics came or went in these spans, and perhaps nothing in parts of them. Spans of one metric
    /// are apart from each other.
    Spans(Vec<ChangedSpan>),
    /// Any part of any metric may have changed: too much happened since, or the store was opened anew.
    Anything,
}

/// A part of a metric that changed: `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedSpan {
    /// The metric.
    pub name: MetricName,
    /// First instant.
    pub from: Timestamp,
    /// First instant after the last.
    pub to: Timestamp,
}

/// Tells when points of some metrics come or go. Holds no data: what a changed span holds now, a query tells.
///
/// Await [`Watch::changed`] in async code of any runtime, or block on [`Watch::wait`] or [`Watch::wait_timeout`]. A watch
/// may be dropped at any time, and does not keep the store open.
///
/// ```no_run
/// # use metrics_core::{Change, Engine, MetricName};
/// # fn run(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
/// let mut watch = engine.watch([MetricName::new("temperature")?], None);
/// // In asynchronous code: watch.changed().await. None comes when the store is closed.
/// while let Some(change) = watch.wait() {
///     match change {
///         Change::Spans(spans) => spans.iter().for_each(|span| println!("{}: {} to {}", span.name, span.from, span.to)),
///         _ => println!("so much that all is to be asked anew"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    changes: Arc<Changes>,
    id: u64,
    names: Vec<MetricName>,
    /// Commits that were told.
    told: u64,
    /// The place that it was to go on from is not in the log.
    lost: bool,
}

impl Watch {
    /// The place up to which changes were told.
    pub fn position(&self) -> WatchPosition {
        WatchPosition { opening: self.changes.opening, commit: self.told }
    }

    /// What changed since the last answer, all of it in one; resolves once something did. None when the store is
    /// closed. No change is lost when the future is dropped before it is done, so that it may stand in a `select!` or a
    /// timeout.
    pub async fn changed(&mut self) -> Option<Change> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// As [`Watch::changed`], for a thread that may block.
    pub fn wait(&mut self) -> Option<Change> {
        futures_executor::block_on(self.changed())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut log = self.changes.log.lock();
        if std::mem::take(&mut self.lost) || self.told < log.forgotten {
            self.told = log.commits;
            return Poll::Ready(Some(Change::Anything));
        }
        let told = std::mem::replace(&mut self.told, log.commits);
        let spans = log.since(told, &self.names);
        if !spans.is_empty() {
            return Poll::Ready(Some(Change::Spans(spans)));
        }
        if log.closed {
            return Poll::Ready(None);
        }
        log.wakers.insert(self.id, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.changes.log.lock().wakers.remove(&self.id);
    }
}

/// One change of the log.
#[derive(Debug)]
struct Entry {
    commit: u64,
    name: MetricName,
    from: i64,
    to: i64,
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    /// Commits so far, counted from the first watch on.
    commits: u64,
    /// The last commit whose changes are not all here any more.
    forgotten: u64,
    /// Who waits, by the number of the watch.
    wakers: FxHashMap<u64, Waker>,
    next_watch: u64,
    closed: bool,
}

impl Log {
    /// The changes of some metrics after a commit.
    fn since(&self, commit: u64, names: &[MetricName]) -> Vec<ChangedSpan> {
        let mut spans: Vec<Spans> = vec![Spans::default(); names.len()];
        let first = self.entries.partition_point(|entry| entry.commit <= commit);
        for entry in self.entries.range(first..) {
            if let Ok(at) = names.binary_search(&entry.name) {
                spans[at].add(entry.from, entry.to);
            }
        }
        let changed = |(name, spans): (&MetricName, Spans)| {
            let span = |(from, to)| (name.clone(), Timestamp::clamped(from), Timestamp::clamped(to));
            spans.iter().map(span).collect::<Vec<_>>()
        };
        let all = names.iter().zip(spans).flat_map(changed);
        all.map(|(name, from, to)| ChangedSpan { name, from, to }).collect()
    }
}

/// What the committer tells and watches read.
#[derive(Debug)]
pub(crate) struct Changes {
    opening: i64,
    /// Somebody watches, or did: before the first watch nothing is recorded.
    recording: AtomicBool,
    log: Mutex<Log>,
}

impl Changes {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { opening: now.micros(), recording: AtomicBool::new(false), log: Mutex::default() }
    }

    /// Whether a commit needs to tell what it changed.
    pub(crate) fn are_recorded(&self) -> bool {
        // In one order with what can be read: a watch records first and asks then, a commit can be read first and looks
        // here then. One of the two sees the other.
        self.recording.load(Ordering::SeqCst)
    }

    /// A watch that goes on after a place, or begins now.
    pub(crate) fn watch(self: &Arc<Self>, mut names: Vec<MetricName>, after: Option<WatchPosition>) -> Watch {
        names.sort_unstable();
        names.dedup();
        self.recording.store(true, Ordering::SeqCst);
        let mut log = self.log.lock();
        log.next_watch += 1;
        let known = after.filter(|after| after.opening == self.opening && after.commit <= log.commits);
        Watch {
            changes: Arc::clone(self),
            id: log.next_watch,
            names,
            told: known.map_or(log.commits, |after| after.commit),
            lost: after.is_some() && known.is_none(),
        }
    }

    /// Tells of one commit, after it can be read.
    pub(crate) fn tell(&self, changes: impl IntoIterator<Item = (MetricName, Spans)>) {
        let mut log = self.log.lock();
        log.commits += 1;
        let commit = log.commits;
        for (name, spans) in changes {
            log.entries.extend(spans.iter().map(|(from, to)| Entry { commit, name: name.clone(), from, to }));
            while log.entries.len() > LOG_ENTRIES {
                let gone = log.entries.pop_front().expect("it is longer than its bound");
                log.forgotten = gone.commit;
            }
        }
        let wakers = std::mem::take(&mut log.wakers);
        drop(log);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Tells of a commit whose spans nobody noted.
    pub(crate) fn tell_anything(&self) {
        let mut log = self.log.lock();
        log.commits += 1;
        log.forgotten = log.commits;
        let wakers = std::mem::take(&mut log.wakers);
        drop(log);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Tells that nothing comes any more.
    pub(crate) fn close(&self) {
        let mut log = self.log.lock();
        log.closed = true;
        let wakers = std::mem::take(&mut log.wakers);
        drop(log);
        wakers.into_values().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MetricName {
        MetricName::new(text).expect("valid")
    }

    fn tell(changes: &Changes, names: &[&str], at: i64) {
        let mut spans = Spans::default();
        spans.add_instant(at);
        changes.tell(names.iter().map(|text| (name(text), spans.clone())));
    }

    fn told(watch: &mut Watch) -> Option<Change> {
        match watch.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(change) => change,
            Poll::Pending => Some(Change::Spans(Vec::new())),
        }
    }

    fn spans(list: &[(&str, i64, i64)]) -> Option<Change> {
        let span = |&(text, from, to): &(&str, i64, i64)| ChangedSpan {
            name: name(text),
            from: Timestamp::clamped(from),
            to: Timestamp::clamped(to),
        };
        Some(Change::Spans(list.iter().map(span).collect()))
    }

    #[test]
    fn a_watch_is_told_of_its_own_metrics_once() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut watch = changes.watch(vec![name("b"), name("a"), name("a")], None);
        tell(&changes, &["a", "other"], 5);
        tell(&changes, &["b"], 7);
        tell(&changes, &["a"], 9);
        assert_eq!(told(&mut watch), spans(&[("a", 5, 10), ("b", 7, 8)]));
        assert_eq!(told(&mut watch), spans(&[]));
        changes.close();
        assert_eq!(told(&mut watch), None);
    }

    #[test]
    fn a_later_watch_goes_on_where_an_earlier_one_stopped() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut first = changes.watch(vec![name("a")], None);
        tell(&changes, &["a"], 1);
        assert_eq!(told(&mut first), spans(&[("a", 1, 2)]));
        let position = first.position().to_string();
        drop(first);
        tell(&changes, &["a"], 3);
        let after = |text: &str| Some(text.parse().expect("a position"));
        assert_eq!(told(&mut changes.watch(vec![name("a")], after(&position))), spans(&[("a", 3, 4)]));
        let stranger = told(&mut changes.watch(vec![name("a")], after("7-1")));
        assert_eq!(stranger, Some(Change::Anything), "of another opening");
        assert_eq!(told(&mut changes.watch(vec![name("a")], after("0-99"))), Some(Change::Anything));
        assert!("nonsense".parse::<WatchPosition>().is_err());
    }

    #[test]
    fn the_log_is_bounded_and_who_fell_behind_is_told_so() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut watch = changes.watch(vec![name("a")], None);
        for at in 0..=LOG_ENTRIES as i64 {
            tell(&changes, &["a"], at);
        }
        assert_eq!(changes.log.lock().entries.len(), LOG_ENTRIES);
        assert_eq!(told(&mut watch), Some(Change::Anything));
        tell(&changes, &["a"], 1);
        assert_eq!(told(&mut watch), spans(&[("a", 1, 2)]));
    }

    #[test]
    fn a_commit_whose_spans_nobody_noted_may_be_anything() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut watch = changes.watch(vec![name("a")], None);
        changes.tell_anything();
        tell(&changes, &["a"], 1);
        assert_eq!(told(&mut watch), Some(Change::Anything));
        tell(&changes, &["a"], 3);
        assert_eq!(told(&mut watch), spans(&[("a", 3, 4)]));
    }

    #[test]
    fn a_wait_ends_with_its_time_and_begins_anew_where_it_was() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut watch = changes.watch(vec![name("a")], None);
        let short = std::time::Duration::from_millis(5);
        tell(&changes, &["other"], 1);
        assert_eq!(watch.wait_timeout(short), Err(WatchTimeout(short)));
        tell(&changes, &["a"], 1);
        assert_eq!(watch.wait_timeout(std::time::Duration::ZERO), Ok(spans(&[("a", 1, 2)])));

        let teller = std::thread::spawn({
            let changes = Arc::clone(&changes);
            move || {
                std::thread::sleep(short);
                tell(&changes, &["other"], 2);
                tell(&changes, &["a"], 3);
                std::thread::sleep(short);
                changes.close();
            }
        });
        let long = std::time::Duration::MAX;
        assert_eq!(watch.wait_timeout(long), Ok(spans(&[("a", 3, 4)])));
        assert_eq!(watch.wait_timeout(long), Ok(None), "the store is closed");
        teller.join().expect("told");
    }

    #[test]
    fn watches_can_be_sent_to_other_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Watch>();
        shared::<crate::Engine>();
        shared::<crate::WriteTicket>();
    }

    #[test]
    fn a_watch_that_is_polled_often_leaves_one_waker_and_takes_it_along() {
        let changes = Arc::new(Changes::new(Timestamp::EPOCH));
        let mut watch = changes.watch(vec![name("a")], None);
        for _ in 0..3 {
            assert_eq!(told(&mut watch), spans(&[]));
        }
        assert_eq!(changes.log.lock().wakers.len(), 1);
        drop(watch);
        assert!(changes.log.lock().wakers.is_empty());
    }
}
