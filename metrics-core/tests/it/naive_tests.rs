//! The model itself against numbers worked out by hand.

use metrics_core::{
    Aggregate, Batch, Fill, Labels, MetricName, Order, Per, Point, QueryRequest, Resolution, SeriesKey, Timestamp,
};

use crate::naive::{Group, Model};

const SECOND: i64 = 1_000_000;

/// Points of hosts as (host, second, value).
fn model(points: &[(&str, i64, f64)]) -> Model {
    let batch: Batch = points
        .iter()
        .map(|(host, second, value)| {
            let labels = Labels::new([("host", host)]).expect("labels");
            let series = SeriesKey::new(MetricName::new("m").expect("a name"), labels);
            Point::of(series, Timestamp::clamped(second * SECOND), *value).expect("finite")
        })
        .collect();
    let mut model = Model::default();
    model.add(&batch);
    model
}

/// Ten-second windows of `[from, to)` seconds.
fn request(from: i64, to: i64, aggregates: &str) -> QueryRequest {
    let (from, to) = (Timestamp::clamped(from * SECOND), Timestamp::clamped(to * SECOND));
    let mut request = QueryRequest::new(["m"], from, to).expect("a name");
    request.per = Per::Every(Resolution::fixed_micros(10 * SECOND).expect("positive"));
    request.aggregates = Aggregate::parse_list(aggregates).expect("aggregates");
    request
}

/// Starts of the windows in seconds, and each column's values.
fn rows(group: &Group) -> (Vec<i64>, Vec<Vec<Option<f64>>>) {
    let values = group.columns.iter().map(|(_, cells)| cells.iter().map(|cell| cell.value).collect());
    (group.time.iter().map(|micros| micros / SECOND).collect(), values.collect())
}

#[test]
fn one_window_is_summed_up_as_by_hand() {
    let model = model(&[("a", 3, 4.0), ("a", 1, 1.0), ("b", 1, 2.0), ("b", 9, 5.0), ("a", 9, 8.0), ("a", 10, 99.0)]);
    let answer = model.answer(&request(0, 10, "count,sum,avg,min,max,first,last,stddev,median,p25,p100"));
    let (times, values) = rows(&answer[0]);
    // Mean 4, squared distances 0 + 9 + 4 + 1 + 16 = 30; a quarter of the way from rank 0 to rank 4 is rank 1.
    let expected = [5.0, 20.0, 4.0, 1.0, 8.0, 1.0, 8.0, 6.0_f64.sqrt(), 4.0, 2.0, 8.0];
    assert_eq!((answer.len(), times), (1, vec![0]));
    assert_eq!(values, expected.map(|value| vec![Some(value)]));
}

#[test]
fn quantiles_between_two_points_lie_on_the_line() {
    let model = model(&[("a", 0, 10.0), ("a", 1, 20.0), ("a", 2, 40.0), ("a", 3, 80.0)]);
    let (_, values) = rows(&model.answer(&request(0, 10, "median,p90"))[0]);
    assert_eq!(values[0], [Some(30.0)]);
    assert!((values[1][0].expect("has points") - 68.0).abs() < 1e-12, "{values:?}");
}

#[test]
fn increases_cross_windows_and_restarts_but_not_the_start_of_the_range_nor_series() {
    let counters =
        [("a", 5, 100.0), ("a", 12, 103.0), ("a", 15, 2.0), ("a", 25, 9.0), ("b", 14, 50.0), ("b", 31, 60.0)];
    let (times, values) = rows(&model(&counters).answer(&request(0, 40, "increase,rate"))[0]);
    assert_eq!(times, [0, 10, 20, 30]);
    assert_eq!(values[0], [0.0, 5.0, 7.0, 10.0].map(Some));
    assert_eq!(values[1], [0.0, 0.5, 0.7, 1.0].map(Some));
    let (times, values) = rows(&model(&counters).answer(&request(12, 31, "increase"))[0]);
    assert_eq!((times, values[0].as_slice()), (vec![10, 20], &[Some(2.0), Some(7.0)][..]));
}

#[test]
fn fills_and_limits_follow_the_order() {
    let model = model(&[("a", 12, 1.0), ("a", 42, 7.0)]);
    let filled = |fill: Fill, order: Order, limit: usize| {
        let request = QueryRequest { fill, order, limit, ..request(0, 60, "avg") };
        let (times, mut values) = rows(&model.answer(&request)[0]);
        (times, values.remove(0))
    };
    let none = None;
    assert_eq!(filled(Fill::None, Order::Descending, 9), (vec![40, 10], [7.0, 1.0].map(Some).to_vec()));
    assert_eq!(filled(Fill::Null, Order::Ascending, 3), (vec![0, 10, 20], vec![none, Some(1.0), none]));
    assert_eq!(filled(Fill::Zero, Order::Descending, 2), (vec![50, 40], vec![Some(0.0), Some(7.0)]));
    let previous = vec![none, Some(1.0), Some(1.0), Some(1.0), Some(7.0), Some(7.0)];
    assert_eq!(filled(Fill::Previous, Order::Ascending, 9).1, previous);
    let linear = vec![none, Some(1.0), Some(3.0), Some(5.0), Some(7.0), none];
    assert_eq!(filled(Fill::Linear, Order::Ascending, 9).1, linear);
}
