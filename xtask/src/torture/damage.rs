//! A log that is cut short or changed, and a file that is: nothing acknowledged may go in silence. Either all of it is
//! there, or the store is refused (or its loss is told), and what was damaged is still there to be looked at.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::Rng;

use super::Context;
use super::clients::locked;
use super::report::Tally;
use super::store::Store;
use super::verify::verify_posts;
use crate::say;
use crate::server::{Launch, copy_store, files_of, last_lines};

/// Posts whose entries in the log are cut at every byte, small ones.
const SMALL_POSTS: u64 = 3;
const SMALL_POINTS: u64 = 4;
/// Bits that are flipped in the log, and in the file.
const FLIPS: u64 = 1_000;
const QUICK_FLIPS: u64 = 25;
/// With `--quick`, of the places to cut at one in so many.
const QUICK_STEP: usize = 29;

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let store = Store::create(&context.program, &context.folder.join("whole"))?;
    let server = store.start(400)?;
    for _ in 0..12 {
        store.must_take(&server, 120)?;
    }
    server.kill()?;
    let server = store.start(100_000_000)?;
    for _ in 0..6 {
        store.must_take(&server, 60)?;
    }
    let before = std::fs::metadata(store.log_path())?.len() as usize;
    for _ in 0..SMALL_POSTS {
        store.must_take(&server, SMALL_POINTS)?;
    }
    server.kill()?;
    let log = std::fs::read(store.log_path())?;
    let flips = if context.quick { QUICK_FLIPS } else { FLIPS };
    let mut random = context.random(2);
    let mut parts = Vec::new();

    let mut tally = Tally::default();
    for length in (before..log.len()).step_by(if context.quick { QUICK_STEP } else { 1 }) {
        let damage = |copy: &Path| std::fs::write(log_of(copy), &log[..length]);
        one(context, &store, &format!("the log cut at {length} of {}", log.len()), damage, &mut tally)?;
    }
    parts.push(("the log cut at every byte of its last three commits".to_owned(), tally));
    say("damage: cuts done");

    let mut tally = Tally::default();
    for _ in 0..flips {
        let (at, bit) = (random.random_range(0..log.len()), random.random_range(0..8));
        let damage = |copy: &Path| {
            let mut log = log.clone();
            log[at] ^= 1 << bit;
            std::fs::write(log_of(copy), log)
        };
        one(context, &store, &format!("bit {bit} of byte {at} of the log flipped"), damage, &mut tally)?;
    }
    parts.push(("a bit of the log flipped".to_owned(), tally));
    say("damage: flips in the log done");

    let file = std::fs::read(store.path())?;
    let mut tally = Tally::default();
    for _ in 0..flips {
        let (at, bit) = (random.random_range(0..file.len()), random.random_range(0..8));
        let damage = |copy: &Path| {
            let mut file = file.clone();
            file[at] ^= 1 << bit;
            std::fs::write(copy, file)
        };
        one(context, &store, &format!("bit {bit} of byte {at} of the file flipped"), damage, &mut tally)?;
    }
    parts.push(("a bit of the file flipped".to_owned(), tally));
    Ok(parts)
}

fn log_of(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".wal");
    name.into()
}

/// Damages a copy and starts a server on it.
fn one(
    context: &Context,
    store: &Store,
    what: &str,
    damage: impl FnOnce(&Path) -> std::io::Result<()>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let folder = context.folder.join("damaged");
    let _ = std::fs::remove_dir_all(&folder);
    let copy = copy_store(store.path(), &folder)?;
    damage(&copy)?;
    tally.faults += 1;
    let launch = Launch::new(&context.program, &copy).options(store.launch.options.clone());
    let contents = || -> anyhow::Result<Vec<Vec<u8>>> {
        Ok(files_of(&copy)?.iter().map(std::fs::read).collect::<Result<_, _>>()?)
    };
    let before = contents()?;
    let refused = match launch.start() {
        Err(error) => {
            let text = format!("{error:#}");
            if !text.contains("exit status: 1") {
                tally.fail(format!("{what}: the server did not end with exit code 1: {text}"));
            }
            true
        }
        Ok(server) => {
            let (points, mut posts) = {
                let ledger = locked(&store.ledger);
                (ledger.points, ledger.posts.clone())
            };
            let told = || -> anyhow::Result<_> { verify_posts(&mut server.connect()?, &points, &mut posts) }();
            match told {
                Ok(findings) if findings.is_clean() => tally.acknowledged += store.acknowledged_points(),
                // A server that says that it cannot read something tells it.
                Err(error) if format!("{error:#}").contains("answered 5") => {}
                Err(error) => tally.fail(format!("{what}: {error:#}")),
                Ok(findings) => {
                    tally.findings.add(findings);
                    tally.fail(format!(
                        "{what}: points are gone and nothing tells; log: {}",
                        last_lines(&launch.log(), 2)
                    ));
                }
            }
            server.kill()?;
            false
        }
    };
    if refused {
        let kept = contents()?;
        if !before.iter().all(|content| kept.contains(content)) {
            tally.fail(format!("{what}: refused, but what was damaged is not there any more as it was"));
        }
    }
    tally.took += begun.elapsed();
    Ok(())
}
