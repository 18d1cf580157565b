//! Bare DuckDB through the same crate: the least that storing costs, without a server, a log that is waited for, an
//! index of series, an order or a rollup; and the blocks of a store's file.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use metrics_benches::{Workload, cpu_seconds};

use crate::load::LoadRecord;

/// Points that are appended at a time.
const APPEND_POINTS: usize = 20_000;

/// Appends the workload to one table in the order in which it arrives.
pub(crate) fn load(folder: &Path, mut workload: Workload, samples: u64) -> Result<LoadRecord> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("plain.duckdb");
    let connection = duckdb::Connection::open(&path)?;
    connection.execute_batch("CREATE TABLE points(series UBIGINT, ts BIGINT, value DOUBLE)")?;
    let cpu = || cpu_seconds().context("the kernel tells no processor time");
    let (mut wall_s, mut cpu_s) = (0.0, 0.0);
    let series = workload.series();
    let ticks = samples.div_ceil(series as u64);
    let mut left = ticks as usize;
    while left > 0 {
        let now = (APPEND_POINTS / series).clamp(1, left);
        left -= now;
        let batch = workload.next_record_batch(now);
        let (begun, before) = (Instant::now(), cpu()?);
        let mut appender = connection.appender("points")?;
        appender.append_record_batch(batch)?;
        appender.flush()?;
        drop(appender);
        wall_s += begun.elapsed().as_secs_f64();
        cpu_s += cpu()? - before;
    }
    let before = cpu()?;
    connection.execute_batch("CHECKPOINT")?;
    let settled_cpu_s = cpu_s + cpu()? - before;
    Ok(LoadRecord {
        system: None,
        format: None,
        samples: ticks * series as u64,
        series: series as u64,
        wall_s,
        cpu_s,
        settled_cpu_s,
        retries: 0,
        sent_bytes: 0,
        peak_mib: None,
        file_bytes: std::fs::metadata(&path)?.len(),
        point_bytes: None,
        used_bytes: None,
    })
}
