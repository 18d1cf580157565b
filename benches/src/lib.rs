//! The workload that the benchmarks share: hosts × metrics × time, the same on every machine.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use metrics_core::{Batch, BatchSeries, Labels, MetricName, SeriesKey, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// 2024-01-01T00:00:00Z, where the workload starts.
pub const START_MICROS: i64 = 1_704_067_200_000_000;

/// Every series has a value each ten seconds: a random walk with two decimals.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Hosts; each has every metric.
    pub hosts: usize,
    /// Metrics, named `metric_0` and so on.
    pub metrics: usize,
    /// Microseconds from value to value.
    pub step_micros: i64,
    walks: Vec<f64>,
    tick: i64,
    random: SmallRng,
}

impl Workload {
    /// The workload of DESIGN: 100 hosts with 10 metrics, each ten seconds.
    pub fn new(hosts: usize, metrics: usize) -> Self {
        Self {
            hosts,
            metrics,
            step_micros: 10_000_000,
            walks: vec![50.0; hosts * metrics],
            tick: 0,
            random: SmallRng::seed_from_u64(20_240_101),
        }
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.hosts * self.metrics
    }

    /// The time after the last value given out, in microseconds.
    pub fn end_micros(&self) -> i64 {
        START_MICROS + self.tick * self.step_micros
    }

    /// Name of a metric.
    pub fn metric_name(metric: usize) -> String {
        format!("metric_{metric}")
    }

    /// Name of a host.
    pub fn host_name(host: usize) -> String {
        format!("host_{host}")
    }

    fn keys(&self) -> impl Iterator<Item = SeriesKey> + '_ {
        (0..self.hosts).flat_map(move |host| {
            (0..self.metrics).map(move |metric| {
                let labels = Labels::new([("host", Self::host_name(host))]).expect("valid labels");
                SeriesKey::new(MetricName::new(&Self::metric_name(metric)).expect("valid name"), labels)
            })
        })
    }

    /// The values of the next ticks as they would be scraped: host by host, tick by tick. Calls back with the place
    /// of the series, the time in microseconds and the value.
    pub fn next_ticks(&mut self, ticks: usize, mut each: impl FnMut(usize, i64, f64)) {
        for _ in 0..ticks {
            let at = self.end_micros();
            for (place, walk) in self.walks.iter_mut().enumerate() {
                *walk += self.random.random_range(-1.0..1.0) + (50.0 - *walk) * 0.01;
                each(place, at, (*walk * 100.0).round() / 100.0);
            }
            self.tick += 1;
        }
    }

    /// The next ticks as a batch of points.
    pub fn next_batch(&mut self, ticks: usize) -> Batch {
        let mut batch = Batch::new();
        let places: Vec<BatchSeries> = self.keys().map(|key| batch.intern(key)).collect();
        self.next_ticks(ticks, |place, at, value| {
            let at = Timestamp::from_micros(at).expect("in range");
            batch.push_sample(places[place], at, value).expect("finite");
        });
        batch
    }

    /// The next ticks as Arrow columns `series`, `ts`, `value`, the series being `metric * hosts + host`.
    pub fn next_record_batch(&mut self, ticks: usize) -> RecordBatch {
        let (mut series, mut times, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let (hosts, metrics) = (self.hosts, self.metrics);
        self.next_ticks(ticks, |place, at, value| {
            series.push(((place % metrics) * hosts + place / metrics) as u64);
            times.push(at);
            values.push(value);
        });
        let schema = Schema::new(vec![
            Field::new("series", DataType::UInt64, false),
            Field::new("ts", DataType::Int64, false),
            Field::new("value", DataType::Float64, false),
        ]);
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(UInt64Array::from(series)),
            Arc::new(Int64Array::from(times)),
            Arc::new(Float64Array::from(values)),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).expect("three columns of one length")
    }
}

/// Middle of some durations in milliseconds.
pub fn median_ms(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN) * 1e3
}

/// Seconds of processor time that this process has used, of all its threads.
pub fn cpu_seconds() -> Option<f64> {
    cpu_seconds_of("self")
}

/// The same of a process by its id; from the kernel's `/proc/ID/stat`.
pub fn cpu_seconds_of(id: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), counted from the state, which is field 3; in ticks of a hundredth of a second.
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Resident memory of this process now and at its peak, in MiB.
pub fn memory_mib() -> Option<(f64, f64)> {
    memory_mib_of("self")
}

/// The same of a process by its id; from the kernel's `/proc/ID/status`.
pub fn memory_mib_of(id: &str) -> Option<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// Bytes of the blocks that hold points and of those that hold anything, in a store that no server has open. The rest of
/// its file is free, for the next chunks.
pub fn used_bytes(path: &Path) -> Result<(u64, u64)> {
    let connection = duckdb::Connection::open(path)?;
    let (block, used): (u64, u64) =
        connection.query_row("SELECT block_size, used_blocks FROM pragma_database_size()", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut statement =
        connection.prepare("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'chunk_%_raw'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let of_points: Vec<String> = names
        .iter()
        .map(|name| format!("SELECT block_id FROM pragma_storage_info('{name}') WHERE persistent"))
        .collect();
    if of_points.is_empty() {
        return Ok((0, used * block));
    }
    let sql = format!("SELECT count(DISTINCT block_id) FROM ({}) WHERE block_id >= 0", of_points.join(" UNION ALL "));
    let raw: u64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok((raw * block, used * block))
}
