//! Writing: the bounds and their refusals, keys, closing, and what others see meanwhile.

use metrics_core::{
    Aggregate, Batch, Engine, Fill, IdempotencyKey, Labels, MetricName, Options, Per, Point, QueryError, QueryRequest,
    Resolution, SeriesKey, Timestamp, WriteError,
};
use tempfile::TempDir;

fn open(options: Options) -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens");
    (folder, engine)
}

fn point(name: &str, micros: i64, value: f64) -> Point {
    Point::new(name, Timestamp::clamped(micros), value).expect("a point")
}

fn points(name: &str, count: i64) -> Batch {
    (0..count).map(|at| point(name, at, 1.0)).collect()
}

fn all(name: &str, aggregate: Aggregate) -> QueryRequest {
    let mut request = QueryRequest::new([name], Timestamp::EPOCH, Timestamp::clamped(3_600_000_000)).expect("a name");
    (request.per, request.aggregates) = (Per::Every(Resolution::Hour), vec![aggregate]);
    request
}

/// How many points of a metric a query finds.
fn count(engine: &Engine, name: &str) -> f64 {
    let frame = engine.query(&all(name, Aggregate::Count)).expect("answers");
    frame.series.first().map_or(0.0, |series| series.column(Aggregate::Count).expect("asked for")[0].expect("a count"))
}

#[test]
fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let (_folder, engine) = open(Options { queue_points: 1_000, ..Options::default() });
    let mut tickets = Vec::new();
    // A commit waits for the disk, so a queue of ten batches is full long before this ends.
    let refusal = (0..1_000_000).find_map(|_| match engine.try_write(points("load", 100)) {
        Ok(ticket) => {
            tickets.push(ticket);
            None
        }
        Err(error) => Some(error),
    });
    let refusal = refusal.expect("the queue is bounded");
    assert!(matches!(refusal, WriteError::QueueFull { limit: 1_000 }), "{refusal:?}");
    assert!(refusal.to_string().contains("1000") || refusal.to_string().contains("1,000"), "{refusal}");
    let taken = tickets.len() as u64;
    let stored: u64 = tickets.into_iter().map(|ticket| ticket.wait().expect("commits").points).sum();
    assert_eq!(stored, taken * 100);
    assert_eq!(count(&engine, "load"), stored as f64);
    let again = engine.try_write(points("load", 100)).expect("there is room again");
    assert_eq!(again.wait().expect("commits").points, 100);
}

#[test]
fn a_write_that_may_wait_waits_for_room_instead() {
    let (_folder, engine) = open(Options { queue_points: 100, ..Options::default() });
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let engine = engine.clone();
            scope.spawn(move || {
                let name = format!("writer {writer}");
                let tickets: Vec<_> =
                    (0..50).map(|_| engine.write(points(&name, 30)).expect("waits for room")).collect();
                tickets.into_iter().for_each(|ticket| assert_eq!(ticket.wait().expect("commits").points, 30));
            });
        }
    });
    assert_eq!((0..4).map(|writer| count(&engine, &format!("writer {writer}"))).sum::<f64>(), 6_000.0);
}

#[test]
fn a_batch_over_its_bound_is_refused_whole() {
    let (_folder, engine) = open(Options { batch_points: 10, ..Options::default() });
    for result in [engine.write(points("load", 11)), engine.try_write(points("load", 11))] {
        let error = result.expect_err("over the bound");
        assert!(matches!(error, WriteError::TooLarge { points: 11, limit: 10 }), "{error:?}");
    }
    assert_eq!(engine.write(points("load", 10)).expect("at the bound").wait().expect("commits").points, 10);
    assert_eq!(count(&engine, "load"), 10.0);
}

#[test]
fn an_empty_batch_is_answered_with_no_points() {
    let (_folder, engine) = open(Options::default());
    assert_eq!(engine.write(Batch::new()).expect("takes a batch").wait().expect("commits").points, 0);
    assert_eq!((engine.stats().points, engine.metric_names()), (0, vec![]));
}

/// What a write comes to, whether it is refused at the door or by the writer.
fn outcome(engine: &Engine, batch: impl Into<Batch>) -> Result<u64, WriteError> {
    engine.write(batch).and_then(|ticket| ticket.wait()).map(|receipt| receipt.points)
}

#[test]
fn a_series_over_the_limit_is_refused_with_its_whole_batch_and_known_series_go_on() {
    let (folder, engine) = open(Options { max_series: 3, ..Options::default() });
    for name in ["a", "b", "c"] {
        assert_eq!(outcome(&engine, point(name, 0, 1.0)).expect("under the limit"), 1);
    }
    let mixed: Batch = [point("a", 1, 2.0), point("d", 1, 2.0)].into_iter().collect();
    let error = outcome(&engine, mixed).expect_err("over the limit");
    assert!(matches!(error, WriteError::SeriesLimit { limit: 3, .. }), "{error:?}");
    assert_eq!((engine.stats().points, count(&engine, "a"), count(&engine, "d")), (3, 1.0, 0.0));
    assert_eq!(outcome(&engine, point("a", 1, 2.0)).expect("a known series"), 1);
    engine.close().expect("closes");
    let options = Options { max_series: 3, ..Options::default() };
    let engine = Engine::open_with(folder.path().join("m.duckdb"), options).expect("opens again");
    let error = outcome(&engine, point("d", 1, 2.0)).expect_err("still over the limit");
    assert!(matches!(error, WriteError::SeriesLimit { limit: 3, .. }), "{error:?}");
    let names: Vec<String> = engine.metric_names().iter().map(ToString::to_string).collect();
    assert_eq!((names, count(&engine, "a")), (["a", "b", "c"].map(str::to_owned).to_vec(), 2.0));
}

#[test]
fn the_second_write_with_a_key_changes_nothing_and_gets_the_first_ones_receipt() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let key = || IdempotencyKey::new("order-7").expect("a key");
    let send = |engine: &Engine, count: i64, key: IdempotencyKey| {
        let receipt =
            engine.try_write_keyed(points("load", count), key).expect("takes a batch").wait().expect("commits");
        (receipt.points, receipt.replayed)
    };
    let engine = Engine::open(&path).expect("opens");
    assert_eq!(send(&engine, 5, key()), (5, false));
    assert_eq!(send(&engine, 8, key()), (5, true));
    assert_eq!(send(&engine, 3, IdempotencyKey::new("order-8").expect("a key")), (3, false));
    engine.close().expect("closes");
    let engine = Engine::open(&path).expect("opens again");
    assert_eq!(send(&engine, 8, key()), (5, true));
    assert_eq!(count(&engine, "load"), 8.0);
}

#[test]
fn of_many_writes_with_one_key_at_the_same_time_one_counts() {
    let (_folder, engine) = open(Options::default());
    let key = || IdempotencyKey::new("the-same").expect("a key");
    let tickets: Vec<_> =
        (0..20).map(|_| engine.try_write_keyed(points("load", 4), key()).expect("takes a batch")).collect();
    let receipts: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().expect("commits")).collect();
    assert_eq!(receipts.iter().filter(|receipt| !receipt.replayed).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.points == 4), "{receipts:?}");
    assert_eq!(count(&engine, "load"), 4.0);
}

#[test]
fn keys_outside_their_bounds_are_refused() {
    assert!(IdempotencyKey::new(&"k".repeat(128)).is_ok());
    for text in [String::new(), "k".repeat(129)] {
        assert!(IdempotencyKey::new(&text).is_err(), "{} bytes", text.len());
    }
}

#[test]
fn a_closed_engine_refuses_writes_and_queries() {
    let (_folder, engine) = open(Options::default());
    let clone = engine.clone();
    let accepted = engine.write(points("load", 7)).expect("takes a batch");
    engine.close().expect("closes");
    assert_eq!(accepted.wait().expect("closing drains the queue").points, 7);
    let key = IdempotencyKey::new("late").expect("a key");
    for result in [
        clone.write(points("load", 1)),
        clone.try_write(points("load", 1)),
        clone.try_write_keyed(points("load", 1), key),
    ] {
        let error = result.expect_err("is closed");
        assert!(matches!(error, WriteError::Closed), "{error:?}");
    }
    let error = clone.query(&all("load", Aggregate::Count)).expect_err("is closed");
    assert!(matches!(error, QueryError::Closed), "{error:?}");
}

#[test]
fn a_ticket_can_be_awaited_and_a_dropped_one_changes_nothing() {
    let (_folder, engine) = open(Options::default());
    drop(engine.write(points("load", 2)).expect("takes a batch"));
    let receipt = futures_executor::block_on(engine.write(points("load", 3)).expect("takes a batch"));
    assert_eq!(receipt.expect("commits").points, 3);
    assert_eq!(count(&engine, "load"), 5.0);
}

#[test]
fn a_query_sees_batches_whole_while_others_write() {
    query_while_others_write(|_, _| {});
}

#[test]
fn a_query_sees_batches_whole_while_others_write_and_compact() {
    query_while_others_write(|engine, round| {
        if round % 40 == 39 {
            engine.compact().expect("compacts");
        }
    });
}

/// Two threads write batches of ten points, and after each do something else, while this one counts.
fn query_while_others_write(after_round: impl Fn(&Engine, i64) + Sync) {
    let (_folder, engine) = open(Options { head_points: 200, ..Options::default() });
    let batch = |writer: i64, round: i64| -> Batch {
        let key = |host: i64| {
            let labels = Labels::new([("host", host.to_string())]).expect("labels");
            SeriesKey::new(MetricName::new("load").expect("a name"), labels)
        };
        // A second later each round, in both halves of the hour.
        let at = |host: i64| Timestamp::clamped(round * 1_000_000 + (host % 2) * 1_800_000_000 + writer);
        (0..10).map(|host| Point::of(key(host), at(host), 1.0).expect("a point")).collect()
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (engine, batch, after_round) = (engine.clone(), &batch, &after_round);
                scope.spawn(move || {
                    for round in 0..150 {
                        engine.write(batch(writer, round)).expect("takes a batch").wait().expect("commits");
                        after_round(&engine, round);
                    }
                })
            })
            .collect();
        let mut seen = 0.0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            let now = count(&engine, "load");
            assert!(now >= seen && now % 10.0 == 0.0, "{now} points after {seen}");
            seen = now;
        }
    });
    assert_eq!(count(&engine, "load"), 3_000.0);
    assert_eq!(engine.series(Some("load"), &[]).iter().map(|info| info.count).collect::<Vec<_>>(), [300; 10]);
}

#[test]
fn an_answer_over_its_bounds_is_refused_with_the_bound() {
    let (_folder, engine) = open(Options { max_raw_rows: 10, max_cells: 20, ..Options::default() });
    let seconds: Batch = (0..30).map(|second| point("load", second * 1_000_000, 1.0)).collect();
    engine.write(seconds).expect("takes a batch").wait().expect("commits");
    let refusal = |per: Per, fill: Fill, seconds: i64| {
        let mut request = all("load", Aggregate::Median);
        (request.per, request.fill) = (per, fill);
        request.to = Timestamp::clamped(seconds * 1_000_000);
        engine.query(&request).map(|frame| frame.series[0].time.len())
    };
    let seconds = Per::Every(Resolution::fixed_micros(1_000_000).expect("positive"));
    for compacted in [false, true] {
        if compacted {
            engine.compact().expect("compacts");
        }
        assert_eq!(refusal(Per::Raw, Fill::None, 10).expect("at the bound"), 10);
        let rows = refusal(Per::Raw, Fill::None, 11).expect_err("over the bound");
        assert!(matches!(rows, QueryError::TooManyRows { limit: 10 }), "{rows:?}");
        let rows = refusal(seconds, Fill::None, 11).expect_err("over the bound");
        assert!(matches!(rows, QueryError::TooManyRows { limit: 10 }), "{rows:?}");
        let windows = refusal(seconds, Fill::Zero, 21).expect_err("over the bound");
        assert!(matches!(windows, QueryError::TooManyWindows { windows: 21, limit: 20 }), "{windows:?}");
    }
}
