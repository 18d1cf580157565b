//! What is written: ten metrics of many hosts, all at each tick; eight of them as lines of an agent, two as JSON.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::times::Times;
use crate::http::Connection;

/// Most hosts whose points go into one request.
const HOSTS_A_REQUEST: u64 = 500;
/// Fields of a line: the metrics `machine_user` and so on.
const FIELDS: [&str; 8] = ["user", "system", "idle", "load", "memory", "read", "written", "sent"];
/// Metrics that come as JSON.
const NAMES: [&str; 2] = ["requests", "latency"];
/// How late a tick may begin.
const LATE: Duration = Duration::from_secs(1);

/// Writers with one schedule.
pub(crate) struct Load {
    address: SocketAddr,
    hosts: u64,
    tick: Duration,
    begun: Instant,
    times: Mutex<Times>,
    /// Points whose write was acknowledged.
    pub(crate) acknowledged: AtomicU64,
    /// Requests that were refused because the server had enough to do.
    pub(crate) refused: AtomicU64,
    /// Ticks that began late.
    pub(crate) late: AtomicU64,
}

impl Load {
    pub(crate) fn new(address: SocketAddr, hosts: u64, rate: u64, begun: Instant) -> Self {
        let tick = Duration::from_secs_f64((hosts * 10) as f64 / rate as f64);
        let [acknowledged, refused, late] = std::array::from_fn(|_| AtomicU64::new(0));
        Self { address, hosts, tick, begun, times: Mutex::default(), acknowledged, refused, late }
    }

    pub(crate) fn times(&self) -> Times {
        self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Writes lines until told to stop.
    ///
    /// # Errors
    /// When the server is gone, or refuses for another reason than that it has enough to do.
    pub(crate) fn write_lines(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        self.write(stop, "/write?precision=ms", "text/plain", 204, FIELDS.len() as u64, |tick, at_ms, hosts| {
            let mut text = String::new();
            for host in hosts {
                write!(text, "machine,host=host-{host} ").expect("a text takes all");
                for (i, field) in FIELDS.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(text, "{comma}{field}={}", value(host * 10 + i as u64, tick)).expect("a text takes all");
                }
                writeln!(text, " {at_ms}").expect("a text takes all");
            }
            text
        })
    }

    /// Writes JSON until told to stop.
    ///
    /// # Errors
    /// As [`Load::write_lines`].
    pub(crate) fn write_json(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        self.write(stop, "/v1/metrics", "application/json", 201, NAMES.len() as u64, |tick, at_ms, hosts| {
            let mut text = String::from("[");
            for host in hosts {
                for (i, name) in NAMES.iter().enumerate() {
                    let comma = if text.len() > 1 { "," } else { "" };
                    let value = value(host * 10 + 8 + i as u64, tick);
                    write!(
                        text,
                        r#"{comma}{{"timestamp":{at_ms},"name":"{name}","value":{value},"labels":{{"host":"host-{host}"}}}}"#
                    )
                    .expect("a text takes all");
                }
            }
            text + "]"
        })
    }

    fn write(
        &self,
        stop: &AtomicBool,
        path: &str,
        kind: &str,
        stored: u16,
        points_a_host: u64,
        body: impl Fn(u64, u128, std::ops::Range<u64>) -> String,
    ) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address)?;
        for tick in 0.. {
            let due = self.tick.mul_f64(tick as f64);
            let now = self.begun.elapsed();
            std::thread::sleep(due.saturating_sub(now));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if now.saturating_sub(due) > LATE {
                self.late.fetch_add(1, Ordering::Relaxed);
            }
            let at_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
            for first in (0..self.hosts).step_by(HOSTS_A_REQUEST as usize) {
                let hosts = first..self.hosts.min(first + HOSTS_A_REQUEST);
                let points = (hosts.end - hosts.start) * points_a_host;
                let sent = Instant::now();
                let answer = connection.post(path, kind, None, &body(tick, at_ms, hosts))?;
                let took = sent.elapsed();
                match answer.status {
                    status if status == stored => self.acknowledged.fetch_add(points, Ordering::Relaxed),
                    503 => self.refused.fetch_add(1, Ordering::Relaxed),
                    status => anyhow::bail!("{path} was answered {status}: {}", answer.body),
                };
                let mut times = self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                times.add(self.begun.elapsed(), took);
            }
        }
        Ok(())
    }
}

/// A value with two decimals that wanders between ticks, around another level for each series.
fn value(series: u64, tick: u64) -> f64 {
    let mixed = (series.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ tick.wrapping_mul(0xD1B5_4A32_D192_ED03)) >> 40;
    let noise = (mixed % 1_000) as f64 / 100.0;
    let wave = (tick as f64 / 600.0 + series as f64).sin() * 20.0;
    ((50.0 + (series % 40) as f64 + wave + noise) * 100.0).round() / 100.0
}
