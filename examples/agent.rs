//! An agent that samples its machine and sends that to a server, whatever the server does meanwhile: what cannot be
//! delivered is kept on the disk and sent when the server is back, also by the agent's next run.
//!
//! With a server running: `cargo run --release --example agent -- http://127.0.0.1:8080`. A number behind the address ends
//! it after so many seconds. Linux only: it reads `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use metrics_sdk::{Batch, Client, Labels, MetricName, SeriesKey, Spill, Timestamp, WhenFull};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("give the server's URL, such as http://127.0.0.1:8080")?;
    let seconds = arguments.next().map(|text| text.parse()).transpose().context("seconds are a whole number")?;
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(u64::from(u32::MAX)));

    let spill = Spill::in_folder("agent-spill").max_bytes(64 << 20);
    // An agent never waits for a server: what is oldest goes when even the disk's share is full.
    let writer = Client::new(url)?.writer().when_full(WhenFull::DropOldest).spill(spill).start()?;
    let host = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let labels = Labels::new([("host", host.trim())])?;

    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => writer.push_batch(sample(&labels)?).await?,
            () = sleep_until(end) => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    println!("{}", writer.close().await);
    Ok(())
}

/// The machine's load and memory now.
fn sample(labels: &Labels) -> anyhow::Result<Batch> {
    let now = Timestamp::now();
    let mut batch = Batch::new();
    let mut add = |name: &str, value: f64| -> anyhow::Result<()> {
        let series = batch.intern(SeriesKey::new(MetricName::new(name)?, labels.clone()));
        Ok(batch.push_sample(series, now, value)?)
    };
    let load = fs::read_to_string("/proc/loadavg")?;
    for (name, word) in ["load_1m", "load_5m", "load_15m"].into_iter().zip(load.split_whitespace()) {
        add(name, word.parse()?)?;
    }
    let memory = fs::read_to_string("/proc/meminfo")?;
    for (line, name) in [("MemTotal:", "memory_total_bytes"), ("MemAvailable:", "memory_available_bytes")] {
        let words = memory.lines().find_map(|found| found.strip_prefix(line));
        let kib = words.and_then(|words| words.split_whitespace().next()).context("no such line in /proc/meminfo")?;
        add(name, kib.parse::<f64>()? * 1_024.0)?;
    }
    Ok(batch)
}
