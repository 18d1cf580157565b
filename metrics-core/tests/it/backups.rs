//! A folder of backups: what is in them, what is dropped, and what never is.

use std::num::NonZeroUsize;
use std::path::Path;

use metrics_core::{BackupError, BackupFolder, Batch, Engine, Options, Point, SqlLimits, Timestamp};
use tempfile::TempDir;

const ESCAPES: &str = include_str!("sql_escapes.txt");

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn keep(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("more than none")
}

fn store(folder: &TempDir, options: Options) -> Engine {
    let options = Options { head_points: 100, ..options };
    Engine::open_with(folder.path().join("metrics.duckdb"), options).expect("opens")
}

fn write(engine: &Engine, points: std::ops::Range<i64>) {
    let points = points.map(|i| Point::new("load", Timestamp::clamped(i * 1_000_000), i as f64).expect("valid"));
    engine.write(points.collect::<Batch>()).expect("takes").wait().expect("stores");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_newest_are_kept_and_hold_what_the_store_held() {
    let folder = TempDir::new().expect("a temporary folder");
    let engine = store(&folder, Options::default());
    let copies = folder.path().join("copies");
    let backups = BackupFolder::open(&copies, engine.path(), keep(2)).expect("takes the folder").checked(true);
    // Nobody's of ours, whatever they look like.
    for foreign in ["other-20240101T000000Z.duckdb", "metrics-20240101T000000Z.txt", "metrics-2024.duckdb"] {
        std::fs::write(copies.join(foreign), "x").expect("writes");
    }
    for (day, points) in [(1, 0..250), (2, 250..300), (3, 300..301)] {
        write(&engine, points.clone());
        let made = backups.take(&engine, at(&format!("2024-02-0{day}T03:00:00Z"))).expect("makes one");
        assert_eq!((made.checked_points, made.dropped), (Some(points.end as u64), usize::from(day > 2)));
        assert_eq!(made.bytes, std::fs::metadata(&made.path).expect("it is there").len());
        assert_eq!(made.time, at(&format!("2024-02-0{day}T03:00:00Z")));
    }
    assert_eq!(
        names(&copies),
        [
            "metrics-2024.duckdb",
            "metrics-20240101T000000Z.txt",
            "metrics-20240202T030000Z.duckdb",
            "metrics-20240203T030000Z.duckdb",
            "metrics.backups.lock",
            "other-20240101T000000Z.duckdb"
        ]
    );
    let times: Vec<Timestamp> = backups.list().expect("reads").into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [at("2024-02-02T03:00:00Z"), at("2024-02-03T03:00:00Z")]);
    let copy = Engine::open(copies.join("metrics-20240202T030000Z.duckdb")).expect("a backup is a store");
    let series = copy.series(Some("load"), &[]);
    assert_eq!((series[0].count, series[0].last_value), (300, 299.0));
}

#[test]
fn what_cannot_be_made_drops_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let engine = store(&folder, Options::default());
    let copies = folder.path().join("copies");
    let backups = BackupFolder::open(&copies, engine.path(), keep(1)).expect("takes the folder");
    write(&engine, 0..10);
    let made = backups.take(&engine, at("2024-02-01T00:00:00Z")).expect("makes one");
    assert!(matches!(backups.take(&engine, at("2024-02-01T00:00:00.9Z")), Err(BackupError::Exists { .. })));
    engine.clone().close().expect("closes");
    assert!(matches!(backups.take(&engine, at("2024-02-02T00:00:00Z")), Err(BackupError::Store(_))));
    assert_eq!(backups.list().expect("reads"), [(at("2024-02-01T00:00:00Z"), made.path)]);
    assert_eq!(names(&copies), ["metrics-20240201T000000Z.duckdb", "metrics.backups.lock"]);
}

#[test]
fn a_folder_has_one_owner_who_removes_what_a_killed_one_left() {
    let folder = TempDir::new().expect("a temporary folder");
    let copies = folder.path().join("copies");
    std::fs::create_dir(&copies).expect("a folder");
    for left in ["", ".partial", ".wal", ".lock"] {
        let name = format!("metrics-20240201T000000Z.duckdb.unproven{left}");
        std::fs::write(copies.join(name), "half").expect("writes");
    }
    std::fs::write(copies.join("notes.unproven"), "mine").expect("writes");
    let store = folder.path().join("metrics.duckdb");
    let first = BackupFolder::open(&copies, &store, keep(1)).expect("takes the folder");
    assert_eq!(names(&copies), ["metrics.backups.lock", "notes.unproven"]);
    assert!(matches!(BackupFolder::open(&copies, &store, keep(1)), Err(BackupError::Owned { .. })));
    let other = folder.path().join("other.duckdb");
    assert!(BackupFolder::open(&copies, &other, keep(1)).is_ok(), "another store's have other names");
    drop(first);
    assert!(BackupFolder::open(&copies, &store, keep(1)).is_ok());
}

#[test]
fn a_store_open_for_sql_is_backed_up_into_its_folder_and_statements_do_not_get_there() {
    let folder = TempDir::new().expect("a temporary folder");
    let copies = folder.path().join("copies of 'mine'");
    let options = Options { sql: true, backup_directory: Some(copies.clone()), ..Options::default() };
    let engine = store(&folder, options);
    let backups = BackupFolder::open(&copies, engine.path(), keep(1)).expect("takes the folder").checked(true);
    write(&engine, 0..10);
    let made = backups.take(&engine, at("2024-02-01T00:00:00Z")).expect("makes one");
    assert_eq!(made.checked_points, Some(10));
    let error = engine.backup(folder.path().join("copy.duckdb")).expect_err("elsewhere").to_string();
    assert!(error.contains("opened for SQL"), "{error}");
    let secret = copies.join("secret.csv");
    std::fs::write(&secret, "canary").expect("writes");
    for escape in ESCAPES.lines().filter(|line| line.contains("{secret}") && !line.starts_with('#')) {
        let sql = escape.replace("{secret}", &secret.display().to_string().replace('\'', "''")).replace("\\n", "\n");
        assert!(engine.sql(&sql, &SqlLimits::default()).is_err(), "{sql}");
    }
    assert_eq!(names(&copies).len(), 3, "nothing was written there: {:?}", names(&copies));
}
