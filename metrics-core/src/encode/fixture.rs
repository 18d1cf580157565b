//! A frame for the encodings' tests.

use chrono_tz::Tz;

use crate::model::{
    Aggregate, Column, ColumnKind, Exactness, Explain, Frame, FrameSeries, Labels, MetricName, TierUse, Timestamp,
};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

fn column(aggregate: &str, exactness: Exactness, values: &[Option<f64>]) -> Column {
    let aggregate: Aggregate = aggregate.parse().expect(aggregate);
    Column { kind: ColumnKind::Aggregate(aggregate), values: values.to_vec(), exactness }
}

/// Two series, one without labels; three aggregates; holes; texts that need escapes.
pub(crate) fn frame() -> Frame {
    let name = MetricName::new("cpu").expect("valid");
    Frame {
        from: at("2024-02-02"),
        to: at("2024-02-02T03:00:00Z"),
        per: "hour".into(),
        zone: Tz::Europe__Berlin,
        series: vec![
            FrameSeries {
                name: name.clone(),
                labels: Labels::empty(),
                time: vec![at("2024-02-02"), at("2024-02-02T01:00:00Z")],
                columns: vec![
                    column("avg", Exactness::Exact, &[Some(1.5), None]),
                    column("count", Exactness::Exact, &[Some(2.0), Some(0.0)]),
                    column("p95", Exactness::Sketch, &[Some(3.0), None]),
                ],
            },
            FrameSeries {
                name,
                labels: Labels::new([("host", "a,\"b\""), ("dc", "eu")]).expect("valid"),
                time: vec![at("2024-02-02T02:00:00.000001Z")],
                columns: vec![
                    column("avg", Exactness::Exact, &[Some(1e300)]),
                    column("count", Exactness::Exact, &[Some(9_007_199_254_740_991.0)]),
                    column("p95", Exactness::Exact, &[Some(-0.25)]),
                ],
            },
        ],
        explain: Some(Explain {
            tiers: vec![TierUse { tier: "hour", rows: 3, chunks: 1 }],
            series: 2,
            elapsed_us: 417,
        }),
    }
}
