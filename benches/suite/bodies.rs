//! The workload as requests, made before they are sent, so that making them is not measured.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    Array, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use metrics_benches::Workload;
use serde::{Deserialize, Serialize};

use crate::http::post;

/// Points in one request, or one tick where that has more.
const REQUEST_POINTS: usize = 10_000;

/// How points are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// InfluxDB's line protocol: a line a host and tick with a field for each metric.
    Line,
    /// Prometheus remote write: a series and sample a point, as a scraper sends them.
    RemoteWrite,
    /// An array of points.
    Json,
    /// An Arrow stream, names and hosts as dictionaries.
    Arrow,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Line => "line protocol",
            Self::RemoteWrite => "remote write",
            Self::Json => "JSON array",
            Self::Arrow => "Arrow",
        }
    }
}

/// A point by the place of its series: host by host, each with all metrics.
#[derive(Debug, Clone, Copy)]
struct Sample {
    place: usize,
    millis: i64,
    value: f64,
}

/// Requests for some connections, each of which has hosts of its own, as the shards of a sender have.
pub(crate) struct Bodies {
    pub(crate) workload: Workload,
    format: Format,
    connections: usize,
    /// Name and labels of each series as remote write spells them.
    spelled: Vec<Vec<u8>>,
}

impl Bodies {
    pub(crate) fn new(workload: Workload, format: Format, connections: usize) -> Self {
        let spelled = match format {
            Format::RemoteWrite => (0..workload.series()).map(|place| spell(&workload, place)).collect(),
            _ => Vec::new(),
        };
        Self { workload, format, connections, spelled }
    }

    /// How many ticks a request of each connection holds.
    pub(crate) fn ticks_per_request(&self) -> usize {
        (REQUEST_POINTS * self.connections / self.workload.series()).max(1)
    }

    /// A request for each connection with the next ticks of its hosts.
    pub(crate) fn next(&mut self, ticks: usize) -> Result<Vec<Vec<u8>>> {
        let mut shards: Vec<Vec<Sample>> = vec![Vec::new(); self.connections];
        let (metrics, connections) = (self.workload.metrics, self.connections);
        self.workload.next_ticks(ticks, |place, micros, value| {
            shards[place / metrics % connections].push(Sample { place, millis: micros / 1_000, value });
        });
        shards.iter().filter(|samples| !samples.is_empty()).map(|samples| self.request(samples)).collect()
    }

    fn request(&self, samples: &[Sample]) -> Result<Vec<u8>> {
        Ok(match self.format {
            Format::Line => post("/write?precision=ms", "content-type: text/plain\r\n", &self.lines(samples)?),
            Format::Json => post("/v1/metrics", "content-type: application/json\r\n", &self.json(samples)?),
            Format::Arrow => {
                post("/v1/metrics", "content-type: application/vnd.apache.arrow.stream\r\n", &self.arrow(samples)?)
            }
            Format::RemoteWrite => post(
                "/api/v1/write",
                "content-type: application/x-protobuf\r\ncontent-encoding: snappy\r\n\
                 x-prometheus-remote-write-version: 0.1.0\r\n",
                &snap::raw::Encoder::new().compress_vec(&self.protobuf(samples))?,
            ),
        })
    }

    fn lines(&self, samples: &[Sample]) -> Result<Vec<u8>> {
        let mut body = Vec::with_capacity(samples.len() * 12);
        for of_host in samples.chunks(self.workload.metrics) {
            let host = Workload::host_name(of_host[0].place / self.workload.metrics);
            write!(body, "metric,host={host} ")?;
            for (metric, sample) in of_host.iter().enumerate() {
                write!(body, "{}{metric}={}", if metric == 0 { "" } else { "," }, sample.value)?;
            }
            writeln!(body, " {}", of_host[0].millis)?;
        }
        Ok(body)
    }

    fn json(&self, samples: &[Sample]) -> Result<Vec<u8>> {
        let mut body = Vec::with_capacity(samples.len() * 96);
        let metrics = self.workload.metrics;
        for (number, Sample { place, millis, value }) in samples.iter().enumerate() {
            body.push(if number == 0 { b'[' } else { b',' });
            let (host, metric) = (Workload::host_name(place / metrics), Workload::metric_name(place % metrics));
            write!(body, r#"{{"timestamp":{millis},"name":"{metric}","value":{value},"labels":{{"host":"{host}"}}}}"#)?;
        }
        body.push(b']');
        Ok(body)
    }

    fn arrow(&self, samples: &[Sample]) -> Result<Vec<u8>> {
        let metrics = self.workload.metrics;
        let texts = |keys: &dyn Fn(&Sample) -> usize, count: usize, name: fn(usize) -> String| {
            let keys = Int32Array::from_iter_values(samples.iter().map(|sample| keys(sample) as i32));
            let values = StringArray::from_iter_values((0..count).map(name));
            DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))
        };
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(TimestampMillisecondArray::from_iter_values(samples.iter().map(|sample| sample.millis))),
            Arc::new(texts(&|sample| sample.place % metrics, metrics, Workload::metric_name)?),
            Arc::new(Float64Array::from_iter_values(samples.iter().map(|sample| sample.value))),
            Arc::new(texts(&|sample| sample.place / metrics, self.workload.hosts, Workload::host_name)?),
        ];
        let text = columns[1].data_type().clone();
        let schema = Arc::new(Schema::new(vec![
            Field::new("timestamp", DataType::Timestamp(TimeUnit::Millisecond, None), false),
            Field::new("name", text.clone(), false),
            Field::new("value", DataType::Float64, false),
            Field::new("host", text, false),
        ]));
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
        Ok(writer.into_inner()?)
    }

    /// `WriteRequest { repeated TimeSeries { repeated Label labels = 1; repeated Sample { double value = 1; int64
    /// timestamp = 2; } samples = 2; } timeseries = 1; }`
    fn protobuf(&self, samples: &[Sample]) -> Vec<u8> {
        let mut body = Vec::with_capacity(samples.len() * 64);
        let mut sample_bytes = Vec::new();
        for Sample { place, millis, value } in samples {
            sample_bytes.clear();
            sample_bytes.push(0x09);
            sample_bytes.extend_from_slice(&value.to_le_bytes());
            sample_bytes.push(0x10);
            push_varint(&mut sample_bytes, *millis as u64);
            let labels = &self.spelled[*place];
            body.push(0x0a);
            push_varint(&mut body, (labels.len() + 2 + sample_bytes.len()) as u64);
            body.extend_from_slice(labels);
            push_field(&mut body, 2, &sample_bytes);
        }
        body
    }
}

/// `Label { string name = 1; string value = 2; }` for the name and the host of a series.
fn spell(workload: &Workload, place: usize) -> Vec<u8> {
    let (host, metric) = (place / workload.metrics, place % workload.metrics);
    let pairs = [("__name__", Workload::metric_name(metric)), ("host", Workload::host_name(host))];
    let mut labels = Vec::new();
    for (name, value) in pairs {
        let mut label = Vec::new();
        push_field(&mut label, 1, name.as_bytes());
        push_field(&mut label, 2, value.as_bytes());
        push_field(&mut labels, 1, &label);
    }
    labels
}

fn push_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
