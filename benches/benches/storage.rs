//! The store beside plain SQL on DuckDB, in one run: bytes a point, ingest, and the questions Q1 to Q7.
//!
//! `cargo bench -p metrics-benches --bench storage -- --points 10000000`

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use metrics_benches::{Workload, cpu_seconds, median_ms, memory_mib, used_bytes};
use metrics_core::{
    Aggregate, Engine, GroupBy, LabelFilter, MICROS_PER_DAY, MICROS_PER_HOUR, Options, Per, QueryRequest, Resolution,
    Timestamp,
};

/// Measures the store beside plain SQL.
#[derive(Debug, Parser)]
struct Arguments {
    /// Points to load.
    #[arg(long, default_value_t = 2_000_000)]
    points: usize,
    /// Hosts; each has ten metrics.
    #[arg(long, default_value_t = 100)]
    hosts: usize,
    /// Times that each question is asked.
    #[arg(long, default_value_t = 15)]
    runs: usize,
    /// DuckDB's threads for one statement of the store; by default as the store has it.
    #[arg(long)]
    threads: Option<usize>,
    /// Leaves plain DuckDB out.
    #[arg(long)]
    alone: bool,
    /// Given by `cargo bench`; without effect.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The allocator of the program that users run.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const METRICS: usize = 10;
/// Points in one write, or one tick where that has more.
const WRITE_POINTS: usize = 20_000;

/// Asks the store; gives back how many rows it answered. A question about one series asks of another one each turn.
type Ask = Box<dyn Fn(&Engine, usize) -> Result<usize>>;

/// One question with both ways to answer it.
struct Question {
    name: &'static str,
    ask: Ask,
    sql: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let workload = Workload::new(arguments.hosts, METRICS);
    println!(
        "{} points, {} series, a point each 10 s; {} runs of each question",
        arguments.points,
        workload.series(),
        arguments.runs
    );
    let mut options = Options::default();
    options.threads = arguments.threads.unwrap_or(options.threads);
    load_engine(&folder.path().join("store.duckdb"), &options, workload.clone(), arguments.points)?;
    let plain = if arguments.alone {
        None
    } else {
        Some(load_plain(&folder.path().join("plain.duckdb"), workload.clone(), arguments.points)?)
    };
    let ticks = arguments.points.div_ceil(workload.series()) as i64;
    let end = metrics_benches::START_MICROS + ticks * workload.step_micros;
    let path = folder.path().join("store.duckdb");
    let questions = questions(end, arguments.hosts);
    let engine = Engine::open_with(&path, Options { read_cache_bytes: 0, ..options.clone() })?;
    let mut first_times = Vec::new();
    for question in &questions {
        first_times.push(time(arguments.runs, |_| (question.ask)(&engine, 0).map(|_| ()))?);
    }
    engine.close()?;
    let engine = Engine::open_with(&path, options)?;
    println!(
        "\n| question | first time, ms p50 | each time another series, ms p50 | again, ms p50 | plain SQL, ms p50 | rows |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (question, first) in questions.iter().zip(first_times) {
        let mut rows = 0;
        let others = time(arguments.runs, |run| (question.ask)(&engine, 1 + run).map(|_| ()))?;
        let again = time(arguments.runs, |_| {
            rows = (question.ask)(&engine, 0)?;
            Ok(())
        })?;
        let theirs = match &plain {
            Some(plain) => time(arguments.runs.min(5), |_| plain_rows(plain, &question.sql).map(|_| ()))?,
            None => f64::NAN,
        };
        println!("| {} | {first:.3} | {others:.3} | {again:.3} | {theirs:.3} | {rows} |", question.name);
    }
    if let Some((now, peak)) = memory_mib() {
        println!("\nmemory of this process: {now:.0} MiB, at its peak {peak:.0} MiB");
    }
    Ok(())
}

/// Median milliseconds of some runs after two that do not count. The work is told which run it is.
fn time(runs: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    const WARM_UP: usize = 2;
    (0..WARM_UP).try_for_each(&mut work)?;
    let mut seconds = Vec::with_capacity(runs);
    for run in WARM_UP..WARM_UP + runs {
        let begun = Instant::now();
        work(run)?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    Ok(median_ms(seconds))
}

/// What loading cost, to print: wall and processor time leave out the making of the points.
struct Cost {
    wall: Duration,
    cpu: f64,
}

fn report(what: &str, points: usize, cost: &Cost, bytes: u64) {
    println!(
        "{what}: {:.2} M points/s, {:.2} M points/CPU s, {:.2} bytes/point in the file",
        points as f64 / cost.wall.as_secs_f64() / 1e6,
        points as f64 / cost.cpu / 1e6,
        bytes as f64 / points as f64
    );
}

fn load_engine(path: &Path, options: &Options, mut workload: Workload, points: usize) -> Result<()> {
    let engine = Engine::open_with(path, options.clone())?;
    let mut cost = Cost { wall: Duration::ZERO, cpu: 0.0 };
    let mut left = points.div_ceil(workload.series());
    while left > 0 {
        let ticks = (WRITE_POINTS / workload.series()).clamp(1, left);
        left -= ticks;
        let batch = workload.next_batch(ticks);
        let (begun, cpu) = (Instant::now(), cpu_seconds().unwrap_or(f64::NAN));
        engine.write(batch)?.wait()?;
        cost.wall += begun.elapsed();
        cost.cpu += cpu_seconds().unwrap_or(f64::NAN) - cpu;
    }
    let begun = Instant::now();
    engine.compact()?;
    println!("store, compaction of the rest: {:.1} s", begun.elapsed().as_secs_f64());
    let stats = engine.stats();
    report("store, one write at a time", points, &cost, stats.file_bytes + stats.wal_bytes);
    let begun = Instant::now();
    engine.close()?;
    let closed = begun.elapsed();
    report_tables(path, points)?;
    let begun = Instant::now();
    let engine = Engine::open(path)?;
    println!(
        "store: closed in {:.2} s, opened in {:.2} s, {} chunks",
        closed.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        engine.stats().chunks
    );
    if let Some((now, peak)) = memory_mib() {
        println!("store: memory after opening {now:.0} MiB, at the peak of loading {peak:.0} MiB");
    }
    engine.close()?;
    Ok(())
}

/// Bytes of the blocks that are in use, by what they hold.
fn report_tables(path: &Path, points: usize) -> Result<()> {
    let (raw, used) = used_bytes(path)?;
    let per_point = |bytes: u64| bytes as f64 / points as f64;
    println!(
        "store: blocks in use {:.2} bytes/point, of these the points' {:.2}, rollups and the rest {:.2}",
        per_point(used),
        per_point(raw),
        per_point(used - raw)
    );
    Ok(())
}

fn load_plain(path: &Path, mut workload: Workload, points: usize) -> Result<duckdb::Connection> {
    let connection = duckdb::Connection::open(path)?;
    connection.execute_batch("CREATE TABLE points(series UBIGINT, ts BIGINT, value DOUBLE)")?;
    let mut cost = Cost { wall: Duration::ZERO, cpu: 0.0 };
    let mut left = points.div_ceil(workload.series());
    while left > 0 {
        let ticks = (WRITE_POINTS / workload.series()).clamp(1, left);
        left -= ticks;
        let batch = workload.next_record_batch(ticks);
        let (begun, cpu) = (Instant::now(), cpu_seconds().unwrap_or(f64::NAN));
        let mut appender = connection.appender("points")?;
        appender.append_record_batch(batch)?;
        appender.flush()?;
        drop(appender);
        cost.wall += begun.elapsed();
        cost.cpu += cpu_seconds().unwrap_or(f64::NAN) - cpu;
    }
    connection.execute_batch("CHECKPOINT")?;
    report("plain DuckDB, arrival order", points, &cost, std::fs::metadata(path)?.len());
    Ok(connection)
}

fn plain_rows(connection: &duckdb::Connection, sql: &str) -> Result<usize> {
    let mut statement = connection.prepare(sql)?;
    Ok(statement.query_arrow([])?.map(|batch| batch.num_rows()).sum())
}

fn questions(end: i64, hosts: usize) -> Vec<Question> {
    // The last whole hour, and the day before it: most questions end there, two at the last point.
    let hour_end = end.div_euclid(MICROS_PER_HOUR) * MICROS_PER_HOUR;
    let (day, odd_day) = (hour_end - MICROS_PER_DAY, end - MICROS_PER_DAY);
    let one = hosts / 2;
    let metric = |metric: usize| vec![Workload::metric_name(metric)];
    let all: Vec<String> = (0..METRICS).map(Workload::metric_name).collect();
    let host_at = move |turn: usize| LabelFilter::equal("host", Workload::host_name((one + turn) % hosts));
    let series = one as u64 + 3 * hosts as u64;
    let request = |names: Vec<String>, from: i64, per, agg, group_by| {
        let to = if from == odd_day { end } else { hour_end };
        let times = (Timestamp::clamped(from), Timestamp::clamped(to));
        let mut request = QueryRequest::new(names, times.0, times.1).expect("valid names");
        request.per = Per::Every(per);
        request.aggregates = vec![agg];
        request.group_by = group_by;
        request
    };
    let rows = |engine: &Engine, request: &QueryRequest| -> Result<usize> {
        Ok(engine.query(request)?.series.iter().map(|series| series.time.len()).sum())
    };
    let of_all = |request: QueryRequest| -> Ask { Box::new(move |engine, _| rows(engine, &request)) };
    let of_one = |request: QueryRequest| -> Ask {
        Box::new(move |engine, turn| rows(engine, &QueryRequest { filters: vec![host_at(turn)], ..request.clone() }))
    };
    let windows = |width: &str, what: &str, condition: String, group: &str| {
        format!("SELECT {group} ts // {width}, {what} FROM points WHERE {condition} GROUP BY ALL")
    };
    let (minute, hour) = ("60000000", "3600000000");
    let p95 = "p95".parse().expect("an aggregate");
    let in_metric = format!("series BETWEEN {} AND {} AND ts >= {day} AND ts < {hour_end}", 3 * hosts, 4 * hosts - 1);
    let in_series = format!("series = {series} AND ts >= {day} AND ts < {hour_end}");
    let by_series = GroupBy::Series;
    vec![
        Question {
            name: "Q1 minute averages, one series, the last day",
            ask: of_one(request(metric(3), day, Resolution::MINUTE, Aggregate::Avg, GroupBy::Nothing)),
            sql: windows(minute, "avg(value)", in_series.clone(), ""),
        },
        Question {
            name: "Q2 hour averages, one series, the last day",
            ask: of_one(request(metric(3), day, Resolution::Hour, Aggregate::Avg, GroupBy::Nothing)),
            sql: windows(hour, "avg(value)", in_series.clone(), ""),
        },
        Question {
            name: "Q2 hour averages, one series, all the time",
            ask: of_one(request(metric(3), 0, Resolution::Hour, Aggregate::Avg, GroupBy::Nothing)),
            sql: windows(hour, "avg(value)", format!("series = {series} AND ts < {hour_end}"), ""),
        },
        Question {
            name: "Q2 day averages, one series, all the time",
            ask: of_one(request(metric(3), 0, Resolution::Day, Aggregate::Avg, GroupBy::Nothing)),
            sql: windows("86400000000", "avg(value)", format!("series = {series} AND ts < {hour_end}"), ""),
        },
        Question {
            name: "Q3 hour averages, one metric, hosts apart, the last day",
            ask: of_all(request(metric(3), day, Resolution::Hour, Aggregate::Avg, by_series.clone())),
            sql: windows(hour, "avg(value)", in_metric, "series,"),
        },
        Question {
            name: "Q4 hour averages, every series apart, the last day",
            ask: of_all(request(all.clone(), day, Resolution::Hour, Aggregate::Avg, by_series.clone())),
            sql: windows(hour, "avg(value)", format!("ts >= {day} AND ts < {hour_end}"), "series,"),
        },
        Question {
            name: "Q2 hour averages, one series, 24 hours to the last point",
            ask: of_one(request(metric(3), odd_day, Resolution::Hour, Aggregate::Avg, GroupBy::Nothing)),
            sql: windows(hour, "avg(value)", format!("series = {series} AND ts >= {odd_day}"), ""),
        },
        Question {
            name: "Q4 hour averages, every series apart, 24 hours to the last point",
            ask: of_all(request(all.clone(), odd_day, Resolution::Hour, Aggregate::Avg, by_series.clone())),
            sql: windows(hour, "avg(value)", format!("ts >= {odd_day}"), "series,"),
        },
        Question {
            name: "Q5 95th percentile per hour, one series, the last day",
            ask: of_one(request(metric(3), day, Resolution::Hour, p95, GroupBy::Nothing)),
            sql: windows(hour, "quantile_cont(value, 0.95)", in_series, ""),
        },
        Question {
            name: "a chart of one series, all the time: avg, min and max in at most 500 windows",
            ask: {
                let times = (Timestamp::clamped(metrics_benches::START_MICROS), Timestamp::clamped(end));
                let mut request = QueryRequest::new(metric(3), times.0, times.1).expect("valid names");
                request.per = Per::Auto { points: 500 };
                request.aggregates = vec![Aggregate::Avg, Aggregate::Min, Aggregate::Max];
                of_one(request)
            },
            sql: format!(
                "SELECT (ts - {start}) // {width}, avg(value), min(value), max(value) FROM points WHERE series = {series} \
                 GROUP BY ALL",
                start = metrics_benches::START_MICROS,
                width = ((end - metrics_benches::START_MICROS) / 500).max(1)
            ),
        },
        Question {
            name: "Q6 latest value of every series",
            ask: Box::new(|engine, _| Ok(engine.series(None, &[]).len())),
            sql: "SELECT series, arg_max(value, ts) FROM points GROUP BY ALL".into(),
        },
        Question {
            name: "Q7 metric names",
            ask: Box::new(|engine, _| Ok(engine.metric_names().len())),
            sql: format!("SELECT DISTINCT series // {hosts} FROM points"),
        },
    ]
}
