//! Null controls: servers that are broken on purpose. A scenario that finds nothing wrong with one proves nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use super::report::Tally;
use super::{Context, kills, power};
use crate::binary::{BinaryArgs, workspace};
use crate::say;

/// Most kills until a broken server must have been found out.
const KILLS: u64 = 60;

/// A change that breaks the server, and what must be found then.
struct Broken {
    /// What it does wrong.
    name: &'static str,
    /// Its patch in `xtask/broken`.
    patch: &'static str,
    scenario: &'static str,
    run: super::Run,
    /// What the scenario must find, and how much of it was found.
    wanted: &'static str,
    count: fn(&Tally) -> u64,
}

const BROKEN: [Broken; 4] = [
    Broken {
        name: "nothing is synced",
        patch: "unsynced.patch",
        scenario: "power",
        run: power::run,
        wanted: "answers without a sync",
        count: |tally| tally.failures.iter().filter(|words| words.contains("was sent without a sync")).count() as u64,
    },
    Broken {
        name: "answered before the commit",
        patch: "answer_before_commit.patch",
        scenario: "kills",
        run: kills::run,
        wanted: "lost points",
        count: |tally| tally.findings.lost,
    },
    Broken {
        name: "the key is not in the transaction of the points",
        patch: "key_after_points.patch",
        scenario: "kills",
        run: kills::run,
        wanted: "doubled points",
        count: |tally| tally.findings.doubled,
    },
    Broken {
        name: "rollups leave out a point of a bucket",
        patch: "rollup_without_a_point.patch",
        scenario: "kills",
        run: kills::run,
        wanted: "rollup windows that differ",
        count: |tally| tally.findings.rollups,
    },
];

fn patch_path(patch: &str) -> PathBuf {
    workspace().join("xtask/broken").join(patch)
}

/// Builds each broken server from a copy of what is committed, and lets the scenario run that must find it out.
///
/// # Errors
/// When a server cannot be built or a scenario not be run.
pub(crate) fn run(binary: &BinaryArgs, folder: &Path, seed: u64) -> anyhow::Result<Vec<(String, Tally)>> {
    let checkout = Checkout::new(&folder.join("checkout"))?;
    let mut tallies = Vec::new();
    for broken in &BROKEN {
        let begun = Instant::now();
        checkout.apply(&patch_path(broken.patch))?;
        let built = binary.build(&checkout.folder)?;
        checkout.reset()?;
        // The next build writes to the same place.
        let program = folder.join(broken.patch).with_extension("server");
        std::fs::copy(&built, &program)?;
        say(format_args!("{}: built in {:.0} s", broken.name, begun.elapsed().as_secs_f64()));
        let tally = found_out(broken, &program, &folder.join(broken.patch), seed)?;
        say(format_args!("{}: {}", broken.name, if tally.passed() { "found out" } else { "NOT FOUND OUT" }));
        tallies.push((format!("{} must find: {}", broken.scenario, broken.name), tally));
    }
    Ok(tallies)
}

fn found_out(broken: &Broken, program: &Path, folder: &Path, seed: u64) -> anyhow::Result<Tally> {
    let (program, folder) = (program.to_owned(), folder.to_owned());
    std::fs::create_dir_all(&folder)?;
    let context = Context { program, folder, quick: true, kills: KILLS, until_found: true, seed };
    let begun = Instant::now();
    let mut all = Tally::default();
    (broken.run)(&context)?.into_iter().for_each(|(_, tally)| all.add(tally));
    let found = (broken.count)(&all);
    let mut tally =
        Tally { faults: all.faults, acknowledged: all.acknowledged, took: begun.elapsed(), ..Tally::default() };
    if found == 0 {
        tally.fail(format!("no {} were found: {:?}", broken.wanted, all.findings));
    }
    tally.note(format!("{found} {} were found, as they must be", broken.wanted));
    let cuts = all.failures.iter().filter(|words| words.starts_with("cut after"));
    if let Some(words) = cuts.clone().next() {
        tally.note(format!("{} images were not opened, the first: {words}", cuts.count()));
    }
    if let Some(words) = all.findings.words.first() {
        tally.note(format!("the first: {words}"));
    }
    Ok(tally)
}

/// A copy of what is committed; gone when it is dropped.
struct Checkout {
    folder: PathBuf,
}

impl Checkout {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let made = Self { folder: folder.to_owned() };
        let folder = folder.to_str().context("a temporary folder's path is UTF-8")?;
        git(&workspace(), &["worktree", "add", "--quiet", "--detach", folder, "HEAD"])?;
        Ok(made)
    }

    fn apply(&self, patch: &Path) -> anyhow::Result<()> {
        git(&self.folder, &["apply", patch.to_str().context("a checkout's path is UTF-8")?])
    }

    fn reset(&self) -> anyhow::Result<()> {
        git(&self.folder, &["checkout", "--quiet", "--", "."])
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let folder = self.folder.display().to_string();
        if let Err(error) = git(&workspace(), &["worktree", "remove", "--force", &folder]) {
            say(format_args!("{error:#}"));
        }
    }
}

fn git(folder: &Path, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("git").arg("-C").arg(folder).args(words).output().context("git cannot be started")?;
    if !output.status.success() {
        bail!("git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Whether what is asked for goes together.
///
/// # Errors
/// When a server is given: each is built here.
pub(crate) fn is_possible(binary: &BinaryArgs) -> anyhow::Result<()> {
    ensure!(binary.server.is_none(), "--prove builds its servers: leave out --server");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_that_breaks_the_server_still_applies() {
        for broken in &BROKEN {
            let patch = patch_path(broken.patch);
            git(&workspace(), &["apply", "--check", patch.to_str().expect("UTF-8")]).expect(broken.patch);
        }
        let stored = std::fs::read_dir(patch_path("")).expect("a folder").count();
        assert_eq!(stored, BROKEN.len(), "a patch that is never tried");
    }
}
