//! Clocks that jump: an hour back, ten years ahead, to and fro each moment. Nothing acknowledged goes, least of all to
//! retention, which would have every reason to drop all if it believed a clock that is ten years ahead.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;

use super::Context;
use super::clients::Load;
use super::report::Tally;
use super::store::Store;

/// Where Debian keeps libfaketime.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];
/// Clocks in turn, as libfaketime writes them, with their time until the next; twice, with a restart in between.
const JUMPS: [(&str, u64); 12] = [
    ("+0", 300),
    ("-1h", 500),
    ("+0", 300),
    ("+10y", 1_500),
    ("-10y", 500),
    ("+1d", 200),
    ("+30d", 200),
    ("+1y", 200),
    ("+2y", 200),
    ("+3y", 200),
    ("+20y", 500),
    ("+0", 300),
];
/// Chunks, and with them looks at what retention drops, come after so many points.
const HEAD_POINTS: u64 = 300;

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let mut tally = Tally::default();
    let Some(library) = LIBRARIES.into_iter().find(|path| std::fs::exists(path).unwrap_or(false)) else {
        tally.note("NOT RUN: libfaketime is not here (apt install faketime)");
        return Ok(vec![("a clock that jumps".to_owned(), tally)]);
    };
    let clock = context.folder.join("clock");
    let mut store = Store::create(&context.program, &context.folder.join("store"))?;
    set(&clock, "+0")?;
    store.launch = store
        .launch
        .environment("LD_PRELOAD", library)
        .environment("FAKETIME_TIMESTAMP_FILE", &clock)
        .environment("FAKETIME_NO_CACHE", "1")
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .environment("DONT_FAKE_MONOTONIC", "1");
    jumping(&store, &clock, &mut tally)?;
    // A clock that is wrong from the start, as of a machine whose battery is empty.
    for wrong in ["+10y", "-30y", "+0"] {
        set(&clock, wrong)?;
        under_load(&store, &mut tally, |_| Ok(()))?;
    }
    jumping(&store, &clock, &mut tally)?;
    tally.acknowledged = store.acknowledged_points();
    Ok(vec![("a clock that jumps".to_owned(), tally)])
}

fn set(clock: &PathBuf, jump: &str) -> anyhow::Result<()> {
    // In one step: a reader sees the old or the new one.
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("{jump}\n"))?;
    std::fs::rename(&next, clock).context("the clock can be set")
}

fn jumping(store: &Store, clock: &PathBuf, tally: &mut Tally) -> anyhow::Result<()> {
    under_load(store, tally, |tally| {
        for (jump, until_next_ms) in JUMPS {
            set(clock, jump)?;
            tally.faults += 1;
            std::thread::sleep(Duration::from_millis(until_next_ms));
        }
        Ok(())
    })
}

/// Starts a server, writes while something happens, and compares then, after a restart too.
fn under_load(
    store: &Store,
    tally: &mut Tally,
    happen: impl FnOnce(&mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut server = store.start(HEAD_POINTS)?;
    let load = Load::new(&store.ledger, server.address, 160);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| load.run(0));
        let happened = happen(tally);
        std::thread::sleep(Duration::from_millis(500));
        load.stop();
        client.join().unwrap_or_else(|_| anyhow::bail!("a client panicked"))?;
        happened
    })?;
    let refused = load.refused.load(Ordering::Relaxed);
    if refused > 0 {
        tally.fail(format!("{refused} writes were refused"));
    }
    tally.findings.add(store.verify(&server)?);
    server.signal("TERM")?;
    let status = server.wait_at_most(Duration::from_secs(15))?.context("SIGTERM ends the server")?;
    anyhow::ensure!(status.success(), "the server ended with {status}");
    let server = store.start(HEAD_POINTS)?;
    tally.findings.add(store.verify(&server)?);
    server.kill()
}
