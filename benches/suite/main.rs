//! The benchmark over HTTP: this server beside others, bare DuckDB beside both, in one run.
//!
//! `cargo build --release && target/release/suite` runs everything and writes tables and plots. What was measured is
//! kept in the output folder part by part: a run that was stopped goes on where it was, and `--only` takes parts by the
//! beginnings of their names.

mod aims;
mod bodies;
mod http;
mod load;
mod plain;
mod plots;
mod posts;
mod process;
mod reading;
mod report;
mod size;
mod systems;
mod units;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use report::Machine;
use systems::{Programs, System};
use units::{Measured, Unit};

/// Measures this server beside others, over HTTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Samples of a load; may be given several times. Questions are asked of the largest.
    #[arg(long, default_values_t = [8_640_000, 86_400_000])]
    samples: Vec<u64>,
    /// Hosts; each has ten metrics.
    #[arg(long, default_value_t = 100)]
    hosts: usize,
    /// Hosts where memory is measured.
    #[arg(long, default_value_t = 10_000)]
    memory_hosts: usize,
    /// Samples that are loaded where memory is measured.
    #[arg(long, default_value_t = 20_000_000)]
    memory_samples: u64,
    /// Samples up to which a store grows.
    #[arg(long, default_value_t = 100_000_000)]
    growth_samples: u64,
    /// Time for which each question is asked, and for which posts are made three times as long.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only the parts whose names begin so; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Names the parts, and measures nothing.
    #[arg(long)]
    list: bool,
    /// Where results go, and are looked for.
    #[arg(long, default_value = "suite-results")]
    out: PathBuf,
    /// A Markdown file whose part between the lines `<!-- suite -->` and `<!-- /suite -->` is replaced by the tables; the
    /// plots go into a folder `plots` beside it.
    #[arg(long)]
    into: Option<PathBuf>,
    /// Where servers keep their files while they are measured; by default beside the results.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Leaves the servers' files where they are, to ask more of them.
    #[arg(long)]
    keep: bool,
    /// This server's program; by default the one beside this program.
    #[arg(long)]
    metrics: Option<PathBuf>,
    /// VictoriaMetrics' program; left out where it is not installed.
    #[arg(long, default_value = "/usr/bin/victoria-metrics")]
    victoria_metrics: PathBuf,
    /// Prometheus' program; left out where it is not installed.
    #[arg(long, default_value = "/usr/bin/prometheus")]
    prometheus: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("metrics-cli"));
    let programs = Programs {
        metrics: arguments.metrics.clone().map_or_else(beside, Ok)?,
        victoria: arguments.victoria_metrics.clone(),
        prometheus: arguments.prometheus.clone(),
    };
    if !programs.is_installed(System::Metrics) {
        bail!("{} is missing: `cargo build --release` builds it", programs.metrics.display());
    }
    let units: Vec<Unit> = units::all(&arguments, &programs)
        .into_iter()
        .filter(|unit| arguments.only.is_empty() || arguments.only.iter().any(|start| unit.name.starts_with(start)))
        .collect();
    if arguments.list {
        units.iter().for_each(|unit| println!("{}", unit.name));
        return Ok(());
    }
    std::fs::create_dir_all(&arguments.out)?;
    for unit in units {
        let path = arguments.out.join(format!("{}.json", unit.name));
        if path.exists() {
            println!("{}: measured before, {}", unit.name, path.display());
            continue;
        }
        let work = arguments.work.clone().unwrap_or_else(|| arguments.out.join("work"));
        let folder = work.join(&unit.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let begun = Instant::now();
        let mut measured = (unit.run)(&folder).with_context(|| unit.name.clone())?;
        if !arguments.keep {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        measured.took_s = begun.elapsed().as_secs_f64();
        println!("{}: {:.0} s", unit.name, measured.took_s);
        std::fs::write(&path, serde_json::to_string_pretty(&measured)?)?;
    }
    let measured = Measured::read_all(&arguments.out)?;
    let machine = Machine::look(&programs);
    let tables = report::tables(&machine, &measured);
    std::fs::write(arguments.out.join("tables.md"), &tables)?;
    plots::draw(&arguments.out, &measured)?;
    if let Some(into) = &arguments.into {
        report::put_into(into, &tables)?;
        let plots = into.with_file_name("plots");
        std::fs::create_dir_all(&plots)?;
        plots::draw(&plots, &measured)?;
    }
    println!("tables and plots: {}", arguments.out.display());
    Ok(())
}

impl Arguments {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn largest(&self) -> u64 {
        self.samples.iter().copied().max().unwrap_or(0)
    }
}
