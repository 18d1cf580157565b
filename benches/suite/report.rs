//! Tables of what was measured, in Markdown.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::aims;
use crate::reading::{CLIENTS, QueryRecord};
use crate::systems::{Programs, Question, System};
use crate::units::Measured;

/// Where and with what it was measured.
#[derive(Debug)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: u64,
    kernel: String,
    versions: Vec<(System, String)>,
}

impl Machine {
    pub(crate) fn look(programs: &Programs) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes: u64 = memory.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let installed = System::ALL.into_iter().filter(|system| programs.is_installed(*system));
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            memory_gib: kilobytes >> 20,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            versions: installed.map(|system| (system, programs.version(system))).collect(),
        }
    }
}

/// All tables.
pub(crate) fn tables(machine: &Machine, measured: &Measured) -> String {
    let mut out = String::new();
    let Machine { cores, processor, memory_gib, kernel, versions } = machine;
    line(
        &mut out,
        &format!("{cores} cores of {processor}, {memory_gib} GiB, Linux {kernel}. DuckDB {}.", duckdb_version()),
    );
    for (system, version) in versions {
        line(&mut out, &format!("{}: `{version}`.", system.name()));
    }
    line(&mut out, &format!("All parts together took {:.0} minutes.", measured.took_s / 60.0));
    aims(&mut out, measured);
    loads(&mut out, measured);
    questions(&mut out, measured);
    posts(&mut out, measured);
    memory(&mut out, measured);
    starts(&mut out, measured);
    growth(&mut out, measured);
    out
}

/// Lines between which [`put_into`] puts.
const MARKS: [&str; 2] = ["<!-- suite -->\n", "<!-- /suite -->"];

/// Replaces what stands between the marks of a file.
pub(crate) fn put_into(path: &Path, tables: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let missing = || format!("{} has no lines {} and {}", path.display(), MARKS[0].trim_end(), MARKS[1]);
    let (before, rest) = text.split_once(MARKS[0]).with_context(missing)?;
    let (_, after) = rest.split_once(MARKS[1]).with_context(missing)?;
    let plots: String = plots().map(|(name, title)| format!("\n![{title}](plots/{name}.svg)\n")).collect();
    std::fs::write(path, [before, MARKS[0], "\n", tables, &plots, "\n", MARKS[1], after].concat())?;
    Ok(())
}

/// The plots that a whole run draws.
fn plots() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("loading", "Samples per CPU second of each server and format"),
        ("growth-points-questions", "Answers against samples"),
        ("growth-points-cost", "Cost against samples"),
        ("growth-series-questions", "Answers against series"),
        ("growth-series-cost", "Cost against series"),
    ]
    .into_iter()
}

fn duckdb_version() -> String {
    let version = duckdb::Connection::open_in_memory()
        .and_then(|connection| connection.query_row("SELECT version()", [], |row| row.get::<_, String>(0)));
    version.unwrap_or_else(|_| "unknown".into())
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn heading(out: &mut String, text: &str, columns: &[&str]) {
    line(out, &format!("\n### {text}\n"));
    line(out, &format!("| {} |", columns.join(" | ")));
    line(out, &format!("|{}", " --- |".repeat(columns.len())));
}

fn row(out: &mut String, cells: &[String]) {
    line(out, &format!("| {} |", cells.join(" | ")));
}

fn name_of(system: Option<System>) -> String {
    system.map_or("bare DuckDB, in process", System::name).to_owned()
}

fn number(value: f64, digits: usize) -> String {
    if value.is_nan() { "-".into() } else { format!("{value:.digits$}") }
}

fn millions(value: f64) -> String {
    number(value / 1e6, 2)
}

fn aims(out: &mut String, measured: &Measured) {
    let aims = aims::all(measured);
    if aims.is_empty() {
        return;
    }
    heading(out, "Aims", &["what", "wanted", "measured", "met"]);
    for aim in aims {
        let is_met = if aim.is_met { "yes" } else { "no" };
        row(out, &[aim.what, aim.wanted, aim.measured, is_met.to_owned()]);
    }
}

fn loads(out: &mut String, measured: &Measured) {
    if measured.loads.is_empty() {
        return;
    }
    let columns = [
        "samples",
        "server",
        "format",
        "M samples per CPU second, all told",
        "the same until the last answer",
        "M samples per second",
        "bytes a sample, all files",
        "of these in use",
        "of these points",
        "peak MiB",
        "sent again",
    ];
    heading(out, "Loading", &columns);
    let mut loads = measured.loads.clone();
    loads.sort_by_key(|load| (load.samples, load.format, load.system));
    for load in &loads {
        let samples = load.samples as f64;
        let each = |bytes: Option<u64>| number(bytes.map_or(f64::NAN, |bytes| bytes as f64 / samples), 2);
        row(
            out,
            &[
                millions(samples) + " M",
                name_of(load.system),
                load.format.map_or("appender", |format| format.name()).to_owned(),
                millions(samples / load.settled_cpu_s),
                millions(samples / load.cpu_s),
                millions(samples / load.wall_s),
                each(Some(load.file_bytes)),
                each(load.used_bytes),
                each(load.point_bytes),
                number(load.peak_mib.unwrap_or(f64::NAN), 0),
                load.retries.to_string(),
            ],
        );
    }
}

fn questions(out: &mut String, measured: &Measured) {
    let systems: Vec<System> =
        System::ALL.into_iter().filter(|system| measured.queries.iter().any(|query| query.system == *system)).collect();
    let found = |system: System, question: Question, clients: usize, writes: bool| -> Option<&QueryRecord> {
        let is = |query: &&QueryRecord| {
            (query.system, query.question, query.clients, query.writes) == (system, question, clients, writes)
        };
        measured.queries.iter().find(is)
    };
    let rounds = [false, true].into_iter().filter(|_| !systems.is_empty());
    for writes in rounds {
        for clients in CLIENTS {
            let mut columns = vec!["question".to_owned(), "aim, ms".to_owned()];
            for system in &systems {
                columns.push(format!("{}, ms p50", system.name()));
                columns.extend(["p99", "answers/s", "CPU ms"].map(str::to_owned));
            }
            let beside = if writes { "20,000 samples a second written beside them" } else { "no writes" };
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            heading(
                out,
                &format!("Questions from {clients} client{}, {beside}", if clients == 1 { "" } else { "s" }),
                &columns,
            );
            for question in Question::ALL {
                let mut cells = vec![question.text().to_owned(), number(question.aim_ms(), 1)];
                for system in &systems {
                    match found(*system, question, clients, writes) {
                        Some(query) => cells.extend([
                            number(query.p50_ms, 2),
                            number(query.p99_ms, 2),
                            number(query.per_s, 0),
                            number(query.cpu_ms, 2),
                        ]),
                        None => cells.extend(["-"; 4].map(str::to_owned)),
                    }
                }
                row(out, &cells);
            }
        }
    }
}

fn posts(out: &mut String, measured: &Measured) {
    if measured.posts.is_empty() {
        return;
    }
    let columns = ["what", "server", "clients", "per second", "ms p50", "ms p99", "server CPU us each"];
    heading(out, "One point at a time", &columns);
    for post in &measured.posts {
        row(
            out,
            &[
                post.what.clone(),
                post.system.map_or("-", System::name).to_owned(),
                post.clients.to_string(),
                number(post.per_s, 0),
                number(post.p50_ms, 2),
                number(post.p99_ms, 2),
                number(post.cpu_us.unwrap_or(f64::NAN), 1),
            ],
        );
    }
}

fn memory(out: &mut String, measured: &Measured) {
    if measured.memory.is_empty() {
        return;
    }
    let columns = ["server", "series", "samples", "peak MiB", "MiB afterwards", "M samples per CPU second"];
    heading(out, "Memory while points of many series are loaded", &columns);
    for memory in &measured.memory {
        row(
            out,
            &[
                memory.system.name().to_owned(),
                memory.series.to_string(),
                millions(memory.samples as f64) + " M",
                number(memory.peak_mib, 0),
                number(memory.settled_mib, 0),
                millions(memory.samples as f64 / memory.cpu_s),
            ],
        );
    }
}

fn starts(out: &mut String, measured: &Measured) {
    if measured.starts.is_empty() {
        return;
    }
    heading(out, "Start of a full store", &["server", "samples", "before", "ready, s", "Q1 answered, s"]);
    for start in &measured.starts {
        let before = if start.after_kill { "killed" } else { "ended" };
        let samples = millions(start.samples as f64) + " M";
        let times = [number(start.ready_s, 2), number(start.answered_s, 2)];
        row(out, &[&[start.system.name().to_owned(), samples, before.to_owned()][..], &times].concat());
    }
}

fn growth(out: &mut String, measured: &Measured) {
    if measured.growth.is_empty() {
        return;
    }
    let mut columns = vec!["samples", "series", "CPU us a sample", "bytes a sample, all files", "MiB", "start, s"];
    columns.extend(["Q1 ms", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7"]);
    heading(out, "Growth of this server's store", &columns);
    for growth in &measured.growth {
        let mut text = String::new();
        let _ = write!(text, "{} M", growth.samples as f64 / 1e6);
        let mut cells = vec![text, growth.series.to_string(), number(growth.cpu_us_per_point, 2)];
        cells.extend([number(growth.bytes_per_point, 2), number(growth.memory_mib, 0), number(growth.start_s, 2)]);
        cells.extend(growth.p50_ms.iter().map(|(_, ms)| number(*ms, 2)));
        row(out, &cells);
    }
}
