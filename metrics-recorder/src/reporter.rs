//! The thread that writes every interval, and the guard that ends it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use metrics_core::Timestamp;

use crate::publish::Publisher;
use crate::registry::Registry;
use crate::{FlushError, Sink, SinkError};

/// Keeps a recorder writing. When it is dropped, the last points are written and flushed, which is waited for at most
/// [`Self::DROP_WAIT`].
#[derive(Debug)]
#[must_use = "when the guard is dropped, the recorder writes nothing more"]
pub struct Guard {
    registry: Arc<Registry>,
    figures: Arc<Figures>,
    /// Dropped to end the thread.
    calls: Option<SyncSender<Call>>,
    /// Behind a lock only so that guards can be shared.
    ended: Mutex<Receiver<Result<(), SinkError>>>,
}

/// A wish to write now, and where to say what came of it.
type Call = SyncSender<Result<(), SinkError>>;

#[derive(Debug, Default)]
struct Figures {
    intervals: AtomicU64,
    points: AtomicU64,
    failures: AtomicU64,
    unfit: AtomicU64,
}

/// Figures of a recorder since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Metrics that are recorded, each name with each set of labels counting as one.
    pub metrics: u64,
    /// How often a metric was not recorded because there are [as many as there may be](crate::Builder::max_metrics).
    pub refused: u64,
    /// Metrics that are recorded but not written: a store does not take their name or labels.
    pub unfit: u64,
    /// Times that points were written.
    pub intervals: u64,
    /// Points that the sink took.
    pub points: u64,
    /// Times that the sink took none.
    pub failures: u64,
}

impl Guard {
    /// How long a guard that is dropped waits for the last points to be written.
    pub const DROP_WAIT: Duration = Duration::from_secs(5);

    pub(crate) fn start(
        registry: Arc<Registry>,
        publisher: Publisher,
        interval: Duration,
        sink: Box<dyn Sink>,
    ) -> io::Result<Self> {
        let (calls, called) = mpsc::sync_channel(8);
        let (end, ended) = mpsc::sync_channel(1);
        let figures = Arc::new(Figures::default());
        let mut reporter = Reporter { registry: Arc::clone(&registry), publisher, figures: Arc::clone(&figures), sink };
        thread::Builder::new().name("metrics-recorder".into()).spawn(move || {
            reporter.run(interval, &called);
            // Nobody may be waiting any more.
            let _ = end.send(reporter.write_and_flush());
        })?;
        Ok(Self { registry, figures, calls: Some(calls), ended: Mutex::new(ended) })
    }

    /// Writes what was recorded so far, and waits until the sink has it where it is to go.
    ///
    /// # Errors
    /// Why it has not.
    pub fn flush(&self) -> Result<(), FlushError> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.calls.as_ref().ok_or(FlushError::Ended)?.send(reply).map_err(|_| FlushError::Ended)?;
        answer.recv().map_err(|_| FlushError::Ended)?.map_err(FlushError::Sink)
    }

    /// Writes what was recorded, waits until the sink has it, and ends. What is recorded afterwards is let go.
    ///
    /// # Errors
    /// Why the last points are not where they are to go.
    pub fn close(mut self) -> Result<(), FlushError> {
        self.calls.take();
        self.ended().recv().map_err(|_| FlushError::Ended)?.map_err(FlushError::Sink)
    }

    fn ended(&mut self) -> &Receiver<Result<(), SinkError>> {
        self.ended.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures as they are now.
    pub fn stats(&self) -> Stats {
        let Figures { intervals, points, failures, unfit } = &*self.figures;
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Stats {
            metrics: self.registry.len() as u64,
            refused: self.registry.refused(),
            unfit: read(unfit),
            intervals: read(intervals),
            points: read(points),
            failures: read(failures),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.calls.take().is_some() {
            let _ = self.ended().recv_timeout(Self::DROP_WAIT);
        }
    }
}

struct Reporter {
    registry: Arc<Registry>,
    publisher: Publisher,
    figures: Arc<Figures>,
    sink: Box<dyn Sink>,
}

impl Reporter {
    /// Writes every interval and whenever it is called, until the guard is gone.
    fn run(&mut self, interval: Duration, called: &Receiver<Call>) {
        let mut next = Instant::now() + interval;
        loop {
            match called.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(reply) => {
                    // Whoever called may have gone.
                    let _ = reply.send(self.write_and_flush());
                }
                Err(RecvTimeoutError::Timeout) => {
                    // Counted as a failure; the next interval tries again.
                    let _ = self.write();
                    let now = Instant::now();
                    while next <= now {
                        // Intervals that a slow sink took are left out.
                        next += interval;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self) -> Result<(), SinkError> {
        let batch = self.publisher.publish(&self.registry, Timestamp::now());
        let points = batch.len() as u64;
        self.figures.unfit.store(self.publisher.unfit, Ordering::Relaxed);
        self.figures.intervals.fetch_add(1, Ordering::Relaxed);
        let sent = if batch.is_empty() { Ok(()) } else { self.sink.send(batch) };
        let (figure, count) = if sent.is_ok() { (&self.figures.points, points) } else { (&self.figures.failures, 1) };
        figure.fetch_add(count, Ordering::Relaxed);
        sent
    }

    fn write_and_flush(&mut self) -> Result<(), SinkError> {
        self.write()?;
        self.sink.flush()
    }
}
