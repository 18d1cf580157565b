//! SIGTERM under load: the server ends in time and well, and twice at once, with nothing lost either way.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::Context;
use super::clients::Load;
use super::report::Tally;
use super::store::Store;

/// Stops; every fourth with a second signal.
const STOPS: u64 = 200;
const QUICK_STOPS: u64 = 12;
/// Stops after which a new store is begun.
const STOPS_A_STORE: u64 = 50;
const CLIENTS: u64 = 4;
/// Longest time from the first signal to the end.
const LIMIT: Duration = Duration::from_secs(10);
/// What a shell says of a program that SIGTERM ended.
const TERMINATED: i32 = 143;

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let mut random = context.random(4);
    let (mut once, mut twice) = (Tally::default(), Tally::default());
    let mut longest = Duration::ZERO;
    let stops = if context.quick { QUICK_STOPS } else { STOPS };
    for first in (0..stops).step_by(STOPS_A_STORE as usize) {
        let store = Store::create(&context.program, &context.folder.join(format!("store-{first}")))?;
        for number in first..stops.min(first + STOPS_A_STORE) {
            let tally = if number % 4 == 3 { &mut twice } else { &mut once };
            let begun = Instant::now();
            let before = store.acknowledged_points();
            match stop(&store, number % 4 == 3, &mut random, tally) {
                Ok(took) => longest = longest.max(took),
                Err(error) => tally.fail(format!("stop {number}: {error:#}")),
            }
            tally.acknowledged += store.acknowledged_points() - before;
            tally.took += begun.elapsed();
        }
    }
    once.note(format!("the longest took {:.2} s", longest.as_secs_f64()));
    Ok(vec![("SIGTERM under load".to_owned(), once), ("SIGTERM twice under load".to_owned(), twice)])
}

fn stop(store: &Store, twice: bool, random: &mut StdRng, tally: &mut Tally) -> anyhow::Result<Duration> {
    let mut server = store.start(random.random_range(300..5_000))?;
    let load = Load::new(&store.ledger, server.address, 160);
    let took = load.beside(CLIENTS, || {
        let enough = random.random_range(1..60);
        let begun = Instant::now();
        while load.acknowledged.load(Ordering::Relaxed) < enough && begun.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let signalled = Instant::now();
        server.signal("TERM")?;
        if twice {
            std::thread::sleep(Duration::from_micros(random.random_range(0..30_000)));
            // It may have ended by the first.
            let _ = server.signal("TERM");
        }
        let status = server.wait_at_most(LIMIT)?;
        let Some(status) = status else { anyhow::bail!("it still runs {LIMIT:?} after SIGTERM") };
        let expected = status.success() || twice && status.code() == Some(TERMINATED);
        anyhow::ensure!(expected, "it ended with {status}");
        Ok(signalled.elapsed())
    })?;
    tally.faults += 1;
    let server = store.start(2_000)?;
    tally.findings.add(store.verify(&server)?);
    store.send_again(&server, |post| !post.acknowledged)?;
    server.kill()?;
    Ok(took)
}
