//! `torture`: every fault that is known to break stores, brought about in a running server, and what is left compared
//! with what the server had acknowledged.

mod clients;
mod damage;
mod disk;
mod files;
mod inject;
mod kills;
mod ledger;
mod migration;
mod namespace;
mod phases;
mod points;
mod power;
mod prove;
mod report;
mod space;
mod stop;
mod store;
mod trace;
mod tracer;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::binary::BinaryArgs;
use crate::say;
use report::Tally;

/// Kills without `--kills`, and with `--quick`.
const USUAL_KILLS: u64 = 1_000;
const QUICK_KILLS: u64 = 40;

/// What `torture` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed in the scenario kills [default: 1000, with --quick 40]
    #[arg(long, value_name = "N")]
    kills: Option<u64>,
    /// Only this scenario (repeatable)
    #[arg(long, value_name = "NAME", value_parser = scenario_name)]
    only: Vec<String>,
    /// A part of every scenario that ends within ten minutes, for every change
    #[arg(long)]
    quick: bool,
    /// Instead: build servers that are broken on purpose, and see that each is found out
    #[arg(long, conflicts_with_all = ["only", "quick", "kills"])]
    prove: bool,
    /// Where the report goes too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seed of all that is drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl Args {
    /// The same arguments for another process, with the server that is built by now.
    fn again(&self, program: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["torture".into(), "--server".into(), program.into()];
        words.extend(["--seed".into(), self.seed.to_string().into()]);
        words.extend(self.kills.iter().flat_map(|kills| ["--kills".into(), kills.to_string().into()]));
        words.extend(self.only.iter().flat_map(|only| ["--only".into(), only.into()]));
        words.extend(self.quick.then(|| "--quick".into()));
        words.extend(self.out.iter().flat_map(|out| ["--out".into(), out.into()]));
        words
    }
}

/// What every scenario gets.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The server's program.
    pub(crate) program: PathBuf,
    /// A folder of the scenario's own.
    pub(crate) folder: PathBuf,
    pub(crate) quick: bool,
    pub(crate) kills: u64,
    /// Whether one finding is enough.
    pub(crate) until_found: bool,
    pub(crate) seed: u64,
}

impl Context {
    /// Numbers that look random, the same in every run with one seed.
    pub(crate) fn random(&self, stream: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(stream))
    }
}

/// How a scenario is run: it gives a tally for each of its parts.
type Run = fn(&Context) -> anyhow::Result<Vec<(String, Tally)>>;
/// A scenario: its name, and how it is run.
type Scenario = (&'static str, Run);

const SCENARIOS: [Scenario; 8] = [
    ("kills", kills::run),
    ("migration", migration::run),
    ("stop", stop::run),
    ("files", files::run),
    ("space", space::run),
    ("damage", damage::run),
    ("power", power::run),
    ("inject", inject::run),
];

fn scenario_name(text: &str) -> Result<String, String> {
    let names = || SCENARIOS.iter().map(|(name, _)| *name);
    if names().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(format!("the scenarios are {}", names().collect::<Vec<_>>().join(", ")))
}

/// Runs the command; true when nothing was lost and nothing failed.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    if args.prove {
        return prove(args);
    }
    let program = args.binary.find()?;
    if !namespace::is_inside() {
        if let Some(passed) = namespace::enter(&args.again(&program))? {
            return Ok(passed);
        }
        say("there is no way to mount here: what needs it is not run");
    }
    let folder = tempfile::Builder::new().prefix("torture-").tempdir()?;
    let mut tallies = Vec::new();
    let chosen = SCENARIOS.iter().filter(|(name, _)| args.only.is_empty() || args.only.iter().any(|only| only == name));
    for (name, scenario) in chosen {
        let usual_kills = if args.quick { QUICK_KILLS } else { USUAL_KILLS };
        let context = Context {
            program: program.clone(),
            folder: folder.path().join(name),
            quick: args.quick,
            kills: args.kills.unwrap_or(usual_kills),
            until_found: false,
            seed: args.seed,
        };
        std::fs::create_dir_all(&context.folder)?;
        let begun = Instant::now();
        let parts = scenario(&context).with_context(|| format!("the scenario {name} could not be run"))?;
        let failed = parts.iter().any(|(_, tally)| !tally.passed());
        let verdict = if failed { "FAILED" } else { "passed" };
        say(format_args!("{name}: {verdict} in {:.0} s", begun.elapsed().as_secs_f64()));
        tallies.extend(parts.into_iter().map(|(part, tally)| (format!("{name}: {part}"), tally)));
    }
    let passed = tallies.iter().all(|(_, tally)| tally.passed());
    if !passed {
        say(format_args!("what is left of the stores: {}", folder.keep().display()));
    }
    tell(args, "Torture", &tallies)?;
    Ok(passed)
}

/// Sees that servers which are broken on purpose are found out; true when all are.
fn prove(args: &Args) -> anyhow::Result<bool> {
    prove::is_possible(&args.binary)?;
    let folder = tempfile::Builder::new().prefix("torture-").tempdir()?;
    let tallies = prove::run(&args.binary, folder.path(), args.seed)?;
    tell(args, "Servers broken on purpose", &tallies)?;
    Ok(tallies.iter().all(|(_, tally)| tally.passed()))
}

/// Prints the report, and writes it where it is wanted.
fn tell(args: &Args, what: &str, tallies: &[(String, Tally)]) -> anyhow::Result<()> {
    let passed = tallies.iter().all(|(_, tally)| tally.passed());
    let title = format!("{what}, seed {}: {}", args.seed, if passed { "passed" } else { "FAILED" });
    let report = report::markdown(&title, tallies);
    if let Some(out) = &args.out {
        std::fs::write(out, &report).with_context(|| format!("cannot write {}", out.display()))?;
    }
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}
