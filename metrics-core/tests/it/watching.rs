//! Watches: who asks again for what they are told has everything.

use std::collections::BTreeMap;

use metrics_core::{
    Aggregate, Change, Engine, MetricName, Per, Point, QueryRequest, Resolution, Timestamp, WatchPosition,
};
use rand_like::Numbers;

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
mod rand_like {
    pub(super) struct Numbers(pub(super) u64);

    impl Numbers {
        pub(super) fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }
}

fn name() -> MetricName {
    MetricName::new("load").expect("valid")
}

/// Start and count of each hour of a span.
fn hours(engine: &Engine, from: Timestamp, to: Timestamp) -> BTreeMap<Timestamp, f64> {
    let mut request = QueryRequest::new(["load"], from, to).expect("valid");
    request.per = Per::Every(Resolution::Hour);
    request.aggregates = vec![Aggregate::Count];
    let frame = engine.query(&request).expect("answers");
    let series = frame.series.iter();
    series
        .flat_map(|series| {
            let counts =
                series.column(Aggregate::Count).expect("asked for").iter().map(|count| count.expect("counted"));
            series.time.iter().copied().zip(counts)
        })
        .collect()
}

/// Takes a change over into what was known of each hour.
fn take(engine: &Engine, change: Change, known: &mut BTreeMap<Timestamp, f64>) {
    let Change::Spans(spans) = change else { panic!("few changes are told by their spans") };
    for span in spans {
        let hour = |micros: i64| Timestamp::clamped(micros.div_euclid(3_600_000_000) * 3_600_000_000);
        let (from, to) = (hour(span.from.micros()), hour(span.to.micros() - 1 + 3_600_000_000));
        known.retain(|start, _| !(from..to).contains(start));
        known.extend(hours(engine, from, to));
    }
}

#[test]
fn who_asks_again_for_what_changed_knows_every_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::open(folder.path().join("metrics.duckdb")).expect("opens");
    let begin = Timestamp::parse("2024-02-02").expect("a date");
    let mut numbers = Numbers(7);
    let mut known = BTreeMap::new();
    let mut position: Option<WatchPosition> = None;
    let mut watch = engine.watch([name()], None);
    for round in 0..40 {
        for _ in 0..=numbers.below(4) {
            // Late ones too: any minute of five days.
            let at = begin.saturating_add_micros(numbers.below(5 * 1_440) as i64 * 60_000_000);
            engine.write(Point::new("load", at, 1.0).expect("valid")).expect("taken").wait().expect("stored");
        }
        if round % 10 == 9 {
            let from = begin.saturating_add_micros(numbers.below(100) as i64 * 3_600_000_000);
            engine.delete(&name(), &[], from, from.saturating_add_micros(5_400_000_000)).expect("deletes");
        }
        // Every third round a watch goes on where the one before stopped.
        if round % 3 == 2 {
            watch = engine.watch([name()], position);
        }
        take(&engine, watch.wait().expect("open"), &mut known);
        position = Some(watch.position());
    }
    let all = hours(&engine, begin, begin.saturating_add_micros(6 * 86_400_000_000));
    assert!(all.len() > 20);
    assert_eq!(known, all);
    engine.close().expect("closes");
    assert_eq!(watch.wait(), None);
}
