//! Into a store of the same program.

use metrics_core::{Aggregate, Engine, Per, QueryRequest, Timestamp};
use metrics_recorder::builder;

#[test]
fn what_a_program_counts_can_be_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(folder.path().join("metrics.duckdb")).expect("a store");
    let begun = Timestamp::now();
    let (recorder, guard) = builder().start(engine.clone()).expect("a thread");
    metrics::with_local_recorder(&recorder, || {
        let orders = metrics::counter!("orders");
        let seconds = metrics::histogram!("order_seconds");
        for number in 1..=20 {
            orders.increment(1);
            seconds.record(f64::from(number));
        }
    });
    guard.close().expect("written");

    let end = Timestamp::now().saturating_add_micros(1);
    let mut request = QueryRequest::new(["orders", "order_seconds_sum"], begun, end).expect("valid");
    request.per = Per::Every("1d".parse().expect("a day"));
    request.aggregates = vec![Aggregate::Increase];
    let frame = engine.query(&request).expect("an answer");
    let increase = |name: &str| -> f64 {
        let series = frame.series.iter().find(|series| series.name.as_str() == name).expect("it was written");
        series.column(Aggregate::Increase).expect("asked for").iter().flatten().sum()
    };
    assert_eq!((increase("orders"), increase("order_seconds_sum")), (20.0, 210.0), "{frame:?}");
    let latest: Vec<String> =
        engine.series(Some("order_seconds"), &[]).iter().map(|info| info.key.to_string()).collect();
    assert_eq!(latest.len(), 4, "{latest:?}");
    engine.close().expect("closed");
}
