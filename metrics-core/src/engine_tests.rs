//! What needs a hand inside: a store whose points cannot be moved into chunks.

use super::*;
use crate::model::Point;

fn write(engine: &Engine, points: i64) -> Result<u64, WriteError> {
    let point = |at| Point::new("m", Timestamp::clamped(at), 1.0).expect("valid");
    Ok(engine.write((0..points).map(point).collect::<Batch>())?.wait()?.points)
}

#[test]
fn points_that_cannot_be_moved_into_chunks_are_bounded_and_go_on_once_they_can() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { head_points: 100, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    let store = Arc::clone(engine.inner.store.read().as_ref().expect("open"));
    let connection = store.database.connect().expect("connects");
    // Tables that stand where the next chunks' are to be made.
    let obstacles: Vec<String> = (1..200).map(|id| format!("chunk_{id}_raw")).collect();
    let all = |verb: &str, tail: &str| obstacles.iter().map(|name| format!("{verb} {name}{tail};")).collect::<String>();
    connection.execute_batch(&all("CREATE TABLE", "(i INTEGER)")).expect("in the way");

    let mut stored = 0;
    let refused = loop {
        match write(&engine, 60) {
            Ok(points) => stored += points,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "memory grows without end");
    };
    assert!(matches!(refused, WriteError::Backlog { points } if points as u64 == stored), "{refused}");
    assert!((300..=420).contains(&stored), "{stored}");
    assert_eq!(engine.stats().points, stored, "what was answered is there");

    connection.execute_batch(&all("DROP TABLE", "")).expect("out of the way");
    assert_eq!(write(&engine, 60).expect("goes on"), 60);
    drop((connection, store));
    engine.compact().expect("compacts");
    assert_eq!((engine.stats().points, engine.stats().memory_points), (stored + 60, 0));
}
