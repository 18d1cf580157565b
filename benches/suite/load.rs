//! Loading over HTTP, and what it cost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::bodies::{Bodies, Format};
use crate::http::Client;
use crate::systems::{Running, System};

/// Connections that load, each with hosts of its own.
pub(crate) const CONNECTIONS: usize = 2;
/// Bytes of requests that are made at a time, with the clock stopped, before they are sent.
const SLICE_BYTES: usize = 512 << 20;
/// Attempts for a request that a full queue turns away.
const MAX_ATTEMPTS: u32 = 2_000;
/// Pause before the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// A finished load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadRecord {
    /// None of bare DuckDB.
    pub(crate) system: Option<System>,
    pub(crate) format: Option<Format>,
    pub(crate) samples: u64,
    pub(crate) series: u64,
    /// While requests were under way.
    pub(crate) wall_s: f64,
    /// The server's processor time until the last answer, and until it had nothing left to do.
    pub(crate) cpu_s: f64,
    pub(crate) settled_cpu_s: f64,
    /// Requests that were sent again because the queue was full.
    pub(crate) retries: u64,
    /// Bytes of requests.
    pub(crate) sent_bytes: u64,
    /// None of bare DuckDB, which shares this process.
    pub(crate) peak_mib: Option<f64>,
    pub(crate) file_bytes: u64,
    /// Of this server's file: blocks that hold points, and those that hold anything.
    pub(crate) point_bytes: Option<u64>,
    pub(crate) used_bytes: Option<u64>,
}

/// What sending cost.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) wall_s: f64,
    pub(crate) retries: u64,
    pub(crate) bytes: u64,
}

/// Sends so many ticks of the workload: over each connection as fast as it is answered. Prometheus refuses what is much
/// older than its newest sample, and connections run apart in time: it gets all of them in turn over one.
pub(crate) fn send_ticks(running: &Running, bodies: &mut Bodies, ticks: usize) -> Result<Sent> {
    let address = running.address;
    let (mut left, mut sent) = (ticks, Sent::default());
    while left > 0 {
        let (mut slice, mut bytes) = (vec![Vec::new(); CONNECTIONS], 0);
        while left > 0 && bytes < SLICE_BYTES {
            let now = bodies.ticks_per_request().min(left);
            left -= now;
            for (shard, request) in slice.iter_mut().zip(bodies.next(now)?) {
                bytes += request.len();
                shard.push(request);
            }
        }
        if running.system == System::Prometheus {
            slice = vec![in_turn(slice)];
        }
        let begun = Instant::now();
        let retries: Result<Vec<u64>> = std::thread::scope(|scope| {
            let senders: Vec<_> =
                slice.iter().map(|requests| scope.spawn(move || send_all(address, requests))).collect();
            senders.into_iter().map(|sender| sender.join().unwrap_or_else(|_| bail!("a sender panicked"))).collect()
        });
        sent.wall_s += begun.elapsed().as_secs_f64();
        sent.retries += retries?.iter().sum::<u64>();
        sent.bytes += bytes as u64;
    }
    Ok(sent)
}

/// The requests of several connections for one, in the order of time.
fn in_turn(slice: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let mut connections: Vec<_> = slice.into_iter().map(Vec::into_iter).collect();
    let mut requests = Vec::new();
    loop {
        let before = requests.len();
        requests.extend(connections.iter_mut().filter_map(Iterator::next));
        if requests.len() == before {
            return requests;
        }
    }
}

/// Sends requests one after the other; gives back how many had to be sent again.
fn send_all(address: SocketAddr, requests: &[Vec<u8>]) -> Result<u64> {
    let mut client = Client::connect(address)?;
    let mut retries = 0;
    for request in requests {
        let mut attempt = 0;
        loop {
            let answer = client.send(request)?;
            if answer.status != 503 || attempt == MAX_ATTEMPTS {
                answer.expect_success()?;
                break;
            }
            attempt += 1;
            std::thread::sleep(RETRY_PAUSE);
        }
        retries += u64::from(attempt);
    }
    Ok(retries)
}

/// Loads a workload into a server that was just started, and waits until it is settled.
pub(crate) fn load(running: &Running, bodies: &mut Bodies, format: Format, samples: u64) -> Result<LoadRecord> {
    let series = bodies.workload.series() as u64;
    let ticks = samples.div_ceil(series) as usize;
    let before = running.process.cpu_seconds()?;
    let sent = send_ticks(running, bodies, ticks)
        .with_context(|| format!("loading {samples} samples into {} as {}", running.system.name(), format.name()))?;
    let cpu_s = running.process.cpu_seconds()? - before;
    running.settle()?;
    let settled_cpu_s = running.process.cpu_seconds()? - before;
    Ok(LoadRecord {
        system: Some(running.system),
        format: Some(format),
        samples: ticks as u64 * series,
        series,
        wall_s: sent.wall_s,
        cpu_s,
        settled_cpu_s,
        retries: sent.retries,
        sent_bytes: sent.bytes,
        peak_mib: Some(running.process.memory_mib()?.1),
        file_bytes: running.bytes()?,
        point_bytes: None,
        used_bytes: None,
    })
}
