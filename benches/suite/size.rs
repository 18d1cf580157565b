//! What size costs: memory with many series, the start of a full store, and cost against points and series.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use metrics_benches::Workload;
use serde::{Deserialize, Serialize};

use crate::bodies::{Bodies, Format};
use crate::http::Client;
use crate::load::{CONNECTIONS, LoadRecord, load, send_ticks};
use crate::reading::ask;
use crate::systems::{Loaded, Programs, Question, Running, System};

/// Metrics of each host.
pub(crate) const METRICS: usize = 10;
/// How long each question is asked at each size.
const ASK_TIME: Duration = Duration::from_millis(400);

/// Memory of a server while points of many series are loaded at full speed, and a minute of calm later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MemoryRecord {
    pub(crate) system: System,
    pub(crate) series: u64,
    pub(crate) samples: u64,
    pub(crate) peak_mib: f64,
    pub(crate) settled_mib: f64,
    pub(crate) cpu_s: f64,
}

/// From the start of the process to the first answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StartRecord {
    pub(crate) system: System,
    pub(crate) samples: u64,
    pub(crate) after_kill: bool,
    /// Until the first answer to a health check, and then to Q1.
    pub(crate) ready_s: f64,
    pub(crate) answered_s: f64,
}

/// What a store of one size costs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GrowthRecord {
    /// What is varied: `points` or `series`.
    pub(crate) varied: String,
    pub(crate) samples: u64,
    pub(crate) series: u64,
    /// Processor time of the server for a point since the size before.
    pub(crate) cpu_us_per_point: f64,
    pub(crate) bytes_per_point: f64,
    pub(crate) memory_mib: f64,
    pub(crate) start_s: f64,
    /// Median of each question, from one client.
    pub(crate) p50_ms: Vec<(Question, f64)>,
}

/// Loads points of many series.
pub(crate) fn memory(
    system: System,
    programs: &Programs,
    folder: &Path,
    hosts: usize,
    samples: u64,
) -> Result<MemoryRecord> {
    let running = Running::start(system, programs, folder)?;
    let format = system.formats()[0];
    let mut bodies = Bodies::new(Workload::new(hosts, METRICS), format, CONNECTIONS);
    let loaded = load(&running, &mut bodies, format, samples)?;
    let (settled_mib, peak_mib) = running.process.memory_mib()?;
    running.stop()?;
    let LoadRecord { series, samples, settled_cpu_s, .. } = loaded;
    Ok(MemoryRecord { system, series, samples, peak_mib, settled_mib, cpu_s: settled_cpu_s })
}

/// Starts a server on a store that is there, and asks it.
pub(crate) fn start(
    system: System,
    programs: &Programs,
    folder: &Path,
    loaded: &Loaded,
    samples: u64,
    after_kill: bool,
) -> Result<(StartRecord, Running)> {
    let begun = Instant::now();
    let running = Running::start(system, programs, folder)?;
    let ready_s = begun.elapsed().as_secs_f64();
    let mut client = Client::connect(running.address)?;
    let answer = client.send(&Question::Q1.request(system, loaded, 0, 0))?;
    let answered_s = begun.elapsed().as_secs_f64();
    answer.expect_success().context("the first question after a start")?;
    Ok((StartRecord { system, samples, after_kill, ready_s, answered_s }, running))
}

/// One store that grows from size to size.
pub(crate) fn growth(
    programs: &Programs,
    folder: &Path,
    hosts: usize,
    sizes: &[u64],
    varied: &str,
) -> Result<Vec<GrowthRecord>> {
    let system = System::Metrics;
    let mut running = Running::start(system, programs, folder)?;
    let mut bodies = Bodies::new(Workload::new(hosts, METRICS), Format::Arrow, CONNECTIONS);
    let series = bodies.workload.series() as u64;
    let (mut records, mut there) = (Vec::new(), 0);
    for &size in sizes {
        let ticks = size.saturating_sub(there).div_ceil(series);
        let before = running.process.cpu_seconds()?;
        send_ticks(&running, &mut bodies, ticks as usize)?;
        running.settle()?;
        let cpu_s = running.process.cpu_seconds()? - before;
        let memory_mib = running.process.memory_mib()?.0;
        there += ticks * series;
        let loaded = Loaded::of(&bodies.workload);
        running.stop()?;
        let bytes = crate::process::bytes_of(folder)?;
        let (started, again) = start(system, programs, folder, &loaded, there, false)?;
        running = again;
        let mut p50_ms = Vec::new();
        for question in Question::ALL {
            p50_ms.push((question, ask(&running, &loaded, question, 1, ASK_TIME)?.quantile_ms(0.5)));
        }
        records.push(GrowthRecord {
            varied: varied.to_owned(),
            samples: there,
            series,
            cpu_us_per_point: cpu_s * 1e6 / (ticks * series) as f64,
            bytes_per_point: bytes as f64 / there as f64,
            memory_mib,
            start_s: started.answered_s,
            p50_ms,
        });
    }
    running.stop()?;
    Ok(records)
}
