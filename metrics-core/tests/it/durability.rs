//! What was acknowledged survives `kill -9`, at whatever moment it comes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use metrics_core::{Aggregate, Engine, GroupBy, Options, Per, QueryRequest, Resolution, Timestamp};

use crate::ledger::{Found, Ledger, numbered};

/// Rounds of kill, restart and comparison. Every third kills the process that recovers too, which makes 52 kills.
const ROUNDS: u64 = 39;
/// Longest wait for a line of a process that is not to be killed yet.
const PATIENCE: Duration = Duration::from_secs(60);

/// The writer, which `cargo test` builds from `examples/crash_writer`, but `cargo test --test it` does not.
pub(crate) fn crash_writer() -> Command {
    let test = std::env::current_exe().expect("a test has a path");
    let profile: &Path = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/it-HASH");
    let path: PathBuf = profile.join("examples").join(format!("crash_writer{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: run cargo build --example crash_writer", path.display());
    Command::new(path)
}

/// A running writer; killed when it is dropped.
pub(crate) struct Writer {
    child: Child,
    lines: Receiver<String>,
}

impl Writer {
    pub(crate) fn start(path: &Path, first: u64, seed: u64, head_points: u64) -> Self {
        let numbers = [first, seed, head_points].map(|number| number.to_string());
        let mut child =
            crash_writer().arg(path).args(numbers).stdout(Stdio::piped()).spawn().expect("the writer starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                if sender.send(line.expect("the writer prints UTF-8")).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that the writer prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the writer prints on")
    }

    /// Takes the writer's lines until a moment comes.
    fn note_until(&self, moment: Instant, ledger: &mut Ledger) {
        loop {
            match self.lines.recv_timeout(moment.saturating_duration_since(Instant::now())) {
                Ok(line) => ledger.note(&line),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("the writer ended before it was killed"),
            }
        }
    }

    /// Sends SIGKILL and takes what the writer had still printed.
    pub(crate) fn kill(mut self, ledger: &mut Ledger) {
        self.child.kill().expect("the writer runs");
        self.child.wait().expect("the writer ends");
        self.lines.iter().for_each(|line| ledger.note(&line));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Fails only where the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sequence of numbers that look random (xorshift, Marsaglia 2003), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Starts a writer and kills it after so many acknowledgements and a random moment more.
fn write_and_kill(path: &Path, ledger: &mut Ledger, random: &mut Random, seed: u64) {
    let head_points = 50 + random.below(1_000);
    let started = Instant::now();
    let writer = Writer::start(path, ledger.next(), seed, head_points);
    if seed % 4 == 3 {
        // While it opens the store, most often; sometimes soon after.
        writer.note_until(started + Duration::from_micros(random.below(150_000)), ledger);
    } else {
        let enough = ledger.acknowledged + random.below(16) as usize;
        while ledger.acknowledged <= enough {
            ledger.note(&writer.line());
        }
        writer.note_until(Instant::now() + Duration::from_micros(random.below(20_000)), ledger);
    }
    writer.kill(ledger);
}

fn request(per: Per) -> QueryRequest {
    let mut request = QueryRequest::new([numbered::METRIC], Timestamp::MIN, Timestamp::MAX).expect("a name");
    (request.per, request.group_by, request.limit) = (per, GroupBy::Series, usize::MAX);
    request.aggregates = vec![Aggregate::Count, Aggregate::Sum];
    request
}

fn stored_points(engine: &Engine) -> Vec<Found> {
    let frame = engine.query(&request(Per::Raw)).expect("answers");
    let mut found = Vec::new();
    for series in &frame.series {
        let part = series.labels.get("part").expect("every point has the label");
        let values = &series.columns[0].values;
        found.extend(series.time.iter().zip(values).map(|(time, value)| Found {
            part: part.to_owned(),
            micros: time.micros(),
            value: value.expect("a raw point has a value"),
        }));
    }
    found
}

fn column_total(engine: &Engine, aggregate: Aggregate) -> f64 {
    let frame = engine.query(&request(Per::Every(Resolution::Day))).expect("answers");
    frame
        .series
        .iter()
        .flat_map(|series| series.column(aggregate).expect("asked for"))
        .map(|cell| cell.unwrap_or(0.0))
        .sum()
}

#[test]
fn acknowledged_points_are_there_exactly_once_after_fifty_kills_and_other_batches_whole_or_absent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.duckdb");
    let mut ledger = Ledger::default();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..ROUNDS {
        for again in 0..=u64::from(round % 3 == 2) {
            write_and_kill(&path, &mut ledger, &mut random, round + again);
        }
        let options = Options { max_raw_rows: 10_000_000, ..Options::default() };
        let engine = Engine::open_with(&path, options).unwrap_or_else(|e| panic!("round {round}: {e}"));
        ledger.settle(&stored_points(&engine)).unwrap_or_else(|e| panic!("round {round}: {e}"));
        let kept = ledger.kept_points();
        assert_eq!(
            engine.series(Some(numbered::METRIC), &[]).iter().map(|info| info.count).sum::<u64>(),
            kept,
            "round {round}: series"
        );
        assert_eq!(column_total(&engine, Aggregate::Count), kept as f64, "round {round}: count by day");
        assert_eq!(column_total(&engine, Aggregate::Sum), ledger.kept_sum() as f64, "round {round}: sum by day");
        assert_eq!(engine.check(false).expect("checks").differences, 0, "round {round}: rollups");
        if round % 2 == 0 {
            engine.close().expect("closes");
        }
    }
    assert!(ledger.acknowledged >= 200, "only {} batches were acknowledged", ledger.acknowledged);
}
