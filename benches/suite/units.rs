//! The parts of a run, each measured by itself and kept in a file.

use std::path::Path;

use anyhow::{Context, Result};
use metrics_benches::Workload;
use serde::{Deserialize, Serialize};

use crate::Arguments;
use crate::bodies::{Bodies, Format};
use crate::load::{CONNECTIONS, LoadRecord, load};
use crate::plain;
use crate::posts::{self, PostRecord};
use crate::reading::{QueryRecord, ask_all};
use crate::size::{self, GrowthRecord, METRICS, MemoryRecord, StartRecord};
use crate::systems::{Loaded, Programs, Running, System};

/// Sizes of a store that grows; those over the largest asked for are left out.
const SIZES: [u64; 8] = [1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000];
/// Hosts where the number of series is varied, and the points that each store then has.
const HOSTS: [usize; 3] = [100, 1_000, 10_000];
const SERIES_POINTS: u64 = 10_000_000;

/// What was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) took_s: f64,
    pub(crate) loads: Vec<LoadRecord>,
    pub(crate) queries: Vec<QueryRecord>,
    pub(crate) posts: Vec<PostRecord>,
    pub(crate) memory: Vec<MemoryRecord>,
    pub(crate) starts: Vec<StartRecord>,
    pub(crate) growth: Vec<GrowthRecord>,
}

impl Measured {
    /// What all parts of a run gave, in the order of their names.
    pub(crate) fn read_all(folder: &Path) -> Result<Self> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        paths.sort();
        let mut all = Self::default();
        for path in paths {
            let part: Self = serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("{} is no result", path.display()))?;
            all.took_s += part.took_s;
            all.loads.extend(part.loads);
            all.queries.extend(part.queries);
            all.posts.extend(part.posts);
            all.memory.extend(part.memory);
            all.starts.extend(part.starts);
            all.growth.extend(part.growth);
        }
        Ok(all)
    }
}

/// How a part is measured, in a folder that is its own.
type Measure<'a> = dyn FnOnce(&Path) -> Result<Measured> + 'a;

/// A part by its name.
pub(crate) struct Unit<'a> {
    pub(crate) name: String,
    pub(crate) run: Box<Measure<'a>>,
}

fn unit<'a>(name: String, run: impl FnOnce(&Path) -> Result<Measured> + 'a) -> Unit<'a> {
    Unit { name, run: Box::new(run) }
}

/// All parts, those of the small load first.
pub(crate) fn all<'a>(arguments: &'a Arguments, programs: &'a Programs) -> Vec<Unit<'a>> {
    let systems: Vec<System> = System::ALL.into_iter().filter(|system| programs.is_installed(*system)).collect();
    let mut units = Vec::new();
    for &samples in &arguments.samples {
        units.push(unit(format!("load-{samples}-duckdb"), move |folder| {
            let record = plain::load(folder, Workload::new(arguments.hosts, METRICS), samples)?;
            Ok(Measured { loads: vec![record], ..Measured::default() })
        }));
        for &system in &systems {
            for (place, &format) in system.formats().iter().enumerate() {
                let asks = place == 0 && samples == arguments.largest();
                let name = format!("load-{samples}-{system:?}-{format:?}").to_lowercase();
                units.push(unit(name, move |folder| {
                    loaded(arguments, programs, folder, (system, format), samples, asks)
                }));
            }
        }
    }
    units.push(unit("posts".into(), |folder| posted(arguments, programs, &systems_of_posts(programs), folder)));
    for system in systems {
        units.push(unit(format!("memory-{system:?}").to_lowercase(), move |folder| {
            let (hosts, samples) = (arguments.memory_hosts, arguments.memory_samples);
            let record = size::memory(system, programs, folder, hosts, samples)?;
            Ok(Measured { memory: vec![record], ..Measured::default() })
        }));
    }
    units.push(unit("growth-points".into(), |folder| {
        let sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size <= arguments.growth_samples).collect();
        let growth = size::growth(programs, folder, arguments.hosts, &sizes, "points")?;
        Ok(Measured { growth, ..Measured::default() })
    }));
    for hosts in HOSTS {
        units.push(unit(format!("growth-series-{}", hosts * METRICS), move |folder| {
            let points = SERIES_POINTS.min(arguments.growth_samples);
            let growth = size::growth(programs, folder, hosts, &[points], "series")?;
            Ok(Measured { growth, ..Measured::default() })
        }));
    }
    units
}

/// Those that take a point by itself.
fn systems_of_posts(programs: &Programs) -> Vec<System> {
    let takes = |system: &System| system.formats().contains(&Format::Line) && programs.is_installed(*system);
    System::ALL.into_iter().filter(takes).collect()
}

/// Loads a server; where it `asks`, asks it all questions and starts it again, after its end and after its death.
fn loaded(
    arguments: &Arguments,
    programs: &Programs,
    folder: &Path,
    (system, format): (System, Format),
    samples: u64,
    asks: bool,
) -> Result<Measured> {
    let running = Running::start(system, programs, folder)?;
    let mut bodies = Bodies::new(Workload::new(arguments.hosts, METRICS), format, CONNECTIONS);
    let mut record = load(&running, &mut bodies, format, samples)?;
    let mut measured = Measured::default();
    if asks {
        measured.queries = ask_all(&running, &mut bodies, record.samples, arguments.time())?;
        drop(running);
        let mut running = None;
        for after_kill in [true, false] {
            if let Some(running) = running.take() {
                Running::stop(running)?;
            }
            let loaded = Loaded::of(&bodies.workload);
            let (start, again) = size::start(system, programs, folder, &loaded, record.samples, after_kill)?;
            measured.starts.push(start);
            running = Some(again);
        }
        running.map(Running::stop).transpose()?;
    } else {
        running.stop()?;
    }
    if system == System::Metrics {
        let (points, used) = metrics_benches::used_bytes(&folder.join("metrics.duckdb"))?;
        (record.point_bytes, record.used_bytes) = (Some(points), Some(used));
    }
    measured.loads.push(record);
    Ok(measured)
}

fn posted(arguments: &Arguments, programs: &Programs, systems: &[System], folder: &Path) -> Result<Measured> {
    let time = arguments.time() * 3;
    let mut posts = posts::bare(&folder.join("bare"), time)?;
    for &system in systems {
        let running = Running::start(system, programs, &folder.join(format!("{system:?}").to_lowercase()))?;
        posts.push(posts::one_by_one(&running, time)?);
        posts.push(posts::many_at_once(&running, time)?);
        running.stop()?;
    }
    Ok(Measured { posts, ..Measured::default() })
}
