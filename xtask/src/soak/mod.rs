//! `soak`: a server with its default settings under a steady load of writes and queries, and whether anything grows.

mod judge;
mod load;
mod queries;
mod report;
mod sample;
mod times;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::binary::BinaryArgs;
use crate::http::Connection;
use crate::server::{Launch, Server};
use crate::{joined, say};
use load::{FORMATS, Load};
use sample::Sample;
use times::Times;

/// Time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);
/// Samples between two lines.
const SAMPLES_A_LINE: usize = 6;
/// Longest time from SIGTERM to the end.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// What `soak` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Points per second
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(10..))]
    rate: u64,
    /// Minutes of the same load that are there before, sent as fast as they are taken: a cache that is not full yet
    /// grows as a leak does
    #[arg(long, value_name = "N", default_value_t = 60)]
    before: u64,
    /// Series, in tens: ten metrics of so many hosts
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..))]
    series: u64,
    /// Where the store is made; without it in a new folder under the system's temporary one, removed at the end
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Where the report goes too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    binary: BinaryArgs,
}

/// What a run saw.
pub(crate) struct Run {
    pub(crate) minutes: u64,
    /// Points that were there before.
    pub(crate) before: u64,
    pub(crate) rate: u64,
    pub(crate) series: u64,
    pub(crate) samples: Vec<Sample>,
    pub(crate) writes: Times,
    pub(crate) queries: Vec<(&'static str, Times)>,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) late: u64,
}

/// Runs the command; true when every point is there and nothing grew.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let program = args.binary.find()?;
    let temporary = tempfile::Builder::new().prefix("soak-").tempdir()?;
    let folder = args.folder.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder)?;
    let launch = Launch::new(&program, &folder.join("m.duckdb"));
    ensure!(!launch.store.exists(), "{} is there already: a soak begins with a new store", launch.store.display());
    let server = launch.start()?;
    let run = under_load(args, &launch, &server)?;
    let mut verdicts = judge::judge(&run);
    verdicts.extend(count(&run, &launch, server)?);
    let passed = verdicts.iter().all(|(passed, _)| *passed);
    let report = report::markdown(&run, &verdicts);
    if let Some(out) = &args.out {
        std::fs::write(out, &report).with_context(|| format!("cannot write {}", out.display()))?;
    }
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(passed)
}

fn under_load(args: &Args, launch: &Launch, server: &Server) -> anyhow::Result<Run> {
    let load = Load::new(server.address, args.series / 10, args.rate, Duration::from_secs(args.before * 60));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let writers = FORMATS.each_ref().map(|format| scope.spawn(|| load.write_before(format)));
        writers.into_iter().try_for_each(joined)
    })?;
    let before = load.acknowledged.load(Ordering::Relaxed);
    say(format_args!("{before} points from before in {:.0} s", began.elapsed().as_secs_f64()));
    let begun = Instant::now();
    let asking = queries::Queries::new(server.address, begun);
    let stop = AtomicBool::new(false);
    let samples = std::thread::scope(|scope| {
        let writers = FORMATS.each_ref().map(|format| scope.spawn(|| load.write_live(format, begun, &stop)));
        let asker = scope.spawn(|| asking.run(&stop));
        let samples = watch(args, launch, server, &load, begun, || {
            writers.iter().any(|writer| writer.is_finished()) || asker.is_finished()
        });
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().chain([asker]).try_for_each(joined)?;
        samples
    })?;
    Ok(Run {
        minutes: args.minutes,
        before,
        rate: args.rate,
        series: args.series / 10 * 10,
        samples,
        writes: load.times(),
        queries: asking.times(),
        acknowledged: load.acknowledged.load(Ordering::Relaxed),
        refused: load.refused.load(Ordering::Relaxed),
        late: load.late.load(Ordering::Relaxed),
    })
}

/// Takes samples until the time is over or a client has ended before it.
fn watch(
    args: &Args,
    launch: &Launch,
    server: &Server,
    load: &Load,
    begun: Instant,
    ended: impl Fn() -> bool,
) -> anyhow::Result<Vec<Sample>> {
    let whole = Duration::from_secs(args.minutes * 60);
    let mut samples: Vec<Sample> = Vec::new();
    while begun.elapsed() < whole && !ended() {
        let next = SAMPLE_INTERVAL * (samples.len() as u32 + 1);
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
        let sample = Sample::take(begun.elapsed(), server, launch)?;
        if samples.len() % SAMPLES_A_LINE == SAMPLES_A_LINE - 1 {
            say(format_args!("{}, {} points", sample.line(), load.acknowledged.load(Ordering::Relaxed)));
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// Whether every acknowledged point is there: as the server says, and as its file says once it has ended.
fn count(run: &Run, launch: &Launch, mut server: Server) -> anyhow::Result<Vec<(bool, String)>> {
    let answered: u64 = series_points(&mut server.connect()?)?;
    let begun = Instant::now();
    server.signal("TERM")?;
    let status = server.wait_at_most(STOP_PATIENCE)?;
    let ended = begun.elapsed().as_secs_f64();
    let clean = status.is_some_and(|status| status.success());
    let output = launch.command(["check", "--format", "json", "--db"]).arg(&launch.store).output()?;
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let sound = output.status.success() && found["differences"] == 0;
    Ok(vec![
        (answered == run.acknowledged, format!("{} points were acknowledged, {answered} are there", run.acknowledged)),
        (clean, format!("SIGTERM ended the server in {ended:.1} s with {status:?}")),
        (
            sound,
            format!(
                "metrics-cli check: {} rows of rollups, {} differences",
                found["rollup_rows"], found["differences"]
            ),
        ),
    ])
}

fn series_points(connection: &mut Connection) -> anyhow::Result<u64> {
    let answer = connection.get("/v1/series")?.json()?;
    let series = answer.as_array().or_else(|| answer["series"].as_array()).context("a list of series")?;
    Ok(series.iter().filter_map(|series| series["count"].as_u64()).sum())
}
