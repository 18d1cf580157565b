//! No space left: on file systems of many sizes and under limits of a file's length. What was acknowledged is there,
//! and once there is space again writes do, after one supervised restart at the latest.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::Context;
use super::clients::{Answered, Load, locked, send};
use super::namespace::{self, Mount};
use super::report::Tally;
use super::store::{Check, Store};
use crate::say;
use crate::server::Server;

/// File systems that are filled, from 8 to 64 MiB, and files whose length is limited.
const SIZES: u64 = 100;
const QUICK_SIZES: u64 = 6;
const KIB_PER_MIB: u64 = 1_024;
/// Longest time to fill one.
const FILL_PATIENCE: Duration = Duration::from_secs(30);
/// Refusals after which it counts as full.
const ENOUGH_REFUSALS: u64 = 3;
/// Most points of a post.
const MOST_POINTS: u64 = 4_000;
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let mut random = context.random(3);
    let sizes = if context.quick { QUICK_SIZES } else { SIZES };
    let mut full = Tally::default();
    if namespace::is_inside() {
        for number in 0..sizes {
            let size_kib = random.random_range(8 * KIB_PER_MIB..64 * KIB_PER_MIB);
            let begun = Instant::now();
            if let Err(error) = full_disk(context, number, size_kib, &mut random, &mut full) {
                full.fail(format!("{size_kib} KiB: {error:#}"));
            }
            full.took += begun.elapsed();
        }
    } else {
        full.note("NOT RUN: there is no way to mount here");
    }
    say("space: full file systems done");
    let mut limited = Tally::default();
    for number in 0..sizes / 2 {
        let limit_kib = random.random_range(KIB_PER_MIB..8 * KIB_PER_MIB);
        let begun = Instant::now();
        if let Err(error) = limited_length(context, number, limit_kib, &mut random, &mut limited) {
            limited.fail(format!("files of at most {limit_kib} KiB: {error:#}"));
        }
        limited.took += begun.elapsed();
    }
    Ok(vec![("a full file system".to_owned(), full), ("a limit of a file's length".to_owned(), limited)])
}

/// Fills a file system, looks, makes room, and looks again.
fn full_disk(
    context: &Context,
    number: u64,
    size_kib: u64,
    random: &mut StdRng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let (disk, folder) = (context.folder.join(format!("disk-{number}")), context.folder.join(format!("full-{number}")));
    std::fs::create_dir_all(&disk)?;
    let _mount = Mount::tmpfs(&disk, size_kib)?;
    let mut store = Store::create_at(&context.program, &disk.join("m.duckdb"), &folder)?;
    // The server's own bound would refuse every write on file systems this small: here the last byte is to be taken.
    store.launch = store.launch.options(["--min-free-disk", "0"]);
    // Most of it goes to something else, which is then removed: so it is full soon, and has space afterwards.
    let ballast = Ballast::new(&disk, (size_kib - random.random_range(2_000..7_000)) << 10)?;
    let server = store.start(random.random_range(300..8_000))?;
    let server = fill(&store, server, tally)?;
    let mut server = match server {
        Some(server) if random.random_bool(0.5) => Some(server),
        Some(server) => {
            server.kill()?;
            None
        }
        None => None,
    };
    if server.is_none() {
        // It may start while there is no space, or say that it cannot.
        match store.start(1_000) {
            Ok(started) => server = Some(started),
            Err(error) if format!("{error:#}").contains("exit status: 1") => {}
            Err(error) => tally.fail(format!("started on a full file system: {error:#}")),
        }
    }
    drop(ballast);
    recover(&store, server, tally)
}

/// Lets files grow up to a length and no further.
fn limited_length(
    context: &Context,
    number: u64,
    limit_kib: u64,
    random: &mut StdRng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let store = Store::create(&context.program, &context.folder.join(format!("limited-{number}")))?;
    // In units of 512 bytes, and without the signal that would end the server.
    let script = format!("ulimit -f {}; trap '' XFSZ; exec \"$0\" \"$@\"", limit_kib * 2);
    let head_points = ["--head-points".to_owned(), random.random_range(300..8_000).to_string()];
    let launch = store.launch.clone().through(["sh", "-c", &script]).options(head_points);
    let server = launch.start()?;
    let server = fill(&store, server, tally)?;
    if let Some(server) = server {
        server.kill()?;
    }
    recover(&store, None, tally)
}

/// Writes until nothing more is taken. Reads must be answered then, if the server still is there.
fn fill(store: &Store, mut server: Server, tally: &mut Tally) -> anyhow::Result<Option<Server>> {
    let load = Load::new(&store.ledger, server.address, MOST_POINTS);
    let begun = Instant::now();
    load.beside(2, || {
        let full = |server: &mut Server| {
            load.refused.load(Ordering::Relaxed) >= ENOUGH_REFUSALS
                || matches!(server.wait_at_most(Duration::from_millis(5)), Ok(Some(_)))
        };
        while !full(&mut server) && begun.elapsed() < FILL_PATIENCE {}
        Ok(())
    })?;
    let ended = server.wait_at_most(Duration::from_millis(300))?;
    tally.faults += 1;
    tally.acknowledged += store.acknowledged_points();
    if load.refused.load(Ordering::Relaxed) < ENOUGH_REFUSALS && ended.is_none() {
        tally.fail(format!("it did not fill up in {FILL_PATIENCE:?}"));
    }
    match ended {
        Some(status) => {
            if status.success() {
                tally.fail("the server ended with exit code 0 although it could not write");
            }
            Ok(None)
        }
        None => {
            // Reads go on, unless DuckDB has shut its file: then they are refused, and the server is to be restarted.
            match store.verify(&server) {
                Ok(findings) => tally.findings.add(findings),
                Err(error) if format!("{error:#}").contains("answered 5") => {}
                Err(_) if server.wait_at_most(Duration::from_secs(5))?.is_some() => return Ok(None),
                Err(error) => tally.fail(format!("reading while full: {error:#}")),
            }
            Ok(Some(server))
        }
    }
}

/// With space again: writes are taken, by this server or by the next.
fn recover(store: &Store, server: Option<Server>, tally: &mut Tally) -> anyhow::Result<()> {
    let takes = |server: &Server| -> anyhow::Result<bool> {
        let Ok(mut connection) = server.connect() else { return Ok(false) };
        let post = locked(&store.ledger).open(100);
        Ok(send(&mut connection, &store.ledger, post)? == Answered::Acknowledged)
    };
    let server = match server {
        Some(server) if takes(&server)? => server,
        other => {
            if let Some(mut ill) = other {
                let _ = ill.signal("TERM");
                if ill.wait_at_most(STOP_PATIENCE)?.is_none() {
                    tally.fail(format!("SIGTERM did not end it in {STOP_PATIENCE:?}"));
                }
            }
            let server = store.start(2_000)?;
            anyhow::ensure!(takes(&server)?, "after a restart with space it takes no write");
            server
        }
    };
    tally.findings.add(store.verify(&server)?);
    store.send_again(&server, |post| !post.acknowledged)?;
    tally.findings.add(store.verify(&server)?);
    server.kill()?;
    store.begin_check()?.map_or(Ok(()), Check::end)
}

/// A file that takes space; gone when it is dropped.
struct Ballast(PathBuf);

impl Ballast {
    fn new(folder: &Path, bytes: u64) -> anyhow::Result<Self> {
        let path = folder.join("ballast");
        let mut file = File::create(&path)?;
        std::io::copy(&mut std::io::Read::take(std::io::repeat(1), bytes), &mut file)?;
        Ok(Self(path))
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
