//! What the server was to reach, beside what it reached.

use crate::bodies::Format;
use crate::size::MemoryRecord;
use crate::systems::{Question, System};
use crate::units::Measured;

/// One aim: what, how much was wanted and measured, in words.
pub(crate) struct Aim {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) measured: String,
    pub(crate) is_met: bool,
}

fn at_least(what: String, wanted: f64, measured: f64, unit: &str, digits: usize) -> Aim {
    let is_met = measured >= wanted;
    let (wanted, measured) = (format!("at least {wanted} {unit}"), format!("{measured:.digits$}"));
    Aim { what, wanted, measured, is_met }
}

fn at_most(what: String, wanted: f64, measured: f64, unit: &str) -> Aim {
    let is_met = measured <= wanted;
    Aim { what, wanted: format!("at most {wanted} {unit}"), measured: format!("{measured:.2}"), is_met }
}

/// Million samples per CPU second that each format was to reach.
const LOADING: [(Format, f64); 4] =
    [(Format::Line, 1.2), (Format::RemoteWrite, 1.0), (Format::Arrow, 3.0), (Format::Json, 0.5)];
/// Posts of one point per second from a thousand clients.
const POSTS_PER_S: f64 = 20_000.0;
/// Times that a post may take a bare commit's time.
const POST_FACTOR: f64 = 2.0;
/// Times that the 99th percentile may be the median, while points are written.
const TAIL_FACTOR: f64 = 5.0;
/// Bytes of a sample without its rollups.
const SAMPLE_BYTES: f64 = 2.5;
/// Memory under load with a hundred thousand series, in MiB.
const MEMORY_MIB: f64 = 300.0;
/// From the start of a process to its first answer, in seconds.
const START_S: f64 = 1.0;

/// Every aim that there are figures for.
pub(crate) fn all(measured: &Measured) -> Vec<Aim> {
    let mut aims = Vec::new();
    loads(measured, &mut aims);
    posts(measured, &mut aims);
    questions(measured, &mut aims);
    for MemoryRecord { series, peak_mib, .. } in measured.memory.iter().filter(|memory| is_ours(memory.system)) {
        aims.push(at_most(
            format!("peak memory while points of {series} series are loaded"),
            MEMORY_MIB,
            *peak_mib,
            "MiB",
        ));
    }
    for start in measured.starts.iter().filter(|start| is_ours(start.system)) {
        let before = if start.after_kill { "killed" } else { "ended" };
        let what =
            format!("first answer of a store of {} M samples whose server was {before}", start.samples / 1_000_000);
        aims.push(at_most(what, START_S, start.answered_s, "s"));
    }
    aims
}

fn is_ours(system: System) -> bool {
    system == System::Metrics
}

fn loads(measured: &Measured, aims: &mut Vec<Aim>) {
    let ours = || measured.loads.iter().filter(|load| load.system.is_some_and(is_ours));
    for (format, wanted) in LOADING {
        for load in ours().filter(|load| load.format == Some(format)) {
            let samples = load.samples as f64;
            let what = format!("{} of {:.2} M samples, all of the server's work told", format.name(), samples / 1e6);
            aims.push(at_least(what, wanted, samples / load.settled_cpu_s / 1e6, "M samples per CPU second", 2));
        }
    }
    if let Some((load, bytes)) =
        ours().filter_map(|load| Some((load, load.point_bytes?))).max_by_key(|(load, _)| load.samples)
    {
        let what = format!("blocks that hold points of {:.2} M samples", load.samples as f64 / 1e6);
        aims.push(at_most(what, SAMPLE_BYTES, bytes as f64 / load.samples as f64, "bytes a sample"));
    }
}

fn posts(measured: &Measured, aims: &mut Vec<Aim>) {
    let ours = || measured.posts.iter().filter(|post| post.system.is_some_and(is_ours));
    let bare = measured.posts.iter().find(|post| post.system.is_none() && post.what.contains("DuckDB"));
    if let Some((post, bare)) = ours().find(|post| post.clients == 1).zip(bare) {
        let what = "one point posted and acknowledged, p50".to_owned();
        aims.push(at_most(what, POST_FACTOR * bare.p50_ms, post.p50_ms, "ms, twice a bare commit"));
    }
    if let Some(post) = ours().find(|post| post.clients > 1) {
        let what = format!("points acknowledged to {} clients at once", post.clients);
        aims.push(at_least(what, POSTS_PER_S, post.per_s, "a second", 0));
    }
}

fn questions(measured: &Measured, aims: &mut Vec<Aim>) {
    let ours = |question: Question, writes: bool| {
        let is = |query: &&crate::reading::QueryRecord| {
            (query.system, query.question, query.clients, query.writes) == (System::Metrics, question, 1, writes)
        };
        measured.queries.iter().find(is)
    };
    for question in Question::ALL {
        if let Some(query) = ours(question, false) {
            aims.push(at_most(format!("{}, p50", question.text()), question.aim_ms(), query.p50_ms, "ms"));
        }
    }
    for question in Question::ALL {
        if let Some(query) = ours(question, true) {
            let what = format!("{question:?} beside writes, p99 over p50");
            aims.push(at_most(what, TAIL_FACTOR, query.p99_ms / query.p50_ms, "times"));
        }
    }
}
