//! What is written: ten metrics of many hosts, all at each tick; eight of them as lines of an agent, two as JSON.

use std::fmt::Write;
use std::net::SocketAddr;
use std::ops::Range;
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
/// Time until points from before are sent again that were refused.
const ASKED_AGAIN: Duration = Duration::from_millis(100);

/// One of the two ways in which points come.
pub(crate) struct Format {
    path: &'static str,
    kind: &'static str,
    /// Status of an answer that acknowledges.
    stored: u16,
    points_a_host: u64,
    /// The points of some hosts at a tick, with its time in milliseconds.
    body: fn(u64, u128, Range<u64>) -> String,
}

/// Both.
pub(crate) const FORMATS: [Format; 2] = [
    Format {
        path: "/write?precision=ms",
        kind: "text/plain",
        stored: 204,
        points_a_host: FIELDS.len() as u64,
        body: lines,
    },
    Format {
        path: "/v1/metrics",
        kind: "application/json",
        stored: 201,
        points_a_host: NAMES.len() as u64,
        body: json,
    },
];

/// What every writer keeps to, and what they saw.
pub(crate) struct Load {
    address: SocketAddr,
    hosts: u64,
    tick: Duration,
    /// Ticks whose points are there before the run begins.
    ticks_before: u64,
    times: Mutex<Times>,
    /// Points whose write was acknowledged.
    pub(crate) acknowledged: AtomicU64,
    /// Requests that were refused because the server had enough to do.
    pub(crate) refused: AtomicU64,
    /// Ticks that began late.
    pub(crate) late: AtomicU64,
}

impl Load {
    /// So many points a second of some hosts, and some time's worth of them from before.
    pub(crate) fn new(address: SocketAddr, hosts: u64, rate: u64, before: Duration) -> Self {
        let tick = Duration::from_secs_f64((hosts * 10) as f64 / rate as f64);
        let ticks_before = (before.as_secs_f64() / tick.as_secs_f64()) as u64;
        let [acknowledged, refused, late] = std::array::from_fn(|_| AtomicU64::new(0));
        Self { address, hosts, tick, ticks_before, times: Mutex::default(), acknowledged, refused, late }
    }

    pub(crate) fn times(&self) -> Times {
        self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Writes the points from before now, as fast as the server takes them.
    ///
    /// # Errors
    /// When the server is gone, or refuses for another reason than that it has enough to do.
    pub(crate) fn write_before(&self, format: &Format) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address)?;
        let now_ms = now_ms()?;
        for tick in 0..self.ticks_before {
            let age = self.tick.mul_f64((self.ticks_before - tick) as f64);
            for hosts in self.requests() {
                while !self.write(&mut connection, format, tick, now_ms - age.as_millis(), hosts.clone())? {
                    std::thread::sleep(ASKED_AGAIN);
                }
            }
        }
        Ok(())
    }

    /// Writes a tick's points at each tick until told to stop; what is refused is lost.
    ///
    /// # Errors
    /// As [`Load::write_before`].
    pub(crate) fn write_live(&self, format: &Format, begun: Instant, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address)?;
        for tick in 0_u64.. {
            let due = self.tick.mul_f64(tick as f64);
            let now = begun.elapsed();
            std::thread::sleep(due.saturating_sub(now));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if now.saturating_sub(due) > LATE {
                self.late.fetch_add(1, Ordering::Relaxed);
            }
            let at_ms = now_ms()?;
            for hosts in self.requests() {
                let sent = Instant::now();
                if !self.write(&mut connection, format, self.ticks_before + tick, at_ms, hosts)? {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
                let took = sent.elapsed();
                let mut times = self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                times.add(begun.elapsed(), took);
            }
        }
        Ok(())
    }

    /// The hosts of each request of a tick.
    fn requests(&self) -> impl Iterator<Item = Range<u64>> {
        let hosts = self.hosts;
        (0..hosts).step_by(HOSTS_A_REQUEST as usize).map(move |first| first..hosts.min(first + HOSTS_A_REQUEST))
    }

    /// Whether a request was acknowledged, rather than refused because the server has enough to do.
    fn write(
        &self,
        connection: &mut Connection,
        format: &Format,
        tick: u64,
        at_ms: u128,
        hosts: Range<u64>,
    ) -> anyhow::Result<bool> {
        let points = (hosts.end - hosts.start) * format.points_a_host;
        let answer = connection.post(format.path, format.kind, None, &(format.body)(tick, at_ms, hosts))?;
        match answer.status {
            status if status == format.stored => {
                self.acknowledged.fetch_add(points, Ordering::Relaxed);
                Ok(true)
            }
            503 => Ok(false),
            status => anyhow::bail!("{} was answered {status}: {}", format.path, answer.body),
        }
    }
}

fn now_ms() -> anyhow::Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}

fn lines(tick: u64, at_ms: u128, hosts: Range<u64>) -> String {
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
}

fn json(tick: u64, at_ms: u128, hosts: Range<u64>) -> String {
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
}

/// A value with two decimals that wanders between ticks, around another level for each series.
fn value(series: u64, tick: u64) -> f64 {
    let mixed = (series.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ tick.wrapping_mul(0xD1B5_4A32_D192_ED03)) >> 40;
    let noise = (mixed % 1_000) as f64 / 100.0;
    let wave = (tick as f64 / 600.0 + series as f64).sin() * 20.0;
    ((50.0 + (series % 40) as f64 + wave + noise) * 100.0).round() / 100.0
}
