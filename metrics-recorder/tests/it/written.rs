//! What is written of counters, gauges and histograms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::Unit;
use metrics_core::Batch;
use metrics_recorder::{Builder, Guard, Recorder, Sink, SinkError, SinkFn, builder};

type Batches = Arc<Mutex<Vec<Batch>>>;

/// A recorder that writes when it is told to.
fn start(builder: Builder) -> (Recorder, Guard, Batches) {
    let batches = Batches::default();
    let into = Arc::clone(&batches);
    let sink = SinkFn(move |batch| {
        into.lock().expect("not poisoned").push(batch);
        Ok(())
    });
    let (recorder, guard) = builder.interval(Duration::from_secs(3_600)).start(sink).expect("a thread");
    (recorder, guard, batches)
}

/// The last value of each series of the last batch.
fn last(batches: &Batches) -> BTreeMap<String, f64> {
    let batches = batches.lock().expect("not poisoned");
    batches.last().expect("a batch").points().map(|(series, _, value)| (series.to_string(), value)).collect()
}

#[test]
fn a_counter_is_cumulative_and_begins_with_zero() {
    let (recorder, guard, batches) = start(builder());
    metrics::with_local_recorder(&recorder, || {
        let orders = metrics::counter!("orders", "kind" => "book");
        orders.increment(2);
        guard.flush().expect("written");
        metrics::counter!("orders", "kind" => "book").increment(3);
        guard.flush().expect("written");
    });
    let batches = batches.lock().expect("not poisoned");
    let values = |at: usize| batches[at].points().map(|(_, _, value)| value).collect::<Vec<_>>();
    assert_eq!((values(0), values(1)), (vec![0.0, 2.0], vec![5.0]));
    let (series, born, _) = batches[0].points().next().expect("a point");
    assert_eq!(series.to_string(), r#"orders{kind="book"}"#);
    assert!(born < batches[0].samples()[1].timestamp);
    assert_eq!(guard.stats().points, 3);
}

#[test]
fn a_histogram_keeps_count_sum_extremes_and_quantiles_of_each_interval() {
    let (recorder, guard, batches) = start(builder().quantiles([0.5, 0.99]));
    metrics::with_local_recorder(&recorder, || {
        metrics::describe_histogram!("order_seconds", Unit::Seconds, "how long an order takes");
        let seconds = metrics::histogram!("order_seconds");
        (1..=100).for_each(|i| seconds.record(f64::from(i)));
        guard.flush().expect("written");
    });
    let first = last(&batches);
    let exact = [
        ("order_seconds_count", 100.0),
        (r#"order_seconds_sum{unit="seconds"}"#, 5_050.0),
        (r#"order_seconds_min{unit="seconds"}"#, 1.0),
        (r#"order_seconds_max{unit="seconds"}"#, 100.0),
    ];
    for (series, value) in exact {
        assert_eq!(first.get(series), Some(&value), "{series} in {first:?}");
    }
    for (share, value) in [("0.5", 50.5), ("0.99", 99.0)] {
        let found = first[&format!(r#"order_seconds{{quantile="{share}",unit="seconds"}}"#)];
        assert!((found - value).abs() <= value / 32.0, "{share}: {found}");
    }
    metrics::with_local_recorder(&recorder, || metrics::histogram!("order_seconds").record(7.0));
    guard.flush().expect("written");
    let second = last(&batches);
    assert_eq!(second["order_seconds_count"], 101.0);
    assert_eq!(second[r#"order_seconds_max{unit="seconds"}"#], 7.0, "of this interval");
    guard.flush().expect("written");
    let third = last(&batches);
    assert_eq!((third.len(), third["order_seconds_count"]), (2, 101.0), "without samples only the totals");
}

#[test]
fn labels_of_the_program_are_on_every_series_that_has_none_of_that_name() {
    let labelled = builder().label("service", "shop").and_then(|builder| builder.label("zone", "a")).expect("labels");
    let (recorder, guard, batches) = start(labelled);
    metrics::with_local_recorder(&recorder, || {
        metrics::gauge!("queue_depth").set(3.0);
        metrics::gauge!("queue_depth", "zone" => "b").set(4.0);
        let _ = metrics::gauge!("never_set");
    });
    guard.close().expect("written");
    let expected = [
        (r#"queue_depth{service="shop",zone="a"}"#.to_owned(), 3.0),
        (r#"queue_depth{service="shop",zone="b"}"#.to_owned(), 4.0),
    ];
    assert_eq!(last(&batches), BTreeMap::from(expected));
}

#[test]
fn metrics_beyond_the_bound_are_counted_and_cost_nothing() {
    let (recorder, guard, batches) = start(builder().max_metrics(10));
    metrics::with_local_recorder(&recorder, || {
        for number in 0..1_000 {
            metrics::counter!("requests", "user" => number.to_string()).increment(1);
        }
        metrics::counter!("requests", "user" => "3").increment(1);
    });
    guard.flush().expect("written");
    assert_eq!((guard.stats().metrics, guard.stats().refused), (10, 990));
    assert_eq!(last(&batches).len(), 10);
    assert_eq!(last(&batches)[r#"requests{user="3"}"#], 2.0, "those within it go on");
}

#[test]
fn what_no_store_takes_is_counted_and_the_rest_is_written() {
    let (recorder, guard, batches) = start(builder());
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("bad\nname").increment(1);
        metrics::gauge!("not_a_number").set(f64::NAN);
        metrics::gauge!("good").set(1.0);
    });
    guard.flush().expect("written");
    guard.flush().expect("written");
    assert_eq!(guard.stats().unfit, 1);
    assert_eq!(last(&batches), BTreeMap::from([("good".to_owned(), 1.0)]));
}

#[test]
fn a_guard_that_is_dropped_writes_what_is_left() {
    let (recorder, guard, batches) = start(builder());
    metrics::with_local_recorder(&recorder, || metrics::counter!("orders").increment(1));
    drop(guard);
    assert_eq!(last(&batches)["orders"], 1.0);
}

#[test]
fn intervals_pass_by_themselves_and_a_refusal_is_told_and_not_the_end() {
    let (send, receive) = std::sync::mpsc::channel();
    let mut is_first = true;
    let sink = SinkFn(move |batch: Batch| {
        if std::mem::take(&mut is_first) {
            return Err(SinkError::from("not now"));
        }
        Ok(send.send(batch.samples().last().expect("a point").value)?)
    });
    let (recorder, guard) = builder().interval(Duration::from_millis(10)).start(sink).expect("a thread");
    metrics::with_local_recorder(&recorder, || metrics::counter!("orders").increment(7));
    assert_eq!(receive.recv_timeout(Duration::from_secs(20)), Ok(7.0));
    assert_eq!(guard.stats().failures, 1);
}

#[test]
fn a_guard_and_a_recorder_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Guard>();
    shared::<Recorder>();
    shared::<Builder>();
}

#[test]
fn errors_can_be_handed_on_to_other_threads() {
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<metrics_recorder::BuildError>();
    error::<metrics_recorder::FlushError>();
    error::<metrics_recorder::LabelError>();
}

#[test]
fn a_sink_may_be_chosen_while_the_program_runs() {
    let (send, receive) = std::sync::mpsc::channel();
    let chosen: Box<dyn Sink> = Box::new(SinkFn(move |batch: Batch| Ok(send.send(batch.len())?)));
    let (recorder, guard) = builder().start(chosen).expect("a thread");
    metrics::with_local_recorder(&recorder, || metrics::counter!("orders").increment(1));
    guard.close().expect("written");
    assert_eq!(receive.recv(), Ok(2), "its first point and its value");
}
