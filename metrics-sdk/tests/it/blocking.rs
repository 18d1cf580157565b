//! The blocking client and writer: no runtime in sight.

use std::time::Duration;

use metrics_sdk::{Batch, ClientError, ExportSelection, MetricName, Spill, SqlFormat, blocking};
use tokio::runtime::Runtime;

use crate::server::{Answer, Server};
use crate::store::{Mood, Store, point, quick, values};

/// A server on a runtime of its own, as if in another process.
fn store(mood: Mood) -> (Runtime, Store) {
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(Store::start(mood));
    (runtime, store)
}

#[test]
fn a_plain_program_writes_and_is_told_what_became_of_it() {
    let (_runtime, store) = store(Mood::Well);
    let client = blocking::Client::build(store.builder()).expect("a client");
    let receipt = client.write(&(0..3).map(point).collect::<Batch>()).expect("stored");
    assert_eq!(receipt.points, 3);
    let writer = client.start(client.writer().max_points(10).buffer_points(40)).expect("a writer");
    for number in 3..200 {
        writer.push(point(number)).expect("taken");
    }
    writer.push_batch((200..300).map(point).collect()).expect("taken");
    let report = writer.close();
    assert_eq!((report.counters.delivered, report.is_complete()), (297, true));
    assert_eq!(store.sorted(), values(300));
}

#[test]
fn a_dropped_writer_delivers_before_the_program_goes_on() {
    let (_runtime, store) = store(Mood::Well);
    let client = blocking::Client::build(store.builder()).expect("a client");
    let writer = client.start_writer().expect("a writer");
    drop(client);
    writer.push(point(0)).expect("taken");
    drop(writer);
    assert_eq!(store.sorted(), values(1));
}

#[test]
fn a_durable_point_is_on_the_disk_when_its_call_returns() {
    let (_runtime, store) = store(Mood::Busy);
    let folder = tempfile::tempdir().expect("a folder");
    let client = blocking::Client::build(store.builder()).expect("a client");
    let spill = Spill::in_folder(folder.path()).durable(true);
    let writer = client.start(client.writer().retry(quick()).spill(spill)).expect("a writer");
    writer.push(point(0)).expect("synced");
    assert_eq!((writer.counters().spilled, writer.counters().buffered), (1, 0));
    assert_eq!(writer.close().counters.spilled, 1);
}

#[test]
fn a_plain_program_takes_an_export_part_by_part_and_asks_in_sql() {
    let runtime = Runtime::new().expect("a runtime");
    let answers = [Answer::of(200, "PAR1 and so on"), Answer::of(200, "PAR1 again"), Answer::of(200, "n\n3\n")];
    let server = runtime.block_on(Server::start(answers));
    let client = blocking::Client::build(server.builder()).expect("a client");
    let mut selection = ExportSelection::default();
    selection.names = vec![MetricName::new("cpu").expect("valid")];

    // The parts may go to what is not to leave this thread.
    let taken = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let into = std::rc::Rc::clone(&taken);
    let each = move |part: &[u8]| {
        into.borrow_mut().extend_from_slice(part);
        Ok(())
    };
    assert_eq!(client.export_parquet(&selection, each).expect("downloaded"), 14);
    assert_eq!(taken.borrow().as_slice(), b"PAR1 and so on");
    let full = |_: &[u8]| Err(std::io::Error::other("the disk is full"));
    let error = client.export_parquet(&selection, full).expect_err("nobody takes it");
    assert!(matches!(&error, ClientError::Interrupted { reason, .. } if reason == "the disk is full"), "{error:?}");
    assert_eq!(client.sql("SELECT 3 AS n", SqlFormat::Csv).expect("answered"), "n\n3\n");

    let asked = server.asked();
    assert_eq!(asked[0].target, "/v1/export.parquet?name=cpu");
    assert_eq!((asked[2].target.as_str(), &asked[2].body[..]), ("/v1/sql", &b"SELECT 3 AS n"[..]));
}

#[tokio::test]
async fn asynchronous_code_may_use_it_too() {
    let (runtime, store) = tokio::task::spawn_blocking(|| store(Mood::Well)).await.expect("no panic");
    let client = blocking::Client::build(store.builder().timeout(Duration::from_secs(5))).expect("a client");
    assert_eq!(client.write(&point(0).into()).expect("stored").points, 1);
    drop(client);
    runtime.shutdown_background();
}
