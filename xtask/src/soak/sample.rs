//! What is looked at every ten seconds: the process as the kernel sees it, the files, and the server's own figures.

use std::path::PathBuf;
use std::time::Duration;

use crate::server::{Launch, Server, length};

/// One look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// All that is in RAM, and what of it is no file's.
    pub(crate) resident_bytes: u64,
    pub(crate) anonymous_bytes: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    pub(crate) log_bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) chunks: u64,
    /// Seconds of processor time since its start.
    pub(crate) processor_s: f64,
}

/// Clock ticks a second in `/proc/PID/stat`, the same on every Linux that counts.
const TICKS_A_SECOND: f64 = 100.0;

impl Sample {
    /// Looks now.
    ///
    /// # Errors
    /// When the process or the server is gone.
    pub(crate) fn take(at: Duration, server: &Server, launch: &Launch) -> anyhow::Result<Self> {
        let pid = server.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The program's name stands in parentheses and may hold anything; the times are the 12th and 13th after it.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
        let mut log = launch.store.clone().into_os_string();
        log.push(".wal");
        // A connection of its own: one that is idle between samples may be closed.
        let figures = server.connect()?.get("/metrics")?.body;
        let figure = |name: &str| {
            let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
        };
        Ok(Self {
            at,
            resident_bytes: field("VmRSS:") << 10,
            anonymous_bytes: field("RssAnon:") << 10,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
            threads: field("Threads:"),
            log_bytes: length(&PathBuf::from(log)),
            file_bytes: length(&launch.store),
            chunks: figure("metrics_store_chunks") as u64,
            processor_s: ticks / TICKS_A_SECOND,
        })
    }

    /// What of it is told while it runs.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:>4.0} s: {} MiB resident ({} anonymous), {} descriptors, {} threads, log {} MiB, file {} MiB, {} chunks",
            self.at.as_secs_f64(),
            self.resident_bytes >> 20,
            self.anonymous_bytes >> 20,
            self.descriptors,
            self.threads,
            self.log_bytes >> 20,
            self.file_bytes >> 20,
            self.chunks
        )
    }
}
