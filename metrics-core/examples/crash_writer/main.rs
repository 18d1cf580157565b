//! Writes numbered points until it is killed: the process that the crash tests in `tests/it` start.
//!
//! `crash_writer FILE FIRST SEED HEAD_POINTS` opens the store and prints `open`; then for each batch, before it is
//! handed over, `send FIRST COUNT`, and when its ticket has resolved, `ack FIRST COUNT`. Several batches are under way
//! at once and, with an odd seed, another thread compacts, deletes and applies retention all the time. It ends by
//! itself only when it cannot open the store (exit code 1, the reason on stderr), the store fails, or nobody reads
//! what it prints.

mod numbered;

use std::collections::VecDeque;
use std::io::Write;
use std::process::ExitCode;

use metrics_core::{Batch, Engine, Labels, MetricName, Options, Point, SeriesKey, StoreError, Timestamp, WriteTicket};

/// Most points in a batch.
const MOST_POINTS: u64 = 120;
/// Most batches under way.
const MOST_TICKETS: u64 = 6;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the first argument is the store's file");
    let mut numbers = arguments.map(|text| text.parse::<u64>().expect("a number"));
    let mut number = |what: &str| numbers.next().unwrap_or_else(|| panic!("the argument {what} is missing"));
    let (first, seed, head_points) = (number("FIRST"), number("SEED"), number("HEAD_POINTS"));
    let head_points = usize::try_from(head_points).expect("a small number");
    let everything = "scratch: raw=1d, minute=1d, quarter=1d, hour=1d, day=1d".parse().expect("a retention rule");
    let engine =
        match Engine::open_with(path, Options { head_points, retention: vec![everything], ..Options::default() }) {
            Ok(engine) => engine,
            Err(error) => {
                writeln!(std::io::stderr(), "{error}").expect("stderr is open");
                return ExitCode::FAILURE;
            }
        };
    if seed % 2 == 1 {
        let engine = engine.clone();
        // A failure ends the process, which its parent notices.
        std::thread::spawn(move || {
            if let Err(error) = tidy_for_ever(&engine) {
                writeln!(std::io::stderr(), "{error}").expect("stderr is open");
                std::process::exit(1);
            }
        });
    }
    match write_for_ever(&engine, first, seed) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader is gone.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => panic!("{error}"),
    }
}

/// Compacts, and lets chunks be written anew without the points of another metric, deleted or past their retention.
fn tidy_for_ever(engine: &Engine) -> Result<(), StoreError> {
    let scratch = MetricName::new("scratch").expect("a short name");
    for round in 0.. {
        let key = SeriesKey::new(scratch.clone(), Labels::empty());
        let point = |number| Point::of(key.clone(), numbered::time(number), 1.0).expect("finite");
        // Only a closed engine refuses a small batch, and nobody closes it.
        let ticket = engine.write((0..200).map(point).collect::<Batch>()).expect("an open engine takes a batch");
        drop(ticket);
        engine.compact()?;
        if round % 2 == 0 {
            engine.delete(&scratch, &[], Timestamp::MIN, Timestamp::MAX)?;
        } else {
            engine.apply_retention()?;
        }
    }
    Ok(())
}

fn write_for_ever(engine: &Engine, first: u64, seed: u64) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "open")?;
    let mut random = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = first;
    let mut under_way: VecDeque<(u64, u64, WriteTicket)> = VecDeque::new();
    let most_tickets = 1 + seed % MOST_TICKETS;
    loop {
        while (under_way.len() as u64) < most_tickets {
            // Knuth's multiplier for 64-bit linear congruential sequences; the high bits are the random ones.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let count = 1 + (random >> 33) % MOST_POINTS;
            writeln!(out, "send {next} {count}")?;
            let ticket = engine.write(batch(next, count)).expect("an open engine takes a batch");
            under_way.push_back((next, count, ticket));
            next += count;
        }
        if let Some((first, count, ticket)) = under_way.pop_front() {
            let receipt = ticket.wait().expect("a healthy store commits");
            assert_eq!(receipt.points, count, "the receipt counts the batch");
            writeln!(out, "ack {first} {count}")?;
        }
    }
}

/// The points `first..first + count`, each with its number as value.
fn batch(first: u64, count: u64) -> Batch {
    (first..first + count)
        .map(|number| {
            let labels = Labels::new([("part", numbered::part(number))]).expect("a short label");
            let series = SeriesKey::new(MetricName::new(numbered::METRIC).expect("a short name"), labels);
            Point::of(series, numbered::time(number), number as f64).expect("finite")
        })
        .collect()
}
