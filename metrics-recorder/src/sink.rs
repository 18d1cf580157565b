//! Where points go.

use std::error::Error;
use std::fmt;

use metrics_core::Batch;

/// Why a sink did not take points.
pub type SinkError = Box<dyn Error + Send + Sync>;

/// The last points are not where they are to go.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The sink did not take them, or could not bring them there.
    #[error("the recorder's sink: {0}")]
    Sink(#[source] SinkError),
    /// The sink panicked before.
    #[error("the recorder's thread has ended: its sink panicked")]
    Ended,
}

/// Takes the points of each interval. Called by one thread, that of the recorder.
pub trait Sink: Send + 'static {
    /// Takes points. What it refuses is lost, but for counters: the next interval has their counts.
    ///
    /// # Errors
    /// Why the points are not taken.
    fn send(&mut self, batch: Batch) -> Result<(), SinkError>;

    /// Returns when everything sent is where it is to go, or an error when it cannot get there now.
    ///
    /// # Errors
    /// Why it is not there.
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A sink that is a function of yours.
///
/// ```
/// use metrics_recorder::{Batch, SinkFn};
/// let (recorder, guard) = metrics_recorder::builder().start(SinkFn(|batch: Batch| {
///     println!("{} points", batch.len());
///     Ok(())
/// }))?;
/// metrics::with_local_recorder(&recorder, || metrics::counter!("orders").increment(1));
/// guard.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SinkFn<F>(pub F);

impl<F> fmt::Debug for SinkFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SinkFn")
    }
}

impl<F: FnMut(Batch) -> Result<(), SinkError> + Send + 'static> Sink for SinkFn<F> {
    fn send(&mut self, batch: Batch) -> Result<(), SinkError> {
        (self.0)(batch)
    }
}

/// A sink that is chosen while the program runs.
impl<S: Sink + ?Sized> Sink for Box<S> {
    fn send(&mut self, batch: Batch) -> Result<(), SinkError> {
        (**self).send(batch)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        (**self).flush()
    }
}

/// To a server. Never waits: points that find the writer's buffer full are refused where its policy is to wait.
#[cfg(feature = "sdk")]
impl Sink for metrics_sdk::blocking::Writer {
    fn send(&mut self, batch: Batch) -> Result<(), SinkError> {
        Ok(self.try_push_batch(batch)?)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let report = metrics_sdk::blocking::Writer::flush(self);
        if report.is_complete() { Ok(()) } else { Err(report.to_string().into()) }
    }
}

/// Into a store of this program; the points are committed when [`Sink::send`] returns.
#[cfg(feature = "engine")]
impl Sink for metrics_core::Engine {
    fn send(&mut self, batch: Batch) -> Result<(), SinkError> {
        self.write(batch)?.wait()?;
        Ok(())
    }
}
