//! What the server is doing when it is killed.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::clients::{Load, locked};
use super::store::Store;
use super::verify::verify_posts;
use crate::server::{Launch, Server, length};

/// A phase, and how a server is killed in it: gives back how often one was.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Store, &mut StdRng) -> anyhow::Result<u64>,
}

pub(crate) const PHASES: [Phase; 9] = [
    Phase { name: "idle", run: idle },
    Phase { name: "append", run: append },
    Phase { name: "commit", run: commit },
    Phase { name: "compaction and retention", run: compaction },
    Phase { name: "checkpoint", run: checkpoint },
    Phase { name: "startup and replay", run: startup },
    Phase { name: "shutdown", run: shutdown },
    Phase { name: "backup", run: backup },
    Phase { name: "delete", run: delete },
];

/// Clients that write at the same time.
const CLIENTS: u64 = 4;
/// Most points of one of their posts.
const MOST_POINTS: u64 = 160;
/// More points than any round writes: nothing but the log grows.
const NEVER: u64 = 100_000_000;
/// Longest wait for what a kill is aimed at.
const AIM_PATIENCE: Duration = Duration::from_millis(1_500);
/// Time between looks at what a kill is aimed at.
const AIM_POLL: Duration = Duration::from_micros(100);

fn micros(random: &mut StdRng, most: u64) -> Duration {
    Duration::from_micros(random.random_range(0..most))
}

/// Starts a server and writes to it until something has been done to it.
fn under_load(
    store: &Store,
    head_points: u64,
    act: impl FnOnce(Server, &Load<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let server = store.start(head_points)?;
    let load = Load::new(&store.ledger, server.address, MOST_POINTS);
    load.beside(CLIENTS, || act(server, &load))
}

/// Nothing: all that was sent was answered.
fn idle(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    let server = store.start(2_000)?;
    for _ in 0..random.random_range(1..20) {
        store.must_take(&server, random.random_range(1..MOST_POINTS))?;
    }
    std::thread::sleep(micros(random, 50_000));
    server.kill()?;
    Ok(1)
}

/// Appending to the log and nothing else.
fn append(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    under_load(store, NEVER, |server, _| {
        std::thread::sleep(micros(random, 250_000));
        server.kill()
    })?;
    Ok(1)
}

/// Within 3 ms of an acknowledgement.
fn commit(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    under_load(store, 2_000, |server, load| {
        let enough = random.random_range(1..60);
        aim(|| load.acknowledged.load(Ordering::Relaxed) >= enough);
        std::thread::sleep(micros(random, 3_000));
        server.kill()
    })?;
    Ok(1)
}

/// Moving points into chunks, merging these, and dropping what is too old, all the time.
fn compaction(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    under_load(store, random.random_range(100..1_500), |server, _| {
        std::thread::sleep(micros(random, 500_000));
        server.kill()
    })?;
    Ok(1)
}

/// Just when the log has been moved into the file, or the file is being written.
fn checkpoint(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    let (file, log) = (store.path().to_owned(), store.log_path());
    under_load(store, random.random_range(300..2_000), |server, load| {
        let enough = random.random_range(5..60);
        aim(|| load.acknowledged.load(Ordering::Relaxed) >= enough);
        if random.random_bool(0.5) {
            let written = modified(&file);
            aim(|| modified(&file) != written);
        } else {
            let mut longest = 0;
            aim(|| {
                let now = length(&log);
                longest = longest.max(now);
                now < longest
            });
        }
        std::thread::sleep(micros(random, 4_000));
        server.kill()
    })?;
    Ok(1)
}

/// While it starts with a log to replay, once or twice, after it was killed with one.
fn startup(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    let mut killed = append(store, random)?;
    for _ in 0..random.random_range(1..=2) {
        let mut child = store.launch.spawn()?;
        std::thread::sleep(micros(random, 90_000));
        child.kill()?;
        child.wait()?;
        killed += 1;
    }
    Ok(killed)
}

/// Some time after it was told to stop.
fn shutdown(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    under_load(store, random.random_range(500..5_000), |server, load| {
        let enough = random.random_range(1..60);
        aim(|| load.acknowledged.load(Ordering::Relaxed) >= enough);
        server.signal("TERM")?;
        std::thread::sleep(micros(random, 60_000));
        server.kill()
    })?;
    Ok(1)
}

/// While the store is copied by the command line: the copy is whole or not there.
fn backup(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    let copy = store.path().with_file_name("backup.duckdb");
    let _ = std::fs::remove_file(&copy);
    kill_command(store, &["backup", &copy.display().to_string()], micros(random, 200_000))?;
    if copy.exists() {
        let server = Launch::new(&store.launch.program, &copy).start()?;
        let (points, mut posts) = {
            let ledger = locked(&store.ledger);
            (ledger.points, ledger.posts.clone())
        };
        let found = verify_posts(&mut server.connect()?, &points, &mut posts)?;
        anyhow::ensure!(found.is_clean(), "the backup differs: {found:?}");
        server.kill()?;
    }
    Ok(1)
}

/// While chunks are written anew without the points of another metric that stand among those that are kept.
fn delete(store: &Store, random: &mut StdRng) -> anyhow::Result<u64> {
    let server = store.start(1_000)?;
    let mut connection = server.connect()?;
    for at in 0..random.random_range(1..4) {
        let lines: String = (0..200).map(|i| format!("scratch value={i} {}\n", 1_704_067_200 + at * 100 + i)).collect();
        let answer = connection.post("/write?precision=s", "text/plain", None, &lines)?;
        anyhow::ensure!(answer.status == 204, "lines were answered {}: {}", answer.status, answer.body);
        store.must_take(&server, random.random_range(1..800))?;
    }
    let mut server = server;
    server.signal("TERM")?;
    anyhow::ensure!(server.wait_at_most(Duration::from_secs(30))?.is_some(), "SIGTERM ends the server");
    kill_command(store, &["delete", "scratch", "--yes"], micros(random, 250_000))?;
    Ok(1)
}

/// Runs a command on the store's file and kills it after some time.
fn kill_command(store: &Store, words: &[&str], after: Duration) -> anyhow::Result<()> {
    let mut command = store.launch.command(words.iter().map(|word| (*word).to_owned()));
    command.arg("--db").arg(store.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    std::thread::sleep(after);
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Waits for a moment, but not for ever: what is aimed at may not come.
fn aim(reached: impl FnMut() -> bool) {
    let (begun, mut reached) = (Instant::now(), reached);
    while !reached() && begun.elapsed() < AIM_PATIENCE {
        std::thread::sleep(AIM_POLL);
    }
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
