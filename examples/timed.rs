//! `time` with a memory: runs a command, keeps how long it took in a store of its own, and shows how that compares.
//!
//! `cargo run --release --example timed -- sleep 0.2` keeps the store in `timed.duckdb`; `TIMED_DB=FILE` names another.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context;
use metrics_core::{Aggregate, Engine, LabelFilter, MICROS_PER_DAY, Per, Point, QueryRequest, Resolution, Timestamp};

/// How far back a run is compared.
const DAYS: i64 = 30;

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let program = words.next().context("give a command, such as: timed sleep 0.2")?;
    let words: Vec<String> = words.collect();
    let line = std::iter::once(&program).chain(&words).cloned().collect::<Vec<_>>().join(" ");
    // A label has at most 1,024 bytes.
    let line: String = line.chars().take(250).collect();

    let (started, begun) = (Timestamp::now(), Instant::now());
    let status = Command::new(&program).args(&words).status().with_context(|| format!("cannot run {program}"))?;
    let seconds = begun.elapsed().as_secs_f64();

    let file = std::env::var("TIMED_DB").unwrap_or_else(|_| "timed.duckdb".into());
    let engine = Engine::open(&file)?;
    let outcome = if status.success() { "done" } else { "failed" };
    let labels = [("command", line.as_str()), ("outcome", outcome)];
    engine.write(Point::new("run_seconds", started, seconds)?.with_labels(labels)?)?.wait()?;
    println!("{line}: {seconds:.3} s, {outcome}");
    compare(&engine, &line, started)?;
    engine.close()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints how long the command took, day by day, and on the whole.
fn compare(engine: &Engine, line: &str, now: Timestamp) -> anyhow::Result<()> {
    let from = now.saturating_add_micros(-DAYS * MICROS_PER_DAY);
    let mut request = QueryRequest::new(["run_seconds"], from, now.saturating_add_micros(1))?;
    request.filters = vec![format!("command={line}").parse::<LabelFilter>()?, "outcome=done".parse()?];
    request.per = Per::Every(Resolution::Day);
    request.aggregates = vec![Aggregate::Count, "median".parse()?, Aggregate::Max];
    let frame = engine.query(&request)?;
    let Some(series) = frame.series.first() else { return Ok(()) };
    println!("{:<12}{:>6}{:>10}{:>10}", "day", "runs", "median", "slowest");
    for (at, day) in series.time.iter().enumerate() {
        let cell = |column: usize| {
            let aggregate = request.aggregates[column];
            series.column(aggregate).and_then(|column| column[at]).unwrap_or(f64::NAN)
        };
        let day = day.to_string();
        println!("{:<12}{:>6}{:>10.3}{:>10.3}", &day[..10], cell(0), cell(1), cell(2));
    }
    Ok(())
}
