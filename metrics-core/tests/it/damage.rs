//! Logs that lost their end, and clocks that leap.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use metrics_core::{Batch, Engine, MICROS_PER_DAY, OpenError, Options, Point, Timestamp, beside};

use crate::durability::Writer;
use crate::ledger::Ledger;

/// A store whose writer was killed after some acknowledgements, with all in its log.
fn killed(path: &Path) -> u64 {
    let mut ledger = Ledger::default();
    let writer = Writer::start(path, 1, 0, 1_000_000);
    while ledger.acknowledged < 5 {
        ledger.note(&writer.line());
    }
    writer.kill(&mut ledger);
    // `cargo test --test it` leaves an example as it was built before the store changed.
    assert!(
        beside(path, ".mark").exists(),
        "crash_writer is of an older store: run cargo build --example crash_writer"
    );
    ledger.acknowledged as u64
}

#[test]
fn a_log_that_lost_acknowledged_points_is_refused_and_left_as_it_is_until_its_mark_is_removed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    killed(&path);
    let log = std::fs::read(beside(&path, ".wal")).expect("a log");
    let cut = &log[..log.len() / 2];
    std::fs::write(beside(&path, ".wal"), cut).expect("writes");
    let files = || ["", ".wal", ".mark"].map(|ending| std::fs::read(beside(&path, ending)).expect("a file"));
    let before = files();
    for _ in 0..2 {
        let error = Engine::open(&path).expect_err("points are missing");
        let OpenError::Cut { missing, mark, .. } = &error else { panic!("{error:?}") };
        assert!(*missing > 0 && *mark == beside(&path, ".mark"), "{error:?}");
        assert!(error.to_string().contains("m.duckdb.mark"), "{error}");
        assert!(files() == before, "the files were changed");
    }
    std::fs::remove_file(beside(&path, ".mark")).expect("removes");
    let engine = Engine::open(&path).expect("opens what there is");
    engine.write(Point::new("load", Timestamp::EPOCH, 0.5).expect("valid")).expect("takes").wait().expect("stores");
}

#[test]
fn a_file_that_is_refused_for_a_flipped_bit_keeps_what_is_in_it_and_in_its_log() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let points = (0..5_000).map(|at| Point::new("load", Timestamp::clamped(at * 1_000), at as f64).expect("valid"));
    let engine = Engine::open(&path).expect("opens");
    engine.write(points.collect::<Batch>()).expect("open").wait().expect("stored");
    engine.close().expect("closes");
    killed(&path);
    let files = || ["", ".wal", ".mark"].map(|ending| std::fs::read(beside(&path, ending)).ok());
    let whole = files();
    let length = whole[0].as_ref().expect("a file").len();
    let mut refused = 0;
    for at in (12_288 + 777..length).step_by(9_973) {
        for (ending, bytes) in ["", ".wal", ".mark"].into_iter().zip(&whole) {
            std::fs::write(beside(&path, ending), bytes.as_ref().expect("each is there")).expect("writes");
        }
        let mut damaged = whole[0].clone().expect("a file");
        damaged[at] ^= 1;
        std::fs::write(&path, damaged).expect("writes");
        let before = files();
        if Engine::open(&path).is_err() {
            refused += 1;
            assert!(files() == before, "byte {at}: the files were changed");
        }
    }
    assert!(refused >= 5, "{refused} refused of {length} bytes");
}

#[test]
fn a_log_that_breaks_off_after_the_last_acknowledgement_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = Engine::open(&path).expect("opens");
    let write =
        |value| engine.write(Point::new("load", Timestamp::EPOCH, value).expect("valid")).expect("takes").wait();
    write(1.0).expect("stores");
    write(2.0).expect("stores");
    // As a killed process leaves them, and then a part of another entry, with holes.
    let copy = folder.path().join("copy.duckdb");
    for ending in ["", ".wal", ".mark"] {
        std::fs::copy(beside(&path, ending), beside(&copy, ending)).expect("copies");
    }
    let whole = std::fs::read(beside(&copy, ".wal")).expect("a log");
    // The last entry once more, with a hole: its checksum does not fit.
    let mut torn = whole.clone();
    let entry = whole.len() - 21;
    torn.extend(&whole[entry..]);
    torn[whole.len() + 18] ^= 0xFF;
    std::fs::write(beside(&copy, ".wal"), &torn).expect("writes");
    let opened = Engine::open(&copy).expect("opens without the torn end");
    assert_eq!(opened.stats().points, 2);
    assert_eq!(std::fs::read(beside(&copy, ".wal.torn")).expect("kept aside"), torn);
}

static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Timestamp {
    Timestamp::clamped(NOW.load(Ordering::Relaxed))
}

#[test]
fn a_clock_that_leaps_ten_years_drops_nothing_until_somebody_applies_retention() {
    const TODAY: i64 = 20_000 * MICROS_PER_DAY;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let rule = "*: raw=30d, minute=30d, quarter=30d, hour=30d, day=30d".parse().expect("a rule");
    let options = || Options { clock: now, retention: vec![rule], head_points: 10, ..Options::default() };
    let options = options();
    NOW.store(TODAY, Ordering::Relaxed);
    let write = |engine: &Engine, days_ago: i64| {
        let at = |i: i64| Timestamp::clamped(TODAY - days_ago * MICROS_PER_DAY + i);
        let batch: Batch = (0..20).map(|i| Point::new("load", at(i), 1.0).expect("valid")).collect();
        engine.write(batch).expect("takes").wait().expect("stores");
        engine.compact().expect("compacts, and drops what is too old");
    };
    let engine = Engine::open_with(&path, options.clone()).expect("opens");
    write(&engine, 0);
    write(&engine, 40);
    assert_eq!(engine.stats().points, 20, "what is forty days old goes");
    for leap in [3_650, -3_650, 3_650, 8, 7_300, 0] {
        NOW.store(TODAY + leap * MICROS_PER_DAY, Ordering::Relaxed);
        write(&engine, 1);
    }
    assert_eq!(engine.stats().points, 140);
    engine.close().expect("closes");
    NOW.store(TODAY + 3_650 * MICROS_PER_DAY, Ordering::Relaxed);
    let engine = Engine::open_with(&path, options).expect("opens");
    write(&engine, 2);
    assert_eq!(engine.stats().points, 160, "the clock was wrong from the start");
    engine.apply_retention().expect("applies");
    assert_eq!(engine.stats().points, 0, "somebody said that it is right");
}
