//! `simulate`: plausible metrics, as history and live.

use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use metrics_core::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::args::SimulateArgs;
use crate::backend::{Backend, Upload};
use crate::latency::{Latencies, brief};
use crate::output::{counted, grouped, note};
use crate::signal;
use crate::simulator::Simulator;

/// Points in one batch of history.
const BACKFILL_POINTS: usize = 10_000;
/// Writes that wait for their answer at a time; while so many do, instants are left out.
const MOST_IN_FLIGHT: usize = 64;
/// Time between two lines of the report.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Runs the command. True when every point was acknowledged.
pub(crate) async fn run(args: &SimulateArgs, backend: &Backend) -> anyhow::Result<bool> {
    // Short enough to be typed again.
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let count = usize::try_from(args.metrics).unwrap_or(usize::MAX);
    let mut simulator = Simulator::new(count, seed);
    note(format_args!("{} every {:?}, seed {seed}", counted(args.metrics, "metric"), args.interval));
    let mut stop = signal::first()?;
    if let Some(span) = args.backfill.filter(|span| !span.is_zero()) {
        tokio::select! {
            filled = backfill(&mut simulator, span, args.interval, backend) => filled?,
            _ = &mut stop => return Ok(true),
        }
    }
    if args.duration.is_some_and(|duration| duration.is_zero()) {
        return Ok(true);
    }
    let duration = args.duration;
    let until = async move {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let stop = async move {
        tokio::select! { () = until => {}, _ = stop => {} }
    };
    let total = live(simulator, args.interval, backend.clone(), stop, note).await;
    note(format_args!("total {}", total.line()));
    Ok(total.failed == 0)
}

/// Writes the past, up to now.
async fn backfill(
    simulator: &mut Simulator,
    span: Duration,
    interval: Duration,
    backend: &Backend,
) -> anyhow::Result<()> {
    let interval_us = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
    let ticks = i64::try_from(span.as_micros() / interval.as_micros().max(1)).unwrap_or(i64::MAX);
    let start = Timestamp::now().saturating_add_micros(interval_us.saturating_mul(ticks).saturating_neg());
    let metrics = simulator.metrics();
    let bar = match stderr().is_terminal() {
        true => ProgressBar::new(ticks.unsigned_abs().saturating_mul(metrics as u64)),
        false => ProgressBar::hidden(),
    };
    let template = "{wide_bar:.cyan/dim} {percent:>3}%  {human_pos} points  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is valid").progress_chars("━━─"));
    let began = Instant::now();
    let mut upload = Upload::new(backend);
    let mut tick = 0;
    while tick < ticks {
        let mut batch = simulator.batch();
        while tick < ticks && (batch.is_empty() || batch.len() + metrics <= BACKFILL_POINTS) {
            simulator.tick_into(start.saturating_add_micros(tick * interval_us), &mut batch);
            tick += 1;
        }
        upload.send(batch).await?;
        bar.set_position(upload.stored());
    }
    upload.settle().await?;
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let rate = (upload.stored() as f64 / seconds.max(1e-9)).round() as u64;
    let stored = counted(upload.stored(), "point");
    note(format_args!("history: {stored} stored in {seconds:.2} s: {} points/s", grouped(rate)));
    backend.after_bulk(upload.stored()).await
}

/// What became of the points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    sent: u64,
    acknowledged: u64,
    /// Points that were refused or whose answer never came.
    pub(crate) failed: u64,
    latencies: Latencies,
    last_error: Option<String>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
        self.latencies.merge(&other.latencies);
    }

    fn answered(&mut self, answer: Answer) {
        match answer.result {
            Ok(points) => {
                self.acknowledged += points;
                self.latencies.record(answer.took);
            }
            Err(error) => {
                self.failed += answer.points;
                self.last_error = Some(format!("{error:#}"));
            }
        }
    }

    /// `sent 1,220  acknowledged 1,200  failed 0  p50 2.1ms  p99 4.8ms`.
    pub(crate) fn line(&self) -> String {
        let quantile = |share| self.latencies.quantile(share).map_or_else(|| "-".into(), brief);
        let [sent, acknowledged, failed] = [self.sent, self.acknowledged, self.failed].map(grouped);
        let (p50, p99) = (quantile(0.5), quantile(0.99));
        format!("sent {sent}  acknowledged {acknowledged}  failed {failed}  p50 {p50}  p99 {p99}")
    }
}

struct Answer {
    points: u64,
    result: anyhow::Result<u64>,
    took: Duration,
}

/// Writes one point of every metric each interval until `stop` resolves, waits for the last answers, and returns the
/// sums. `report` gets a line a second.
pub(crate) async fn live(
    mut simulator: Simulator,
    interval: Duration,
    backend: Backend,
    stop: impl Future<Output = ()>,
    report: impl Fn(String),
) -> Tally {
    let mut stop = pin!(stop);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut reports = tokio::time::interval_at(tokio::time::Instant::now() + REPORT_EVERY, REPORT_EVERY);
    let mut in_flight: JoinSet<Answer> = JoinSet::new();
    let (mut total, mut second) = (Tally::default(), Tally::default());
    let began = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            _ = reports.tick() => {
                total.add(&second);
                report(format!("{:>5} s  {}", began.elapsed().as_secs(), second.line()));
                if let Some(error) = second.last_error.take() {
                    report(format!("         {error}"));
                }
                second = Tally::default();
            }
            Some(answer) = in_flight.join_next() => second.answered(answer.expect("a write does not panic")),
            _ = ticks.tick(), if in_flight.len() < MOST_IN_FLIGHT => {
                let batch = simulator.tick(Timestamp::now());
                let (points, backend) = (batch.len() as u64, backend.clone());
                second.sent += points;
                in_flight.spawn(async move {
                    let sent = Instant::now();
                    Answer { points, result: backend.write(batch).await, took: sent.elapsed() }
                });
            }
        }
    }
    while let Some(answer) = in_flight.join_next().await {
        second.answered(answer.expect("a write does not panic"));
    }
    total.add(&second);
    if let Some(error) = second.last_error {
        report(error);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_became_of_the_points() {
        let mut tally = Tally { sent: 2_040, ..Tally::default() };
        tally.answered(Answer { points: 20, result: Ok(20), took: Duration::from_millis(2) });
        tally.answered(Answer { points: 20, result: Err(anyhow::anyhow!("no")), took: Duration::from_millis(9) });
        let mut total = Tally::default();
        total.add(&tally);
        assert_eq!(total.line(), "sent 2,040  acknowledged 20  failed 20  p50 2.0ms  p99 2.0ms");
        assert_eq!(Tally::default().line(), "sent 0  acknowledged 0  failed 0  p50 -  p99 -");
    }
}
