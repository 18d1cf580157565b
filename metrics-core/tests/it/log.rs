//! The write-ahead log has a bound, also while somebody reads for long.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics_core::{Batch, Engine, Options, Per, Point, QueryError, QueryRequest, SqlLimits, Timestamp, WriteError};

const LIMIT_BYTES: u64 = 1 << 20;
/// What one commit adds to a log that is not at its bound yet, about.
const COMMIT_BYTES: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

fn batch(number: i64) -> Batch {
    let point = |at: i64| {
        Point::new("m", Timestamp::clamped((number * 2_000 + at) * 1_000), (at * 7_919 % 10_007) as f64 / 13.0)
    };
    (0..2_000).map(|at| point(at).expect("valid")).collect()
}

/// A statement that runs for so many seconds, until it is ended for that.
fn read_for(seconds: u64, engine: &Engine) -> JoinHandle<()> {
    let engine = engine.clone();
    std::thread::spawn(move || {
        let slow = "SELECT sum(a.value * b.value * c.value) FROM points a, points b, points c";
        let limits = SqlLimits { timeout: Duration::from_secs(seconds), ..SqlLimits::default() };
        engine.sql(slow, &limits).expect_err("it takes longer than it may");
    })
}

#[test]
fn a_long_reader_neither_lets_the_log_grow_without_end_nor_stops_writes_for_good() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Small, so that tables come and go while the statement runs: that is what a checkpoint has to wait for.
    let options = Options { sql: true, wal_limit_bytes: LIMIT_BYTES, head_points: 10_000, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    engine.write(batch(0)).expect("open").wait().expect("stored");
    let reader = read_for(8, &engine);
    let (mut stored, mut refused, mut longest, mut number) = (1_u64, 0_u64, 0, 1);
    let mut write = |stored: &mut u64, refused: &mut u64| {
        match engine.write(batch(number)).expect("open").wait() {
            Ok(_) => *stored += 1,
            Err(WriteError::LogFull { wal_bytes, limit_bytes }) => {
                assert!(wal_bytes > 4 * limit_bytes, "{wal_bytes}");
                *refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        number += 1;
        longest = longest.max(engine.stats().wal_bytes);
    };
    while !reader.is_finished() {
        write(&mut stored, &mut refused);
    }
    reader.join().expect("it ends");
    // The next checkpoint takes the log in.
    let (begun, before) = (Instant::now(), stored);
    while stored < before + 20 {
        write(&mut stored, &mut refused);
        assert!(begun.elapsed() < PATIENCE, "writes are refused for good");
    }
    assert!(
        longest <= 4 * LIMIT_BYTES + 2 * COMMIT_BYTES,
        "{longest} bytes of log, {stored} stored, {refused} refused"
    );
    assert_eq!(engine.stats().points, stored * 2_000);
    engine.close().expect("closes");
}

#[test]
fn a_checkpoint_that_a_query_held_up_is_made_up_for_without_another_write() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { sql: true, head_points: 10_000, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let write = |number| engine.write(batch(number)).expect("open").wait().expect("stored");
    write(0);
    let reader = read_for(6, &engine);
    let mut number = 1;
    while !reader.is_finished() && number < 40 {
        write(number);
        number += 1;
    }
    assert!(engine.stats().wal_bytes > COMMIT_BYTES, "the log is held up: {}", engine.stats().wal_bytes);
    reader.join().expect("it ends");
    let begun = Instant::now();
    while engine.stats().wal_bytes > COMMIT_BYTES / 2 {
        assert!(begun.elapsed() < PATIENCE, "{} bytes of log stay", engine.stats().wal_bytes);
        std::thread::yield_now();
    }
    engine.close().expect("closes");
}

#[test]
fn a_query_that_is_refused_half_way_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // More points than are read at once, in chunks that are then replaced.
    let options = Options { max_raw_rows: 50_000, head_points: 30_000, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let write = |number| assert!(engine.write(batch(number)).expect("open").wait().is_ok());
    (0..100).for_each(write);
    engine.compact().expect("moves all points into chunks");
    let mut all = QueryRequest::new(["m"], Timestamp::EPOCH, Timestamp::clamped(i64::MAX)).expect("a name");
    all.per = Per::Raw;
    let refused = engine.query(&all).expect_err("200,000 points are more than it may read");
    assert!(matches!(refused, QueryError::TooManyRows { limit: 50_000 }), "{refused}");
    // The chunk that it read from is merged with these, and its tables go.
    (100..200).for_each(write);
    engine.compact().expect("compacts");
    assert!(engine.stats().wal_bytes < COMMIT_BYTES / 2, "{} bytes of log stay", engine.stats().wal_bytes);
    engine.close().expect("closes");
}
