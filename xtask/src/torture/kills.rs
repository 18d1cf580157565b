//! kill -9 at random moments and aimed at what the server is doing, again and again, over stores that grow.

use std::collections::BTreeMap;
use std::time::Instant;

use rand::Rng;
use rand::rngs::StdRng;

use super::Context;
use super::clients::locked;
use super::ledger::Post;
use super::phases::{PHASES, Phase};
use super::report::Tally;
use super::store::{Check, Store};
use crate::say;
use crate::server::last_lines;

/// Kills after which a new store is begun.
const KILLS_A_STORE: u64 = 40;
/// After so many rounds all that is there is compared; after the others what was sent since then.
const ROUNDS_A_WHOLE: u64 = 10;
/// Of how many acknowledged posts one is sent again.
const SENT_AGAIN: u64 = 97;

/// Runs the scenario, with a part for each phase.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    let mut random = context.random(0);
    let mut done = 0;
    let mut number = 0;
    while done < context.kills {
        number += 1;
        let store = Store::create(&context.program, &context.folder.join(format!("store-{number}")))?;
        let until = context.kills.min(done + KILLS_A_STORE);
        let (mut sound, mut rounds, mut since) = (true, 0, 0);
        while done < until && sound {
            // Every phase as often as every other, in an order that is not.
            let phase = &PHASES[random.random_range(0..PHASES.len())];
            let (begun, acknowledged) = (Instant::now(), store.acknowledged_points());
            let mut tally = Tally::default();
            rounds += 1;
            let whole = rounds % ROUNDS_A_WHOLE == 0;
            if let Err(error) = round(&store, phase, (!whole).then_some(since), &mut random, &mut tally) {
                tally.fail(format!(
                    "kill {done}: {error:#}; the server's log ends: {}",
                    last_lines(&store.launch.log(), 3)
                ));
            }
            if whole {
                since = locked(&store.ledger).next();
            }
            sound = tally.passed();
            if !sound {
                tally.note(format!("kill {done} was on {}", store.path().display()));
            }
            tally.acknowledged = store.acknowledged_points().saturating_sub(acknowledged);
            tally.took = begun.elapsed();
            done += tally.faults.max(1);
            tallies.entry(phase.name).or_default().add(tally);
        }
        if sound {
            let tally = tallies.entry("at the end").or_default();
            let check = store.begin_check()?;
            tally.findings.add(store.verify(&store.start(2_000)?)?);
            check.map_or(Ok(()), Check::end)?;
        }
        say(format_args!(
            "kills: {done} of {}, {} points in store {number}",
            context.kills,
            store.acknowledged_points()
        ));
        if !sound && context.until_found {
            break;
        }
        if sound {
            std::fs::remove_dir_all(store.path().parent().unwrap_or(&context.folder))?;
        }
    }
    tallies.entry("at the end").or_default().note(format!(
        "after every {ROUNDS_A_WHOLE}th round and at the end of each of {number} stores all that is there was compared and \
         checked, after the others what was sent since"
    ));
    Ok(tallies.into_iter().map(|(name, tally)| (name.to_owned(), tally)).collect())
}

/// One phase on a store, and what is left: of all that is there, or of what was sent from a number on.
fn round(
    store: &Store,
    phase: &Phase,
    since: Option<u64>,
    random: &mut StdRng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    tally.faults += (phase.run)(store, random)?;
    let check = if since.is_none() { store.begin_check()? } else { None };
    let server = store.start(2_000)?;
    tally.findings.add(since.map_or_else(|| store.verify(&server), |since| store.verify_since(&server, since))?);
    check.map_or(Ok(()), Check::end)?;
    let salt = random.random_range(0..SENT_AGAIN);
    store.send_again(&server, |post: &Post| !post.acknowledged || post.first / 4 % SENT_AGAIN == salt)?;
    // Whether a key was forgotten, and points are there twice, the next look tells.
    server.kill()?;
    Ok(())
}
