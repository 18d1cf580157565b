//! What the tests of several formats share: how many cases, bodies that are nearly right, and the messages of protobuf
//! as another implementation writes them.

use proptest::prelude::*;
use proptest::sample::Index;

/// So many cases, or as many as `PROPTEST_CASES` says: a million of `wire` take minutes with optimised code,
/// `PROPTEST_CASES=1000000 cargo test --release -p metrics-core --no-default-features --lib prop_`.
pub(super) fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

/// What may befall a body on its way.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put(Index, u8),
    Insert(Index, u8),
    /// From the first place on, so many bytes at most.
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

/// Up to four changes, bytes that mean something to the format among them.
pub(super) fn changes(special: &'static [u8]) -> impl Strategy<Value = Vec<Change>> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(special)];
    let change = prop_oneof![
        4 => (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Put(at, byte)),
        2 => (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => (any::<Index>(), 1..9_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => any::<Index>().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 1..5)
}

/// The body after the changes.
pub(super) fn changed(mut body: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if body.is_empty() {
            break;
        }
        match change {
            Change::Put(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            Change::Insert(at, byte) => body.insert(at.index(body.len()), *byte),
            Change::Remove(at, length) => {
                let at = at.index(body.len());
                body.drain(at..body.len().min(at + length));
            }
            Change::Repeat(at, length) => {
                let at = at.index(body.len());
                let part = body[at..body.len().min(at + length)].to_vec();
                body.splice(at..at, part);
            }
            Change::Cut(at) => body.truncate(at.index(body.len())),
        }
    }
    body
}

/// `prometheus.WriteRequest` (github.com/prometheus/prometheus, prompb/remote.proto and types.proto).
pub(super) mod prompb {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub(crate) timeseries: Vec<TimeSeries>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) metadata: Vec<Metadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Metadata {
        #[prost(int32, tag = "1")]
        pub(crate) kind: i32,
        #[prost(string, tag = "2")]
        pub(crate) metric_family_name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(crate) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) histograms: Vec<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Label {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Sample {
        #[prost(double, tag = "1")]
        pub(crate) value: f64,
        #[prost(int64, tag = "2")]
        pub(crate) timestamp: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Exemplar {
        #[prost(double, tag = "2")]
        pub(crate) value: f64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Histogram {
        #[prost(double, tag = "3")]
        pub(crate) sum: f64,
    }
}

/// `opentelemetry.proto.metrics.v1` and what it uses (github.com/open-telemetry/opentelemetry-proto).
pub(super) mod otlp {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Request {
        #[prost(message, repeated, tag = "1")]
        pub(crate) resource_metrics: Vec<ResourceMetrics>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ResourceMetrics {
        #[prost(message, optional, tag = "1")]
        pub(crate) resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) scope_metrics: Vec<ScopeMetrics>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Resource {
        #[prost(message, repeated, tag = "1")]
        pub(crate) attributes: Vec<KeyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ScopeMetrics {
        #[prost(message, repeated, tag = "2")]
        pub(crate) metrics: Vec<Metric>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Metric {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(oneof = "Data", tags = "5, 7, 9, 10, 11")]
        pub(crate) data: Option<Data>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Data {
        #[prost(message, tag = "5")]
        Gauge(Numbers),
        #[prost(message, tag = "7")]
        Sum(Numbers),
        #[prost(message, tag = "9")]
        Histogram(Histogram),
        #[prost(message, tag = "10")]
        Exponential(Exponential),
        #[prost(message, tag = "11")]
        Summary(Summary),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Numbers {
        #[prost(message, repeated, tag = "1")]
        pub(crate) data_points: Vec<Number>,
        #[prost(int32, tag = "2")]
        pub(crate) aggregation_temporality: i32,
        #[prost(bool, tag = "3")]
        pub(crate) is_monotonic: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Number {
        #[prost(message, repeated, tag = "7")]
        pub(crate) attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "3")]
        pub(crate) time_unix_nano: u64,
        #[prost(message, repeated, tag = "5")]
        pub(crate) exemplars: Vec<Exemplar>,
        #[prost(uint32, tag = "8")]
        pub(crate) flags: u32,
        #[prost(oneof = "Value", tags = "4, 6")]
        pub(crate) value: Option<Value>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Value {
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(sfixed64, tag = "6")]
        Int(i64),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Exemplar {
        #[prost(fixed64, tag = "2")]
        pub(crate) time_unix_nano: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Histogram {
        #[prost(message, repeated, tag = "1")]
        pub(crate) data_points: Vec<HistogramPoint>,
        #[prost(int32, tag = "2")]
        pub(crate) aggregation_temporality: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct HistogramPoint {
        #[prost(message, repeated, tag = "9")]
        pub(crate) attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "3")]
        pub(crate) time_unix_nano: u64,
        #[prost(fixed64, tag = "4")]
        pub(crate) count: u64,
        #[prost(double, optional, tag = "5")]
        pub(crate) sum: Option<f64>,
        #[prost(fixed64, repeated, tag = "6")]
        pub(crate) bucket_counts: Vec<u64>,
        #[prost(double, repeated, tag = "7")]
        pub(crate) explicit_bounds: Vec<f64>,
        #[prost(uint32, tag = "10")]
        pub(crate) flags: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Exponential {
        #[prost(message, repeated, tag = "1")]
        pub(crate) data_points: Vec<ExponentialPoint>,
        #[prost(int32, tag = "2")]
        pub(crate) aggregation_temporality: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ExponentialPoint {
        #[prost(message, repeated, tag = "1")]
        pub(crate) attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "3")]
        pub(crate) time_unix_nano: u64,
        #[prost(fixed64, tag = "4")]
        pub(crate) count: u64,
        #[prost(double, optional, tag = "5")]
        pub(crate) sum: Option<f64>,
        #[prost(sint32, tag = "6")]
        pub(crate) scale: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Summary {
        #[prost(message, repeated, tag = "1")]
        pub(crate) data_points: Vec<SummaryPoint>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct SummaryPoint {
        #[prost(message, repeated, tag = "7")]
        pub(crate) attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "3")]
        pub(crate) time_unix_nano: u64,
        #[prost(fixed64, tag = "4")]
        pub(crate) count: u64,
        #[prost(double, tag = "5")]
        pub(crate) sum: f64,
        #[prost(message, repeated, tag = "6")]
        pub(crate) quantile_values: Vec<Quantile>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Quantile {
        #[prost(double, tag = "1")]
        pub(crate) quantile: f64,
        #[prost(double, tag = "2")]
        pub(crate) value: f64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct KeyValue {
        #[prost(string, tag = "1")]
        pub(crate) key: String,
        #[prost(message, optional, tag = "2")]
        pub(crate) value: Option<AnyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct AnyValue {
        #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
        pub(crate) value: Option<Any>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(crate) enum Any {
        #[prost(string, tag = "1")]
        Text(String),
        #[prost(bool, tag = "2")]
        Bool(bool),
        #[prost(int64, tag = "3")]
        Int(i64),
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(message, tag = "5")]
        Array(Array),
        #[prost(message, tag = "6")]
        Map(Map),
        #[prost(bytes = "vec", tag = "7")]
        Bytes(Vec<u8>),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Array {
        #[prost(message, repeated, tag = "1")]
        pub(crate) values: Vec<AnyValue>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Map {
        #[prost(message, repeated, tag = "1")]
        pub(crate) values: Vec<KeyValue>,
    }
}
