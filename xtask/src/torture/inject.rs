//! The Nth write, fsync or unlink of each thread of the store fails, or is the last thing that the process does: for
//! every N that a stated work reaches. After a kill the process that recovers is killed once too.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::Context;
use super::clients::{Answered, locked, send};
use super::report::Tally;
use super::store::Store;
use super::tracer::{Fault, Injection, thread};
use crate::say;
use crate::server::{Server, copy_store, last_lines};

/// Posts to the store that every fault begins with.
const POSTS_BEFORE: u64 = 16;
/// The work: so many posts of so many points, with a chunk after so many.
const POSTS: u64 = 5;
const POINTS: u64 = 120;
const HEAD_POINTS: u64 = 400;
/// Longest time from SIGTERM to the end of a server that may be ill.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// A process that recovers is killed within so long.
const RECOVERY_MICROS: u64 = 60_000;
/// With `--quick` so many Ns, spread over those that are reached.
const QUICK_NS: u64 = 2;

/// Which thread's calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actor {
    /// Whoever opens the store, with a log to replay.
    Opening,
    Committing,
    Tidying,
    /// Whoever closes it.
    Closing,
}

const ACTORS: [(Actor, &str); 4] = [
    (Actor::Opening, "opening"),
    (Actor::Committing, "committing"),
    (Actor::Tidying, "tidying"),
    (Actor::Closing, "closing"),
];
const CALLS: [&str; 5] = ["write", "pwrite64", "fsync", "fdatasync", "unlink"];

fn faults(call: &str) -> Vec<Fault> {
    match call {
        "fsync" | "fdatasync" => vec![Fault::Kill, Fault::Once("EIO"), Fault::FromThenOn("EIO")],
        "unlink" => vec![Fault::Kill, Fault::Once("EIO")],
        _ => vec![
            Fault::Kill,
            Fault::Once("EIO"),
            Fault::FromThenOn("EIO"),
            Fault::Once("ENOSPC"),
            Fault::FromThenOn("ENOSPC"),
        ],
    }
}

/// Runs the scenario, with a part for each thread, call and fault.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let template = template(context)?;
    let (mut parts, mut random) = (Vec::new(), context.random(6));
    for (actor, name) in ACTORS {
        let begun = Instant::now();
        for call in CALLS {
            let reached = count_calls(context, &template, actor, call)?;
            for fault in faults(call) {
                let mut tally = Tally::default();
                let begun = Instant::now();
                if fault == Fault::Kill && reached > 0 {
                    tally.note(format!("{name}: {reached} {call} without a fault"));
                }
                // A little beyond: threads do not do quite the same every time.
                let last = if reached == 0 { 0 } else { reached + 2 };
                let step = if context.quick { last.div_ceil(QUICK_NS).max(1) } else { 1 };
                for at in (1..=last).step_by(usize::try_from(step)?) {
                    if let Err(error) = one(context, &template, (actor, call, fault, at), &mut random, &mut tally) {
                        tally.fail(format!("{name}, {call} {at}, {}: {error:#}", fault.name()));
                    }
                }
                tally.took = begun.elapsed();
                parts.push((format!("{name}, {call}, {}", fault.name()), tally));
            }
        }
        say(format_args!("inject: {name} done in {:.0} s", begun.elapsed().as_secs_f64()));
    }
    parts.retain(|(_, tally)| tally.faults > 0 || !tally.passed());
    Ok(parts)
}

/// A store with some chunks, and a log that was not moved into the file.
fn template(context: &Context) -> anyhow::Result<Store> {
    let store = Store::create(&context.program, &context.folder.join("template"))?;
    let server = store.start(HEAD_POINTS)?;
    for _ in 0..POSTS_BEFORE {
        store.must_take(&server, POINTS)?;
    }
    server.kill()?;
    let server = store.start(100_000_000)?;
    for _ in 0..4 {
        store.must_take(&server, POINTS)?;
    }
    server.kill()?;
    Ok(store)
}

/// A copy of the template with what is known of it.
fn copy(context: &Context, template: &Store, name: &str) -> anyhow::Result<Store> {
    let folder = context.folder.join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let mut store = Store::create(&context.program, &folder)?;
    copy_store(template.path(), &folder)?;
    locked(&store.ledger).posts = locked(&template.ledger).posts.clone();
    // One thread, so that it is the store's own threads that write.
    store.launch = store.launch.options(["--threads", "1"]);
    Ok(store)
}

/// How many calls of a kind the work makes, found by a fault that never comes.
fn count_calls(context: &Context, template: &Store, actor: Actor, call: &str) -> anyhow::Result<u64> {
    let store = copy(context, template, "counted")?;
    let injection = Injection::new(store.path(), call, Fault::Kill, 60_000);
    work(&store, actor, &injection)?;
    let trace = std::fs::read_to_string(store.path().with_extension("trace"))?;
    // Of the thread that makes most of them.
    let mut threads = std::collections::BTreeMap::<&str, u64>::new();
    for line in trace.lines().filter(|line| line.contains(&format!("{call}("))) {
        let thread = line.split(' ').next().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).unwrap_or("");
        *threads.entry(thread).or_default() += 1;
    }
    Ok(threads.into_values().max().unwrap_or(0))
}

fn one(
    context: &Context,
    template: &Store,
    (actor, call, fault, at): (Actor, &str, Fault, u64),
    random: &mut StdRng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let store = copy(context, template, "one")?;
    let before = store.acknowledged_points();
    let injection = Injection::new(store.path(), call, fault, at);
    work(&store, actor, &injection)?;
    tally.faults += u64::from(injection.happened());
    tally.acknowledged += store.acknowledged_points() - before;
    if fault == Fault::Kill {
        let mut recovering = store.launch.spawn()?;
        std::thread::sleep(Duration::from_micros(random.random_range(0..RECOVERY_MICROS)));
        recovering.kill()?;
        recovering.wait()?;
    }
    let server = store.start(HEAD_POINTS)?;
    let findings = store.verify(&server)?;
    if !findings.is_clean() {
        let kept = context.folder.join(format!("{actor:?}-{call}-{}-{at}", fault.name().replace(' ', "-")));
        copy_store(store.path(), &kept)?;
        tally.note(format!(
            "{call} {at}: a copy is at {}; log: {}",
            kept.display(),
            last_lines(&store.launch.log(), 2)
        ));
    }
    tally.findings.add(findings);
    // Whatever was not acknowledged can be sent now.
    store.send_again(&server, |post| !post.acknowledged)?;
    store.must_take(&server, POINTS)?;
    tally.findings.add(store.verify(&server)?);
    server.kill()
}

/// The stated work with a fault in one thread's calls. Whether the server lives on is its own affair.
fn work(store: &Store, actor: Actor, injection: &Injection) -> anyhow::Result<()> {
    if actor == Actor::Opening {
        let through = injection.through();
        let head_points = ["--head-points".to_owned(), HEAD_POINTS.to_string()];
        // One that cannot open the store ends with an error; the next start is without the fault.
        let Ok(server) = store.launch.clone().through(through).options(head_points).start() else { return Ok(()) };
        post(store, &server, 2)?;
        return server.kill();
    }
    let mut server = store.start(HEAD_POINTS)?;
    let pid = server.pid();
    let attached = match actor {
        Actor::Committing => Some(injection.attach(thread(pid, "metrics-commit")?, false)?),
        Actor::Tidying => Some(injection.attach(thread(pid, "metrics-tidy")?, false)?),
        _ => None,
    };
    post(store, &server, POSTS)?;
    let closing = (actor == Actor::Closing).then(|| injection.attach(pid, true)).transpose()?;
    // It may be gone.
    let _ = server.signal("TERM");
    let ended = server.wait_at_most(STOP_PATIENCE)?;
    drop((attached, closing));
    anyhow::ensure!(ended.is_some(), "SIGTERM did not end the server in {STOP_PATIENCE:?}");
    Ok(())
}

/// Posts one after the other until the server is gone. One that refuses is asked once more, not longer.
fn post(store: &Store, server: &Server, posts: u64) -> anyhow::Result<()> {
    let Ok(mut connection) = server.connect() else { return Ok(()) };
    let mut refusals = 0;
    for _ in 0..posts {
        let post = locked(&store.ledger).open(POINTS);
        match send(&mut connection, &store.ledger, post)? {
            Answered::Acknowledged => {}
            Answered::Refused(_) if refusals < 2 => refusals += 1,
            Answered::Refused(_) | Answered::Gone => break,
        }
    }
    Ok(())
}
