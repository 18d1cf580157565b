//! The writer without a disk: batches, retries, a full buffer, the end.

use std::time::Duration;

use metrics_sdk::{Batch, WhenFull, WriterBuilder, WriterError};
use tokio::time::Instant;

use crate::store::{Mood, Store, named, point, quick, values};

const LONG: Duration = Duration::from_secs(3_600);

/// A writer of small batches that are sent when they are full.
fn by_count(store: &Store, points: usize) -> WriterBuilder {
    store.client().writer().max_points(points).max_age(LONG).retry(quick())
}

#[tokio::test]
async fn points_are_sent_in_batches_of_the_size_asked_for_and_the_rest_at_the_end() {
    let store = Store::start(Mood::Well).await;
    let writer = by_count(&store, 100).start().expect("a writer");
    for number in 0..250 {
        writer.push(point(number)).await.expect("taken");
    }
    let report = writer.close().await;
    assert_eq!((report.counters.handed, report.counters.delivered, report.counters.buffered), (250, 250, 0));
    assert!(report.is_complete(), "{report}");
    assert_eq!(store.kept(|kept| kept.batches.clone()), [100, 100, 50]);
    assert_eq!(store.kept(|kept| kept.values.clone()), values(250), "in order");
    assert_eq!(writer.push(point(0)).await, Err(WriterError::Closed));
    assert_eq!(writer.close().await, report, "closed twice");
}

#[tokio::test]
async fn a_batch_is_sent_when_it_is_old_enough() {
    let store = Store::start(Mood::Well).await;
    let writer = store.client().writer().max_age(Duration::from_millis(20)).start().expect("a writer");
    writer.push(point(0)).await.expect("taken");
    store.requests(1).await;
    assert_eq!(store.kept(|kept| kept.batches.clone()), [1]);
}

#[tokio::test]
async fn a_batch_has_no_more_bytes_than_asked_for() {
    let store = Store::start(Mood::Well).await;
    let writer = store.client().writer().max_bytes(64 << 10).max_age(LONG).start().expect("a writer");
    let batch: Batch = (0..2_000).map(point).collect();
    writer.push_batch(batch).await.expect("taken");
    assert!(writer.close().await.is_complete());
    let batches = store.kept(|kept| kept.batches.clone());
    assert!(batches.len() > 2 && batches.iter().all(|points| *points < 700), "{batches:?}");
    assert_eq!(store.kept(|kept| (kept.values.clone(), kept.gzipped)), (values(2_000), batches.len()));
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_is_stored_once() {
    let store = Store::start(Mood::Losing).await;
    let writer = by_count(&store, 10).start().expect("a writer");
    for number in 0..30 {
        writer.push(point(number)).await.expect("taken");
    }
    store.requests(3).await;
    store.set(Mood::Well);
    let report = writer.close().await;
    assert_eq!(report.counters.delivered, 30);
    assert_eq!(report.counters.replayed, 10, "the first batch was stored by an attempt that got no answer");
    assert!(report.counters.retries >= 2, "{report:?}");
    assert_eq!(store.sorted(), values(30));
}

#[tokio::test]
async fn what_the_server_refuses_is_reported_in_its_words_and_the_rest_goes_on() {
    let store = Store::start(Mood::Strict).await;
    let writer = by_count(&store, 2).start().expect("a writer");
    for (number, name) in ["number", "number", "number", "wrong", "number", "number"].into_iter().enumerate() {
        writer.push(named(name, number)).await.expect("taken");
    }
    let report = writer.flush().await;
    assert_eq!((report.counters.delivered, report.counters.rejected), (4, 2));
    assert_eq!(report.rejections[0].message, "the server answered 400: index 0: wrong is wrong");
    assert_eq!((report.rejections.len(), report.rejections[0].points), (1, 2));
    assert!(!report.is_complete());
    assert_eq!(store.kept(|kept| (kept.values.clone(), kept.requests)), (vec![0.0, 1.0, 4.0, 5.0], 3));
}

#[tokio::test]
async fn values_that_no_server_takes_are_refused_before_they_are_sent() {
    let store = Store::start(Mood::Well).await;
    let writer = by_count(&store, 2).start().expect("a writer");
    let mut batch: Batch = (0..3).map(point).collect();
    let series = batch.samples()[0].series;
    batch.push_any(series, metrics_sdk::Timestamp::EPOCH, f64::INFINITY);
    let refused = WriterError::NotFinite { index: 3, value: f64::INFINITY };
    assert_eq!(writer.push_batch(batch.clone()).await, Err(refused.clone()));
    assert_eq!(writer.try_push_batch(batch), Err(refused));
    assert_eq!(writer.counters().handed, 0);
}

fn tight(store: &Store, when_full: WhenFull) -> WriterBuilder {
    by_count(store, 10).buffer_points(40).when_full(when_full)
}

#[tokio::test]
async fn a_full_buffer_refuses_where_that_is_asked_for() {
    let store = Store::start(Mood::Busy).await;
    let writer = tight(&store, WhenFull::Error).start().expect("a writer");
    for number in 0..40 {
        writer.push(point(number)).await.expect("taken");
    }
    assert_eq!(writer.push(point(40)).await, Err(WriterError::Full { points: 40 }));
    let batch: Batch = (40..45).map(point).collect();
    assert_eq!(writer.push_batch(batch).await, Err(WriterError::Full { points: 40 }));
    store.set(Mood::Well);
    assert!(writer.close().await.is_complete());
    assert_eq!(store.sorted(), values(40));
}

#[tokio::test]
async fn a_full_buffer_drops_its_oldest_batches_where_that_is_asked_for() {
    let store = Store::start(Mood::Busy).await;
    let writer = tight(&store, WhenFull::DropOldest).start().expect("a writer");
    let batch: Batch = (0..500).map(point).collect();
    writer.push_batch(batch).await.expect("taken");
    assert!(writer.counters().buffered <= 40);
    store.set(Mood::Well);
    let report = writer.close().await;
    let [delivered, dropped] = [report.counters.delivered, report.counters.dropped];
    assert_eq!((report.counters.handed, delivered + dropped), (500, 500));
    let kept = store.sorted();
    assert_eq!(kept.len() as u64, delivered);
    assert!((20..=40).contains(&kept.len()), "{}", kept.len());
    assert!(kept.contains(&499.0), "the newest are kept");
}

#[tokio::test]
async fn a_full_buffer_waits_where_that_is_asked_for_and_nothing_is_lost() {
    let store = Store::start(Mood::Busy).await;
    let writer = tight(&store, WhenFull::Wait).start().expect("a writer");
    let batch: Batch = (0..500).map(point).collect();
    let pushing = tokio::spawn({
        let writer = writer.clone();
        async move { writer.push_batch(batch).await }
    });
    store.requests(3).await;
    assert!(!pushing.is_finished() && writer.counters().buffered == 40);
    assert_eq!(writer.try_push(point(500)), Err(WriterError::Full { points: 40 }), "this one never waits");
    store.set(Mood::Well);
    pushing.await.expect("no panic").expect("taken");
    assert!(writer.close().await.is_complete());
    assert_eq!(store.kept(|kept| kept.values.clone()), values(500), "in order");
}

#[tokio::test]
async fn the_servers_wish_to_wait_is_honoured() {
    let store = Store::start(Mood::BusyForASecond).await;
    let writer = by_count(&store, 1).start().expect("a writer");
    let begun = Instant::now();
    writer.push(point(0)).await.expect("taken");
    store.requests(1).await;
    store.set(Mood::Well);
    assert!(writer.flush().await.is_complete());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(store.kept(|kept| kept.requests), 2);
}

#[tokio::test]
async fn without_a_disk_a_server_that_stays_away_costs_the_points_and_the_report_says_so() {
    let store = Store::start(Mood::Busy).await;
    let writer = by_count(&store, 10).give_up_after(Duration::from_millis(60)).start().expect("a writer");
    writer.push_batch((0..25).map(point).collect()).await.expect("taken");
    let report = writer.close().await;
    assert_eq!((report.counters.delivered, report.counters.dropped, report.counters.buffered), (0, 25, 0));
    assert_eq!(report.last_error.as_deref(), Some("the server answered 503: the write queue is full"));
    assert!(report.to_string().contains("25 dropped"), "{report}");
}

#[tokio::test]
async fn a_dropped_writer_sends_what_it_has() {
    let store = Store::start(Mood::Well).await;
    let writer = by_count(&store, 10).start().expect("a writer");
    writer.push(point(0)).await.expect("taken");
    drop(writer);
    store.requests(1).await;
    assert_eq!(store.sorted(), values(1));
}

#[tokio::test]
async fn settings_outside_their_range_are_named() {
    let store = Store::start(Mood::Well).await;
    let writer = || store.client().writer();
    for (settings, expected) in [
        (writer().max_points(0), "max_points is 0: 1 to 100000 is required"),
        (writer().max_bytes(1), "max_bytes is 1: 65536 to 8388608 is required"),
        (writer().buffer_points(19_999), "buffer_points is 19999: 20000 to 18446744073709551615 is required"),
    ] {
        assert_eq!(settings.start().expect_err(expected).to_string(), expected);
    }
}

#[test]
fn a_writer_outside_of_a_runtime_says_what_would_help() {
    let client = metrics_sdk::Client::new("http://localhost").expect("valid");
    let error = client.writer().start().expect_err("no runtime");
    assert_eq!(error, WriterError::NoRuntime);
    assert!(error.to_string().contains("metrics_sdk::blocking"), "{error}");
}
