//! `collect`: this machine's own metrics, live.

use std::pin::pin;
use std::time::Duration;

use metrics_core::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};

use crate::args::CollectArgs;
use crate::backend::Backend;
use crate::collector::Collector;
use crate::output::{counted, note};
use crate::signal;

/// The first sample comes so long after the start: CPU use is a difference.
const FIRST_AFTER: Duration = Duration::from_millis(500);

/// Runs the command. True when every point was acknowledged.
pub(crate) async fn run(args: &CollectArgs, backend: &Backend) -> anyhow::Result<bool> {
    let stopped = signal::first()?;
    let until = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let stop = async {
        tokio::select! { () = until => {}, _ = stopped => {} }
    };
    note(format_args!("this machine's metrics every {:?}", args.interval));
    let total = live(Collector::new()?, args.interval, backend, stop, note).await;
    note(format_args!("total {}", total.line()));
    Ok(total.failed == 0)
}

/// What became of the points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    stored: u64,
    /// Samples that could not be written.
    pub(crate) failed: u64,
}

impl Collected {
    /// `1,220 points stored, 2 samples failed`.
    pub(crate) fn line(self) -> String {
        let stored = counted(self.stored, "point");
        match self.failed {
            0 => format!("{stored} stored"),
            failed => format!("{stored} stored, {} failed", counted(failed, "sample")),
        }
    }
}

/// Writes a sample each interval until `stop` resolves. A sample that cannot be written is told and lost; the next one
/// is tried all the same.
pub(crate) async fn live(
    mut collector: Collector,
    interval: Duration,
    backend: &Backend,
    stop: impl Future<Output = ()>,
    report: impl Fn(String),
) -> Collected {
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval_at(Instant::now() + FIRST_AFTER.min(interval), interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut total = Collected::default();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return total,
            _ = ticks.tick() => {}
        }
        // The system may take its time, a file system that hangs most of all.
        let sampled = tokio::task::spawn_blocking(move || {
            let batch = collector.sample(Timestamp::now());
            (collector, batch)
        });
        let (back, batch) = sampled.await.expect("reading figures does not panic");
        collector = back;
        tokio::select! {
            biased;
            () = &mut stop => return total,
            written = backend.write(batch) => match written {
                Ok(points) => total.stored += points,
                Err(error) => {
                    total.failed += 1;
                    report(format!("a sample was not stored: {error:#}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_became_of_the_points() {
        assert_eq!(Collected { stored: 1_220, failed: 0 }.line(), "1,220 points stored");
        assert_eq!(Collected { stored: 0, failed: 1 }.line(), "0 points stored, 1 sample failed");
    }
}
