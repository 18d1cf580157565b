//! A store under test: its file, its ledger, and how a server is started on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;

use anyhow::Context as _;

use super::clients::{Answered, locked, send};
use super::ledger::{Ledger, Post};
use super::points::RETENTION;
use super::verify::{Findings, verify, verify_since};
use crate::server::{Launch, Server, copy_store};

/// A store with all that was ever sent to it.
pub(crate) struct Store {
    pub(crate) launch: Launch,
    pub(crate) ledger: Mutex<Ledger>,
    folder: PathBuf,
}

impl Store {
    /// A new store in a folder of its own.
    pub(crate) fn create(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::create_at(program, &folder.join("m.duckdb"), folder)
    }

    /// A new store whose log and ledger stand in another folder than its file.
    pub(crate) fn create_at(program: &Path, store: &Path, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let launch = Launch::new(program, store)
            .log_to(folder.join("m.log"))
            .options(["--memory-limit", "64MiB", "--log-level", "warn"])
            .options(RETENTION);
        let ledger = Ledger::create(&folder.join("acknowledged"))?;
        Ok(Self { launch, ledger: Mutex::new(ledger), folder: folder.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.launch.store
    }

    /// The write-ahead log.
    pub(crate) fn log_path(&self) -> PathBuf {
        let mut name = self.launch.store.clone().into_os_string();
        name.push(".wal");
        name.into()
    }

    /// Starts a server with so many points before a chunk is made.
    pub(crate) fn start(&self, head_points: u64) -> anyhow::Result<Server> {
        let head_points = ["--head-points".to_owned(), head_points.to_string()];
        self.launch.clone().options(head_points).start()
    }

    /// Compares all that a server holds with the ledger.
    pub(crate) fn verify(&self, server: &Server) -> anyhow::Result<Findings> {
        verify(&mut server.connect()?, &mut locked(&self.ledger))
    }

    /// Compares what was sent from a number on.
    pub(crate) fn verify_since(&self, server: &Server, number: u64) -> anyhow::Result<Findings> {
        verify_since(&mut server.connect()?, &mut locked(&self.ledger), number)
    }

    /// Sends once more what was not acknowledged, or is among the last that were: the keys must tell.
    pub(crate) fn send_again(&self, server: &Server, wanted: impl Fn(&Post) -> bool) -> anyhow::Result<()> {
        let mut connection = server.connect()?;
        let again: Vec<Post> = locked(&self.ledger).posts.values().filter(|post| wanted(post)).copied().collect();
        for post in again {
            locked(&self.ledger).reopen(post.first);
            let answered = send(&mut connection, &self.ledger, post)?;
            anyhow::ensure!(answered == Answered::Acknowledged, "sent again, {post:?} was {answered:?}");
        }
        Ok(())
    }

    /// Sends one new post, which must be acknowledged.
    pub(crate) fn must_take(&self, server: &Server, points: u64) -> anyhow::Result<()> {
        let post = locked(&self.ledger).open(points);
        let answered = send(&mut server.connect()?, &self.ledger, post)?;
        anyhow::ensure!(answered == Answered::Acknowledged, "{post:?} was {answered:?}");
        Ok(())
    }

    /// Starts `metrics-cli check` on a copy of the store as it lies there now, if it does: a kill may come before it.
    pub(crate) fn begin_check(&self) -> anyhow::Result<Option<Check>> {
        let folder = self.folder.join("copy");
        let _ = std::fs::remove_dir_all(&folder);
        if !self.path().exists() {
            return Ok(None);
        }
        let copy = copy_store(self.path(), &folder)?;
        check(&self.launch, &copy).map(Some)
    }

    pub(crate) fn acknowledged_points(&self) -> u64 {
        locked(&self.ledger).acknowledged_points()
    }
}

/// A `metrics-cli check` that runs.
pub(crate) struct Check(Child);

/// Starts `metrics-cli check` on a store.
pub(crate) fn check(launch: &Launch, store: &Path) -> anyhow::Result<Check> {
    let mut command = launch.command(["check", "--format", "json", "--db"]);
    command.arg(store).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(Check(command.spawn().context("check cannot be started")?))
}

impl Check {
    /// Waits for it: it must find no difference.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let output = self.0.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let sound = output.status.success() && found.is_some_and(|found| found["differences"] == 0);
        anyhow::ensure!(sound, "check: {} {text} {}", output.status, String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
