//! Asking questions from several connections at once, with and without writes beside them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::bodies::Bodies;
use crate::http::Client;
use crate::systems::{Loaded, Question, Running, System};

/// Clients that ask at the same time.
pub(crate) const CLIENTS: [usize; 3] = [1, 4, 16];
/// Time between two requests of the writer; each has one tick of every series.
const WRITE_INTERVAL: Duration = Duration::from_millis(50);
/// Requests that are asked before the clock starts.
const WARM_UP: usize = 3;

/// What a question took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct QueryRecord {
    pub(crate) system: System,
    pub(crate) samples: u64,
    pub(crate) series: u64,
    pub(crate) question: Question,
    pub(crate) clients: usize,
    pub(crate) writes: bool,
    pub(crate) answers: usize,
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the server for one answer, in milliseconds; of writes too, where there are.
    pub(crate) cpu_ms: f64,
    pub(crate) answer_bytes: usize,
}

/// Latencies in seconds, sorted, and the length of the last answer.
pub(crate) struct Asked {
    pub(crate) seconds: Vec<f64>,
    pub(crate) wall_s: f64,
    pub(crate) answer_bytes: usize,
}

impl Asked {
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1);
        self.seconds.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN) * 1e3
    }
}

/// Asks a question for a time, each client about series that it draws.
pub(crate) fn ask(
    running: &Running,
    loaded: &Loaded,
    question: Question,
    clients: usize,
    time: Duration,
) -> Result<Asked> {
    let (system, address) = (running.system, running.address);
    let run = |seed: u64| -> Result<(Vec<f64>, usize)> {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut client = Client::connect(address)?;
        let (mut seconds, mut bytes, mut begun) = (Vec::new(), 0, Instant::now());
        for number in 0.. {
            if number == WARM_UP {
                begun = Instant::now();
            }
            let (host, metric) = (random.random_range(0..loaded.hosts), random.random_range(0..loaded.metrics));
            let request = question.request(system, loaded, host, metric);
            let sent = Instant::now();
            let answer = client.send(&request)?;
            let took = sent.elapsed();
            answer.expect_success().with_context(|| String::from_utf8_lossy(&request).into_owned())?;
            bytes = answer.bytes;
            if number >= WARM_UP {
                seconds.push(took.as_secs_f64());
                if begun.elapsed() >= time {
                    break;
                }
            }
        }
        Ok((seconds, bytes))
    };
    let begun = Instant::now();
    let parts: Result<Vec<_>> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..clients).map(|number| scope.spawn(move || run(number as u64 + 1))).collect();
        askers.into_iter().map(|asker| asker.join().unwrap_or_else(|_| bail!("a client panicked"))).collect()
    });
    let wall_s = begun.elapsed().as_secs_f64();
    let parts = parts?;
    let answer_bytes = parts.first().map_or(0, |(_, bytes)| *bytes);
    let mut seconds: Vec<f64> = parts.into_iter().flat_map(|(seconds, _)| seconds).collect();
    seconds.sort_by(f64::total_cmp);
    Ok(Asked { seconds, wall_s, answer_bytes })
}

/// Asks every question from each number of clients; once in peace, once while points are written.
pub(crate) fn ask_all(
    running: &Running,
    bodies: &mut Bodies,
    samples: u64,
    time: Duration,
) -> Result<Vec<QueryRecord>> {
    let loaded = Loaded::of(&bodies.workload);
    let mut records = Vec::new();
    for writes in [false, true] {
        for question in Question::ALL {
            for clients in CLIENTS {
                let cpu = running.process.cpu_seconds()?;
                let asked = match writes {
                    false => ask(running, &loaded, question, clients, time)?,
                    true => beside_writes(running.address, bodies, || ask(running, &loaded, question, clients, time))?,
                };
                records.push(QueryRecord {
                    system: running.system,
                    samples,
                    series: bodies.workload.series() as u64,
                    question,
                    clients,
                    writes,
                    answers: asked.seconds.len(),
                    per_s: asked.seconds.len() as f64 / asked.wall_s,
                    p50_ms: asked.quantile_ms(0.5),
                    p99_ms: asked.quantile_ms(0.99),
                    cpu_ms: (running.process.cpu_seconds()? - cpu) * 1e3 / asked.seconds.len().max(1) as f64,
                    answer_bytes: asked.answer_bytes,
                });
            }
        }
    }
    Ok(records)
}

/// Does something while the workload goes on.
fn beside_writes<T>(address: SocketAddr, bodies: &mut Bodies, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<()> {
            let mut client = Client::connect(address)?;
            let mut due = Instant::now();
            while !done.load(Ordering::Relaxed) {
                for request in bodies.next(1)? {
                    let answer = client.send(&request)?;
                    if answer.status != 503 {
                        answer.expect_success()?;
                    }
                }
                due += WRITE_INTERVAL;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap_or_else(|_| bail!("the writer panicked"))?;
        result
    })
}
