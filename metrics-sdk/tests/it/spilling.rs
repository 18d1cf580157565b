//! The writer with a disk: what was handed over survives the server's absence and the program's end.

use std::fs;
use std::path::Path;
use std::time::Duration;

use metrics_sdk::{Batch, Spill, SpillError, WhenFull, Writer, WriterBuilder, WriterError};

use crate::store::{Mood, Store, point, quick, values};

/// A writer of batches of ten points.
fn settings(store: &Store, spill: Spill) -> WriterBuilder {
    store
        .client()
        .writer()
        .max_points(10)
        .buffer_points(40)
        .max_age(Duration::from_millis(50))
        .retry(quick())
        .spill(spill)
}

fn at_once(folder: &Path) -> Spill {
    Spill::in_folder(folder).after(Duration::ZERO)
}

fn batches(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "batch")).collect();
    paths.sort_unstable();
    paths
}

async fn push(writer: &Writer, numbers: std::ops::Range<usize>) {
    for number in numbers {
        writer.push(point(number)).await.expect("taken");
    }
}

#[tokio::test]
async fn what_the_server_does_not_take_is_delivered_by_the_next_writer_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Busy).await;
    let writer = settings(&store, at_once(folder.path())).start().expect("a writer");
    // More than fits into the memory.
    push(&writer, 0..205).await;
    let report = writer.close().await;
    assert_eq!((report.counters.delivered, report.counters.spilled, report.counters.dropped), (0, 205, 0));
    assert!(report.to_string().contains("205 spilled"), "{report}");
    assert!(batches(folder.path()).len() >= 21);

    store.set(Mood::Well);
    let writer = settings(&store, at_once(folder.path())).start().expect("the folder is free");
    assert_eq!(writer.counters().spilled, 205);
    let report = writer.flush().await;
    assert_eq!((report.counters.handed, report.counters.delivered, report.counters.spilled), (0, 205, 0));
    assert_eq!(store.kept(|kept| kept.values.clone()), values(205), "in order, each once");
    assert_eq!(batches(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_batch_that_was_stored_without_an_answer_is_not_stored_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Losing).await;
    let writer = settings(&store, at_once(folder.path())).start().expect("a writer");
    push(&writer, 0..35).await;
    writer.close().await;
    assert_eq!(store.kept(|kept| kept.batches.len()), 1, "the server has the first batch, unknown to the writer");
    store.set(Mood::Well);
    let report = settings(&store, at_once(folder.path())).start().expect("a writer").close().await;
    assert_eq!((report.counters.delivered, report.counters.replayed), (35, 10));
    assert_eq!(store.sorted(), values(35));
}

#[tokio::test]
async fn a_server_that_comes_back_gets_what_was_spilled_and_what_came_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Busy).await;
    let writer = settings(&store, at_once(folder.path())).start().expect("a writer");
    push(&writer, 0..100).await;
    store.requests(4).await;
    store.set(Mood::Well);
    push(&writer, 100..200).await;
    let report = writer.close().await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(store.sorted(), values(200));
    assert_eq!(batches(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_durable_point_is_on_the_disk_when_its_call_returns() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Hanging).await;
    let spill = || Spill::in_folder(folder.path()).durable(true);
    let writer = settings(&store, spill()).start().expect("a writer");
    writer.push(point(0)).await.expect("synced");
    assert_eq!((batches(folder.path()).len(), writer.counters().spilled), (1, 1));
    writer.push_batch((1..35).map(point).collect()).await.expect("synced");
    assert_eq!((writer.counters().spilled, writer.counters().buffered), (35, 0));
    // Another process finds them, as after a crash of this one.
    let copy = tempfile::tempdir().expect("a folder");
    for path in batches(folder.path()) {
        fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    let well = Store::start(Mood::Well).await;
    let report = settings(&well, Spill::in_folder(copy.path())).start().expect("a writer").close().await;
    assert_eq!((report.counters.delivered, report.is_complete()), (35, true), "{report}");
    assert_eq!(well.sorted(), values(35));
}

#[tokio::test]
async fn durable_points_handed_over_at_once_share_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Well).await;
    let writer = settings(&store, Spill::in_folder(folder.path()).durable(true));
    let writer = writer.max_points(1_000).buffer_points(4_000).start().expect("a writer");
    let pushes: Vec<_> = (0..300)
        .map(|number| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.push(point(number)).await })
        })
        .collect();
    for push in pushes {
        push.await.expect("no panic").expect("synced");
    }
    assert!(writer.close().await.is_complete());
    assert_eq!(store.sorted(), values(300));
    let batches = store.kept(|kept| kept.batches.len());
    assert!(batches < 150, "{batches} files for 300 points");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_the_others_are_delivered() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Busy).await;
    let writer = settings(&store, at_once(folder.path())).start().expect("a writer");
    push(&writer, 0..30).await;
    writer.close().await;
    let files = batches(folder.path());
    let mut bytes = fs::read(&files[1]).expect("a batch");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&files[1], bytes).expect("written");

    store.set(Mood::Well);
    let report = settings(&store, at_once(folder.path())).start().expect("a writer").close().await;
    assert_eq!(report.counters.delivered + report.counters.set_aside, 30);
    assert!(report.counters.set_aside >= 1 && !report.is_complete());
    assert!(report.last_error.as_deref().is_some_and(|error| error.contains("damaged")), "{report:?}");
    assert!(folder.path().join("set-aside").join("00000000000000000001.damaged").exists());
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Well).await;
    let first = settings(&store, at_once(folder.path())).start().expect("a writer");
    let error = settings(&store, at_once(folder.path())).start().expect_err("in use");
    assert_eq!(error, WriterError::Spill(SpillError::Locked { folder: folder.path().to_owned() }));
    first.close().await;
}

#[tokio::test]
async fn a_full_disk_drops_the_oldest_or_refuses_as_the_buffer_does() {
    let store = Store::start(Mood::Busy).await;
    for (when_full, all) in [(WhenFull::DropOldest, true), (WhenFull::Error, false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let spill = at_once(folder.path()).max_bytes(4_000);
        let writer = settings(&store, spill).when_full(when_full).start().expect("a writer");
        let mut refused = 0;
        for number in 0..400 {
            if number % 10 == 0 {
                // Batches reach the disk while the points come.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            refused += u64::from(writer.push(point(number)).await.is_err());
        }
        let report = writer.close().await;
        let counters = report.counters;
        assert!(counters.spilled > 0 && counters.spilled_bytes <= 4_000, "{report:?}");
        assert_eq!(counters.handed + refused, 400);
        assert_eq!(counters.spilled + counters.dropped, counters.handed, "{report:?}");
        assert_eq!(refused == 0, all, "{refused}");
    }
}

#[tokio::test]
async fn a_batch_that_is_refused_from_the_disk_is_reported_and_kept_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::start(Mood::Strict).await;
    let writer = settings(&store, Spill::in_folder(folder.path()).durable(true)).start().expect("a writer");
    let wrong: Batch = [crate::store::named("wrong", 0)].into_iter().collect();
    writer.push_batch(wrong).await.expect("synced");
    let report = writer.flush().await;
    assert_eq!((report.counters.rejected, report.counters.spilled), (1, 0));
    assert!(folder.path().join("set-aside").join("00000000000000000000.rejected").exists());
}
