//! Files: who may open them, and which are refused.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics_core::{Engine, OpenError, Point, Timestamp};

use crate::durability::{Writer, crash_writer};
use crate::ledger::Ledger;

fn store_with_a_point(path: &Path) -> Engine {
    let engine = Engine::open(path).expect("opens");
    let point = Point::new("load", Timestamp::EPOCH, 0.5).expect("a point");
    engine.write(point).expect("takes a point").wait().expect("commits");
    engine
}

fn assert_owned(result: Result<Engine, OpenError>, path: &Path) {
    let error = result.expect_err("the store is owned");
    assert!(matches!(&error, OpenError::Owned { path: named } if named == path), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("--url"), "{text}");
}

#[test]
fn a_second_engine_in_the_same_process_is_refused_until_the_first_closes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = store_with_a_point(&path);
    assert_owned(Engine::open(&path), &path);
    assert_owned(Engine::open(&path), &path);
    engine.close().expect("closes");
    assert_eq!(Engine::open(&path).expect("opens again").stats().points, 1);
}

#[test]
fn a_closed_store_opens_again_at_once_while_processes_are_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, absent) = (folder.path().join("m.duckdb"), folder.path().join("absent").join("m.duckdb"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A process that is being started holds, for a moment, every file that this one has open.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let output = crash_writer().arg(&absent).args(["1", "0", "100"]).output().expect("the writer runs");
                assert_eq!(output.status.code(), Some(1));
            }
        });
        let results: Vec<_> = (0..30).map(|_| Engine::open(&path).map(|engine| engine.close())).collect();
        done.store(true, Ordering::Relaxed);
        let refusals: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        assert!(refusals.is_empty(), "{} of 30: {:?}", refusals.len(), refusals.first());
    });
}

#[cfg(unix)]
#[test]
fn a_second_engine_is_refused_through_a_symbolic_link_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, link) = (folder.path().join("m.duckdb"), folder.path().join("link.duckdb"));
    let engine = store_with_a_point(&path);
    std::os::unix::fs::symlink(&path, &link).expect("links");
    let error = Engine::open(&link).expect_err("the store is owned");
    assert!(matches!(error, OpenError::Owned { .. }), "{error:?}");
    assert_eq!(engine.stats().points, 1);
}

#[cfg(unix)]
#[test]
fn what_was_killed_under_one_name_is_recovered_under_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, link) = (folder.path().join("m.duckdb"), folder.path().join("link.duckdb"));
    store_with_a_point(&path).close().expect("closes");
    std::os::unix::fs::symlink(&path, &link).expect("links");
    let mut ledger = Ledger::default();
    let writer = Writer::start(&link, 1, 0, 1_000_000);
    while ledger.acknowledged < 3 {
        ledger.note(&writer.line());
    }
    writer.kill(&mut ledger);
    let stored = Engine::open(&path).expect("opens").stats().points;
    assert!(stored > ledger.acknowledged as u64, "{stored} points, {} batches acknowledged", ledger.acknowledged);
}

#[test]
fn an_engine_that_is_dropped_leaves_its_file_to_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = store_with_a_point(&path);
    let clone = engine.clone();
    drop(engine);
    assert_owned(Engine::open(&path), &path);
    drop(clone);
    assert_eq!(Engine::open(&path).expect("opens again").stats().points, 1);
}

#[test]
fn another_process_is_refused_with_the_files_name_while_this_one_owns_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = store_with_a_point(&path);
    let output = crash_writer().arg(&path).args(["1", "0", "100"]).output().expect("the writer runs");
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(message.contains(&path.display().to_string()) && message.contains("--url"), "{message}");
    assert_eq!(engine.stats().points, 1);
}

#[test]
fn this_process_is_refused_while_another_owns_the_file_and_welcome_once_that_is_killed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let writer = Writer::start(&path, 1, 0, 100);
    while !writer.line().starts_with("ack") {}
    assert_owned(Engine::open(&path), &path);
    drop(writer);
    assert!(Engine::open(&path).expect("opens").stats().points > 0);
}

#[test]
fn a_newer_schema_is_refused_and_its_file_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    store_with_a_point(&path).close().expect("closes");
    let database = duckdb::Connection::open(&path).expect("is a DuckDB database");
    let changed = database.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'", []);
    assert_eq!(changed.expect("has a schema version"), 1);
    drop(database);
    let before = std::fs::read(&path).expect("readable");
    let error = Engine::open(&path).expect_err("the schema is newer");
    assert!(matches!(&error, OpenError::Newer { path: named, found: 999, .. } if *named == path), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("999") && text.contains(&path.display().to_string()), "{text}");
    assert!(std::fs::read(&path).expect("readable") == before, "the file was changed");
}

#[test]
fn a_database_of_something_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("shop.duckdb");
    let database = duckdb::Connection::open(&path).expect("creates a database");
    database.execute_batch("CREATE TABLE orders(id INTEGER); INSERT INTO orders VALUES (7)").expect("creates a table");
    drop(database);
    let before = std::fs::read(&path).expect("readable");
    let error = Engine::open(&path).expect_err("is no store");
    assert!(matches!(&error, OpenError::Foreign { path: named } if *named == path), "{error:?}");
    assert!(std::fs::read(&path).expect("readable") == before, "the file was changed");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in [("notes.txt", &b"timestamp,value\n"[..]), ("zeros", &[0; 8_192]), ("noise", &[0xA5; 20_000])]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        let error = Engine::open(&path).expect_err("is no store");
        assert!(matches!(&error, OpenError::Store { path: named, .. } if *named == path), "{name}: {error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(std::fs::read(&path).expect("readable") == bytes, "{name} was changed");
    }
}

#[test]
fn a_store_cannot_be_opened_in_a_folder_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("absent").join("m.duckdb");
    let error = Engine::open(&path).expect_err("has no folder");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn the_points_view_shows_every_point_to_any_duckdb_client() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let engine = store_with_a_point(&path);
    engine.compact().expect("compacts");
    let late = Point::new("load", Timestamp::parse("1969-07-20T20:17:40.5Z").expect("a time"), -1.25).expect("a point");
    let labelled = late.with_labels([("host", "it's \"a\""), ("dc", "eu")]).expect("labels");
    engine.write(labelled).expect("takes a point").wait().expect("commits");
    engine.close().expect("closes");
    let database = duckdb::Connection::open(&path).expect("is a DuckDB database");
    let mut statement = database
        .prepare(
            "SELECT CAST(timestamp AS VARCHAR), name, CAST(labels AS VARCHAR), value FROM points ORDER BY timestamp",
        )
        .expect("has the view");
    let rows: Vec<(String, String, String, f64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .and_then(Iterator::collect)
        .expect("has the columns timestamp, name, labels, value");
    let row = |time: &str, labels: &str, value: f64| (time.to_owned(), "load".to_owned(), labels.to_owned(), value);
    let first = row("1969-07-20 20:17:40.5", r#"{"dc":"eu","host":"it's \"a\""}"#, -1.25);
    assert_eq!(rows, [first, row("1970-01-01 00:00:00", "{}", 0.5)]);
}

#[test]
fn a_file_without_chunks_has_the_points_view_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    store_with_a_point(&path).close().expect("closes");
    let database = duckdb::Connection::open(&path).expect("is a DuckDB database");
    let values: f64 = database.query_row("SELECT sum(value) FROM points", [], |row| row.get(0)).expect("has the view");
    assert_eq!(values, 0.5);
    drop(database);
    // One written before files had it from the start gets it when it is opened.
    let database = duckdb::Connection::open(&path).expect("is a DuckDB database");
    database.execute_batch("DROP VIEW points").expect("drops the view");
    drop(database);
    Engine::open(&path).expect("opens").close().expect("closes");
    let database = duckdb::Connection::open(&path).expect("is a DuckDB database");
    let count: u64 = database.query_row("SELECT count(*) FROM points", [], |row| row.get(0)).expect("has the view");
    assert_eq!(count, 1);
}
