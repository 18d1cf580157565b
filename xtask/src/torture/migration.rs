//! kill -9 while a file of the first schema is brought up to date: all of it is there afterwards, once.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::Rng;

use super::Context;
use super::report::Tally;
use super::store::check;
use crate::server::Launch;

const KILLS: u64 = 200;
const QUICK_KILLS: u64 = 20;
/// What is in the old file.
const POINTS: u64 = 20_000;
/// The average of one of its metrics over an hour, by DuckDB over the points when the file was made.
const AVERAGE: f64 = 54.761_194_444_444_484;
const QUESTION: &str = "/v1/query?name=metric_3&from=2024-01-01T02:00:00Z&to=2024-01-01T03:00:00Z&per=hour&agg=avg";

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let mut old = Vec::new();
    let packed = &include_bytes!("../../../metrics-core/tests/files/schema_1.duckdb.gz")[..];
    flate2::read::GzDecoder::new(packed).read_to_end(&mut old)?;
    let mut random = context.random(5);
    let mut tally = Tally::default();
    let begun = Instant::now();
    let kills = if context.quick { QUICK_KILLS } else { KILLS };
    while tally.faults < kills {
        let folder = context.folder.join("store");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let launch = Launch::new(&context.program, &folder.join("m.duckdb")).options(["--log-level", "warn"]);
        std::fs::write(&launch.store, &old)?;
        for _ in 0..random.random_range(1..=3) {
            let mut child = launch.spawn()?;
            std::thread::sleep(Duration::from_micros(random.random_range(0..150_000)));
            child.kill()?;
            child.wait()?;
            tally.faults += 1;
        }
        if let Err(error) = is_whole(&launch) {
            tally.fail(format!("after {} kills: {error:#}", tally.faults));
        }
    }
    tally.took = begun.elapsed();
    Ok(vec![("of a file of the first schema".to_owned(), tally)])
}

fn is_whole(launch: &Launch) -> anyhow::Result<()> {
    let server = launch.start()?;
    let mut connection = server.connect()?;
    let series = connection.get("/v1/series")?.json()?;
    let list = series.as_array().or_else(|| series["series"].as_array()).cloned().unwrap_or_default();
    let points: u64 = list.iter().filter_map(|series| series["count"].as_u64()).sum();
    ensure!(points == POINTS, "{points} points are there, not {POINTS}");
    let answer = connection.get(QUESTION)?.json()?;
    let average = answer["series"][0]["avg"][0].as_f64().unwrap_or(f64::NAN);
    ensure!((average - AVERAGE).abs() < 1e-9, "the average is {average}, not {AVERAGE}");
    server.kill()?;
    check(launch, &launch.store)?.end()
}
