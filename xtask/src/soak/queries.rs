//! What is asked each second, as dashboards ask.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::times::Times;
use crate::http::Connection;

/// Names and paths; `{host}` is another host each time.
const QUERIES: [(&str, &str); 6] = [
    ("one series per minute", "/v1/query?name=machine_user&where=host%3D{host}&from=now-1h&per=minute&agg=avg,max"),
    ("one series per hour", "/v1/query?name=machine_load&where=host%3D{host}&from=now-24h&per=hour&agg=avg,p95"),
    ("all series per hour", "/v1/query?name=machine_memory&from=now-24h&per=hour&group_by=*"),
    ("all hosts as one, per auto", "/v1/query?name=machine_sent&from=now-1h&per=auto&points=500&agg=avg,min,max"),
    ("latest", "/v1/latest?name=latency"),
    ("chart", "/v1/chart.svg?name=requests&where=host%3D{host}&from=now-15m&per=minute"),
];
/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(1);

/// Who asks.
pub(crate) struct Queries {
    address: SocketAddr,
    begun: Instant,
    times: Mutex<Vec<Times>>,
}

impl Queries {
    pub(crate) fn new(address: SocketAddr, begun: Instant) -> Self {
        Self { address, begun, times: Mutex::new(vec![Times::default(); QUERIES.len()]) }
    }

    /// Names of the queries, and how long each took.
    pub(crate) fn times(&self) -> Vec<(&'static str, Times)> {
        let times = self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        QUERIES.iter().map(|(name, _)| *name).zip(times.iter().cloned()).collect()
    }

    /// Asks all of them each second until told to stop.
    ///
    /// # Errors
    /// When the server is gone or an answer is none.
    pub(crate) fn run(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address)?;
        for round in 0_u32.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            for (i, (name, path)) in QUERIES.iter().enumerate() {
                let asked = Instant::now();
                let answer = connection.get(&path.replace("{host}", &format!("host-{}", round % 7)))?;
                anyhow::ensure!(answer.status == 200, "{name} was answered {}: {}", answer.status, answer.body);
                let took = asked.elapsed();
                let mut times = self.times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                times[i].add(self.begun.elapsed(), took);
            }
            std::thread::sleep((INTERVAL * (round + 1)).saturating_sub(self.begun.elapsed()));
        }
        Ok(())
    }
}
