//! Files that cannot be opened as they are: each is refused in words, with exit code 1, and left as it was.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::Context;
use super::namespace::{self, Mount};
use super::report::Tally;
use super::store::Store;
use crate::server::{Launch, Server, files_of};

/// Second owners that are tried.
const OWNERS: u64 = 100;
const QUICK_OWNERS: u64 = 10;

/// One way to meet a file, tried in a folder of its own.
type Case = fn(&Context, &Path) -> anyhow::Result<Tally>;

/// Runs the scenario.
pub(crate) fn run(context: &Context) -> anyhow::Result<Vec<(String, Tally)>> {
    let cases: [(&str, Case); 5] = [
        ("two processes", two_processes),
        ("no database, cut short or empty headers", no_database),
        ("a file that may not be read", no_permission),
        ("a read-only file system", read_only),
        ("a newer schema", newer_schema),
    ];
    let part = |(name, case): (&str, Case)| {
        let folder = context.folder.join(name.replace(' ', "-"));
        std::fs::create_dir_all(&folder)?;
        let begun = Instant::now();
        let mut tally = case(context, &folder).with_context(|| name.to_owned())?;
        tally.took = begun.elapsed();
        Ok((name.to_owned(), tally))
    };
    cases.into_iter().map(part).collect()
}

/// A store with points, closed.
fn closed(context: &Context, folder: &Path) -> anyhow::Result<Store> {
    let store = Store::create(&context.program, folder)?;
    let server = store.start(400)?;
    for _ in 0..8 {
        store.must_take(&server, 120)?;
    }
    stop(server)?;
    Ok(store)
}

fn stop(mut server: Server) -> anyhow::Result<()> {
    server.signal("TERM")?;
    let status = server.wait_at_most(std::time::Duration::from_secs(30))?.context("SIGTERM ends the server")?;
    ensure!(status.success(), "the server ended with {status}");
    Ok(())
}

fn contents(store: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    files_of(store)?.into_iter().map(|path| Ok((path.clone(), std::fs::read(path)?))).collect()
}

/// Starts a server, which must end with code 1 and words, and compares the files before and after.
fn refused(
    launch: &Launch,
    words: &[&str],
    tally: &mut Tally,
    read_as: impl Fn() -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>>,
) -> anyhow::Result<()> {
    let before = read_as()?;
    tally.faults += 1;
    match launch.start() {
        Ok(_) => tally.fail(format!("{} was opened", launch.store.display())),
        Err(error) => {
            let text = format!("{error:#}");
            if !text.contains("exit status: 1") || !words.iter().any(|word| text.contains(word)) {
                tally.fail(format!("not refused with one of {words:?}: {text}"));
            }
        }
    }
    if read_as()? != before {
        tally.fail(format!("{} or what stands beside it was changed", launch.store.display()));
    }
    Ok(())
}

fn two_processes(context: &Context, folder: &Path) -> anyhow::Result<Tally> {
    let store = Store::create(&context.program, folder)?;
    let server = store.start(400)?;
    let mut tally = Tally::default();
    for _ in 0..if context.quick { QUICK_OWNERS } else { OWNERS } {
        store.must_take(&server, 40)?;
        // What is moved into chunks meanwhile is the first owner's own affair: nothing is compared here.
        refused(&store.launch, &["--url"], &mut tally, || Ok(Vec::new()))?;
    }
    tally.findings.add(store.verify(&server)?);
    tally.acknowledged = store.acknowledged_points();
    stop(server)?;
    Ok(tally)
}

fn no_database(context: &Context, folder: &Path) -> anyhow::Result<Tally> {
    let store = closed(context, folder)?;
    let whole = std::fs::read(store.path())?;
    let mut tally = Tally::default();
    let zeroed = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0);
        bytes
    };
    let noise = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xA5);
        bytes
    };
    let cases = [
        b"timestamp,value\n".to_vec(),
        vec![0; 8_192],
        whole[..whole.len() / 2].to_vec(),
        whole[..5_000].to_vec(),
        zeroed(0, 4_096),
        zeroed(4_096, 12_288),
        noise(0, 4_096),
        noise(4_096, 12_288),
    ];
    for bytes in cases {
        std::fs::write(store.path(), bytes)?;
        refused(&store.launch, &["cannot open", "m.duckdb"], &mut tally, || contents(store.path()))?;
    }
    std::fs::write(store.path(), whole)?;
    tally.findings.add(store.verify(&store.start(400)?)?);
    tally.acknowledged = store.acknowledged_points();
    Ok(tally)
}

/// To root nothing is forbidden: the server runs as another.
fn no_permission(context: &Context, folder: &Path) -> anyhow::Result<Tally> {
    use std::os::unix::fs::PermissionsExt;

    let store = closed(context, folder)?;
    let mut tally = Tally::default();
    let permit = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    // Whoever it is may come here and make a lock: what is forbidden is the file.
    folder.ancestors().take(3).try_for_each(|folder| permit(folder, 0o777))?;
    let _ = std::fs::remove_file(folder.join("m.duckdb.lock"));
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0);
    let launch = if root {
        store.launch.clone().through(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    } else {
        store.launch.clone()
    };
    for mode in [0o000, 0o444] {
        permit(store.path(), mode)?;
        refused(&launch, &["ermission denied", "cannot open"], &mut tally, || {
            permit(store.path(), 0o644)?;
            let found = contents(store.path());
            permit(store.path(), mode)?;
            found
        })?;
    }
    permit(store.path(), 0o644)?;
    tally.findings.add(store.verify(&store.start(400)?)?);
    tally.acknowledged = store.acknowledged_points();
    Ok(tally)
}

fn read_only(context: &Context, folder: &Path) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let store = closed(context, folder)?;
    if !namespace::is_inside() {
        tally.note("NOT RUN: there is no way to mount here");
        return Ok(tally);
    }
    let launch = store.launch.clone().log_to(context.folder.join("read-only.log"));
    {
        let _mount = Mount::read_only(folder)?;
        refused(&launch, &["ead-only", "cannot lock", "cannot open"], &mut tally, || contents(store.path()))?;
    }
    tally.findings.add(store.verify(&store.start(400)?)?);
    tally.acknowledged = store.acknowledged_points();
    Ok(tally)
}

/// A store that was closed and given a version of the future.
fn newer_schema(context: &Context, folder: &Path) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let launch = Launch::new(&context.program, &folder.join("m.duckdb"));
    let packed = &include_bytes!("../../files/schema_999.duckdb.gz")[..];
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes)?;
    std::fs::write(&launch.store, bytes)?;
    refused(&launch, &["schema version 999"], &mut tally, || contents(&launch.store))?;
    Ok(tally)
}
