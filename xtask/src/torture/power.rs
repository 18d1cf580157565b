//! Power loss: kill -9 proves nothing about syncs, so the writes and syncs of a server are recorded, and what a disk may
//! hold after a cut at many moments is opened. What was acknowledged before the cut must be there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::Rng;

use super::Context;
use super::clients::{Answered, locked, send};
use super::disk::{Disk, Kept};
use super::report::Tally;
use super::store::Store;
use super::trace::{self, Event};
use super::tracer::recorder;
use super::verify::verify_posts;
use crate::server::{Launch, Server};
use crate::{joined, say};

/// Clients that write at the same time, and how many posts of up to so many points each sends.
const CLIENTS: u64 = 3;
const POSTS: u64 = 40;
const MOST_POINTS: u64 = 160;
const HEAD_POINTS: u64 = 1_000;
/// Images that are opened.
const IMAGES: usize = 600;
const QUICK_IMAGES: usize = 60;

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let store = Store::create(&context.program, &context.folder.join("recorded"))?;
    let (events, answers) = record(&store)?;
    say(format_args!("power: {} events recorded", events.len()));
    let mut order = Tally::default();
    synced_before_answers(&events, &mut order);
    order.acknowledged = store.acknowledged_points();
    let mut parts = vec![("every 201 is sent after a sync that covers the log".to_owned(), order)];
    parts.extend(images(context, &store, &events, &answers)?);
    parts.push((
        "null control: the same without the log's syncs loses points".to_owned(),
        unsynced(context, &store, &events, &answers)?,
    ));
    Ok(parts)
}

/// For each client's port its posts in the order of their acknowledgements.
type Answers = HashMap<u16, Vec<u64>>;

/// What the same server would have left had it never synced its log: if this test finds nothing lost then, it proves
/// nothing.
fn unsynced(context: &Context, store: &Store, events: &[Event], answers: &Answers) -> anyhow::Result<Tally> {
    let is_log = |path: &str| path.ends_with(".wal");
    let synced = |event: &&Event| !matches!(event, Event::SyncBegins { path, .. } | Event::SyncEnds { path, .. } if is_log(path));
    let events: Vec<Event> = events.iter().filter(synced).cloned().collect();
    let found = images(&Context { quick: true, ..context.clone() }, store, &events, answers)?;
    let mut tally = Tally::default();
    let lost: u64 = found.iter().map(|(_, tally)| tally.findings.lost).sum();
    tally.faults = found.iter().map(|(_, tally)| tally.faults).sum();
    if lost == 0 {
        tally.fail("a server that never syncs its log was not told from one that does");
    }
    tally.note(format!("{lost} acknowledged points were found lost, as they must be"));
    Ok(tally)
}

/// Lets a recorded server be written to. Gives what it did, and what it acknowledged.
fn record(store: &Store) -> anyhow::Result<(Vec<Event>, Answers)> {
    let trace = store.path().with_extension("trace");
    let head_points = ["--head-points".to_owned(), HEAD_POINTS.to_string()];
    let mut server = store.launch.clone().through(recorder(&trace)).options(head_points).start()?;
    let answers = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let (server, answers) = (&server, &answers);
                    move || post(store, server, client, answers)
                })
            })
            .collect();
        clients.into_iter().try_for_each(joined)
    })?;
    server.signal("TERM")?;
    anyhow::ensure!(server.wait_at_most(Duration::from_secs(60))?.is_some(), "SIGTERM ends the server");
    let text = String::from_utf8_lossy(&std::fs::read(&trace)?).into_owned();
    let prefix = store.path().display().to_string();
    let answers = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((trace::read(&text, &prefix)?, answers))
}

fn post(store: &Store, server: &Server, client: u64, answers: &Mutex<Answers>) -> anyhow::Result<()> {
    let mut connection = server.connect()?;
    let mut acknowledged = Vec::new();
    for round in 0..POSTS {
        let post = locked(&store.ledger).open(1 + (round * 29 + client * 13) % MOST_POINTS);
        anyhow::ensure!(
            send(&mut connection, &store.ledger, post)? == Answered::Acknowledged,
            "a healthy server stores"
        );
        acknowledged.push(post.first);
    }
    locked(answers).insert(connection.own_port()?, acknowledged);
    Ok(())
}

/// Looks at each answer: between a client's answer and its last one, a sync of the log must have begun and ended, because
/// the client sent what was answered in between.
fn synced_before_answers(events: &[Event], tally: &mut Tally) {
    let mut begun: HashMap<u64, usize> = HashMap::new();
    // The latest beginning of a sync that has ended.
    let mut synced = 0;
    let mut last_answers: HashMap<u16, usize> = HashMap::new();
    for (at, event) in (1..).zip(events) {
        match event {
            Event::SyncBegins { path, call } if path.ends_with(".wal") => {
                begun.insert(*call, at);
            }
            Event::SyncEnds { call, .. } => synced = synced.max(begun.remove(call).unwrap_or(0)),
            Event::Acknowledged { port } => {
                tally.faults += 1;
                let last = last_answers.insert(*port, at).unwrap_or(0);
                if synced <= last {
                    tally.fail(format!(
                        "answer {} was sent without a sync since its client's last answer",
                        tally.faults
                    ));
                }
            }
            _ => {}
        }
    }
    tally.note(format!("{} answers were looked at", tally.faults));
}

/// Opens what a disk may hold after cuts at moments spread over all that happened.
fn images(
    context: &Context,
    store: &Store,
    events: &[Event],
    answers: &Answers,
) -> anyhow::Result<Vec<(String, Tally)>> {
    let wanted = if context.quick { QUICK_IMAGES } else { IMAGES };
    let mut random = context.random(1);
    let mut tallies: Vec<(Kept, Tally)> = Kept::ALL.into_iter().map(|kept| (kept, Tally::default())).collect();
    // Every other cut comes just when something was answered.
    let answers_at: Vec<usize> =
        (1..).zip(events).filter(|(_, event)| matches!(event, Event::Acknowledged { .. })).map(|(at, _)| at).collect();
    anyhow::ensure!(!answers_at.is_empty(), "nothing was answered in what was recorded");
    let mut cuts: Vec<(usize, usize)> = (0..wanted)
        .map(|number| {
            let just_answered = answers_at[random.random_range(0..answers_at.len())];
            let any = random.random_range(0..=events.len());
            (if number % 2 == 0 { just_answered } else { any }, number / 2 % Kept::ALL.len())
        })
        .collect();
    cuts.sort_unstable();
    let (mut disk, mut happened) = (Disk::default(), 0);
    let mut answered: HashMap<u16, usize> = HashMap::new();
    for (cut, kept) in cuts {
        for event in &events[happened..cut] {
            disk.happen(event);
            if let Event::Acknowledged { port } = event {
                *answered.entry(*port).or_default() += 1;
            }
        }
        happened = cut;
        let acknowledged: BTreeSet<u64> =
            answered.iter().flat_map(|(port, count)| answers[port][..*count].iter().copied()).collect();
        let (kept, tally) = &mut tallies[kept];
        let begun = Instant::now();
        if let Err(error) = image(context, store, &disk, *kept, &acknowledged, &mut random, tally) {
            tally.fail(format!("cut after {cut} of {} events: {error:#}", events.len()));
        }
        tally.took += begun.elapsed();
    }
    let part = |(kept, tally): (Kept, Tally)| (format!("of what was not synced the disk kept: {kept:?}"), tally);
    Ok(tallies.into_iter().map(part).collect())
}

fn image(
    context: &Context,
    store: &Store,
    disk: &Disk,
    kept: Kept,
    acknowledged: &BTreeSet<u64>,
    random: &mut impl Rng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let folder = context.folder.join("image");
    let _ = std::fs::remove_dir_all(&folder);
    disk.cut(kept, random, &folder)?;
    tally.faults += 1;
    let launch = Launch::new(&context.program, &folder.join("m.duckdb")).options(store.launch.options.clone());
    let (points, mut posts) = {
        let ledger = locked(&store.ledger);
        (ledger.points, ledger.at(acknowledged))
    };
    tally.acknowledged += posts.values().filter(|post| post.acknowledged).map(|post| post.count).sum::<u64>();
    let server = launch.start()?;
    tally.findings.add(verify_posts(&mut server.connect()?, &points, &mut posts)?);
    server.kill()
}
