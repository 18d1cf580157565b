//! Clients of `metrics-sdk` lose nothing that was acknowledged and store nothing twice while the server is killed and
//! started again under them; with a spill they lose nothing at all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use metrics_core::{Batch, Labels, MetricName, SeriesKey, Timestamp};
use metrics_sdk::{Client, Report, Retry, Spill, Writer};
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::kill::{Random, START_MS, STEP_MS, stored};
use crate::program::Program;
use crate::running::Server;

const CLIENTS: u64 = 10;
/// Points of a client.
const POINTS: u64 = 10_000;
/// Points of a batch.
const BATCH: u64 = 50;
/// The server is killed whenever about so many points more were acknowledged.
const KILL_EVERY: u64 = 8_000;
const SEED: u64 = 0x2545_F491_4F6C_DD1D;

/// The points of some numbers, which only this client sends.
fn batch(client: u64, numbers: std::ops::Range<u64>) -> Batch {
    let labels = Labels::new([("client", client.to_string())]).expect("valid");
    let mut batch = Batch::new();
    let series = batch.intern(SeriesKey::new(MetricName::new("number").expect("valid"), labels));
    for number in numbers {
        let at = Timestamp::clamped(((START_MS + number * STEP_MS) * 1_000) as i64);
        batch.push_sample(series, at, number as f64).expect("finite");
    }
    batch
}

fn client(url: &str, attempts: u32) -> Client {
    let retry = Retry::default().attempts(attempts).first_delay(Duration::from_millis(5));
    let retry = retry.max_delay(Duration::from_millis(100));
    Client::builder(url).timeout(Duration::from_secs(10)).retry(retry).build().expect("a client")
}

/// A server that is killed and started at the same address, again and again.
struct Mortal {
    program: Arc<Program>,
    address: String,
    acknowledged: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    killer: std::thread::JoinHandle<(Server, u64)>,
}

impl Mortal {
    fn start(seed: u64) -> Self {
        println!("seed {seed}");
        let program = Arc::new(Program::new());
        let server = Server::start(&program, "--head-points 20000");
        let address = server.address().to_owned();
        let (acknowledged, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let killer = std::thread::spawn({
            let (program, address) = (Arc::clone(&program), address.clone());
            let (acknowledged, done) = (Arc::clone(&acknowledged), Arc::clone(&done));
            move || kill_and_start(&program, &address, server, &acknowledged, &done, &mut Random(seed))
        });
        Self { program, address, acknowledged, done, killer }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The server, which lives on, and how often it was killed.
    fn spare(self) -> (Arc<Program>, Server, u64) {
        self.done.store(true, Ordering::Relaxed);
        let (server, kills) = self.killer.join().expect("the server could be started each time");
        (self.program, server, kills)
    }
}

fn kill_and_start(
    program: &Program,
    address: &str,
    mut server: Server,
    acknowledged: &AtomicU64,
    done: &AtomicBool,
    random: &mut Random,
) -> (Server, u64) {
    let (mut kills, mut next) = (0, KILL_EVERY / 2 + random.below(KILL_EVERY));
    while !done.load(Ordering::Relaxed) {
        if acknowledged.load(Ordering::Relaxed) < next {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        // Not always right behind an answer.
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        server.kill();
        std::thread::sleep(Duration::from_micros(random.below(150_000)));
        server = Server::start_at(program, address, "--head-points 20000");
        kills += 1;
        next = acknowledged.load(Ordering::Relaxed) + KILL_EVERY / 2 + random.below(KILL_EVERY);
    }
    (server, kills)
}

/// What the server holds, each number with its client; checks that none is there twice.
fn held(server: &Server) -> BTreeMap<u64, u64> {
    stored(&mut Connection::open(server.address()).expect("the server accepts"))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Writes all points of a client, and tells which batches were acknowledged.
async fn write_all(client: Client, number: u64, acknowledged: Arc<AtomicU64>) -> Vec<(u64, bool)> {
    let mut outcomes = Vec::new();
    for first in (number * POINTS..(number + 1) * POINTS).step_by(BATCH as usize) {
        let written = client.write(&batch(number, first..first + BATCH)).await;
        match &written {
            Ok(receipt) => assert_eq!(receipt.points, BATCH),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        outcomes.push((first, written.is_ok()));
        if written.is_ok() {
            acknowledged.fetch_add(BATCH, Ordering::Relaxed);
        }
    }
    outcomes
}

#[test]
fn what_ten_clients_were_told_is_stored_is_there_once_whenever_the_server_is_killed() {
    let server = Mortal::start(SEED);
    let outcomes = runtime().block_on(async {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            // So few attempts that some batches are given up.
            clients.spawn(write_all(client(&server.url(), 4), number, Arc::clone(&server.acknowledged)));
        }
        clients.join_all().await.concat()
    });
    let (_program, server, kills) = server.spare();
    let held = held(&server);
    let (mut acknowledged, mut expected) = (0, 0);
    for (first, is_acknowledged) in outcomes {
        let there = held.range(first..first + BATCH).filter(|(number, client)| *number / POINTS == **client).count();
        let there = there as u64;
        let is_right = there == BATCH || there == 0 && !is_acknowledged;
        assert!(is_right, "seed {SEED}: {there} points from {first} on, acknowledged: {is_acknowledged}");
        acknowledged += u64::from(is_acknowledged) * BATCH;
        expected += there;
    }
    assert_eq!(held.len() as u64, expected, "seed {SEED}: points that nobody sent");
    assert!(kills >= 6 && acknowledged >= CLIENTS * POINTS / 2, "{kills} kills, {acknowledged} points acknowledged");
    println!("{kills} kills; {acknowledged} points acknowledged, {expected} there");
}

/// The writer of a client; every other one has each point on the disk before it goes on.
fn writer(url: &str, number: u64, folder: PathBuf) -> Writer {
    let client = client(url, 1);
    let retry = Retry::default().first_delay(Duration::from_millis(5)).max_delay(Duration::from_millis(100));
    let spill = Spill::in_folder(folder).durable(number.is_multiple_of(2)).after(Duration::from_millis(20));
    let writer = client.writer().max_points(200).buffer_points(1_000).max_age(Duration::from_millis(20));
    writer.retry(retry).spill(spill).start().expect("a writer")
}

/// Does something with a writer while what it delivers is counted, by which the killer chooses its moments.
async fn counted<T>(writer: &Writer, acknowledged: &AtomicU64, seen: &mut u64, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        let done = tokio::select! {
            done = &mut work => Some(done),
            _ = ticks.tick() => None,
        };
        let delivered = writer.counters().delivered;
        acknowledged.fetch_add(delivered - *seen, Ordering::Relaxed);
        *seen = delivered;
        if let Some(done) = done {
            return done;
        }
    }
}

/// Hands over all points of a client, by two writers one after the other, as if the program were started anew; a third
/// delivers what they left.
async fn hand_over_all(url: String, number: u64, folder: PathBuf, acknowledged: Arc<AtomicU64>) -> Report {
    let (first, end) = (number * POINTS, (number + 1) * POINTS);
    let mut delivered = 0;
    for part in [first..first + POINTS / 2, first + POINTS / 2..end] {
        let (writer, mut seen) = (writer(&url, number, folder.clone()), 0);
        for start in part.step_by(BATCH as usize) {
            let push = writer.push_batch(batch(number, start..start + BATCH));
            counted(&writer, &acknowledged, &mut seen, push).await.expect("handed over");
        }
        let report = counted(&writer, &acknowledged, &mut seen, writer.close()).await;
        delivered += report.counters.delivered;
    }
    let (writer, mut seen) = (writer(&url, number, folder), 0);
    loop {
        let report = counted(&writer, &acknowledged, &mut seen, writer.flush()).await;
        if report.counters.spilled == 0 {
            assert_eq!(delivered + report.counters.delivered, POINTS, "client {number}: {report}");
            return writer.close().await;
        }
        // The server is away just now.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn with_a_spill_everything_that_ten_clients_handed_over_is_there_once_whenever_the_server_is_killed() {
    let spills = tempfile::tempdir().expect("a folder");
    let server = Mortal::start(SEED ^ 1);
    let reports = runtime().block_on(async {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let folder = spills.path().join(number.to_string());
            clients.spawn(hand_over_all(server.url(), number, folder, Arc::clone(&server.acknowledged)));
        }
        clients.join_all().await
    });
    let (_program, server, kills) = server.spare();
    assert!(reports.iter().all(Report::is_complete), "{reports:?}");
    let held = held(&server);
    let missing = (0..CLIENTS * POINTS).find(|number| held.get(number) != Some(&(number / POINTS)));
    assert_eq!((missing, held.len() as u64), (None, CLIENTS * POINTS), "seed {}", SEED ^ 1);
    assert!(kills >= 6, "only {kills} kills");
    println!("{kills} kills; all {} points there", held.len());
}
