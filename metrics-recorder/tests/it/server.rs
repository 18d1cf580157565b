//! Through the client: a server that is away costs no more than a refusal.

use std::time::Duration;

use metrics_recorder::builder;
use metrics_sdk::{Client, Spill, blocking};

#[test]
fn points_for_a_server_that_is_away_wait_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let settings = Client::builder(format!("http://{port}")).timeout(Duration::from_secs(2));
    let client = blocking::Client::build(settings).expect("a client");
    let writer = client.start(client.writer().spill(Spill::in_folder(folder.path()))).expect("a writer");
    let figures = writer.clone();
    let (recorder, guard) = builder().start(writer).expect("a thread");
    metrics::with_local_recorder(&recorder, || metrics::counter!("orders").increment(1));
    let error = guard.flush().expect_err("nobody is there");
    assert!(error.to_string().contains("2 spilled"), "{error}");
    assert_eq!((figures.counters().handed, figures.counters().spilled), (2, 2));
    assert_eq!(guard.stats().points, 2, "the writer has them");
}
