//! A server in a process of its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::http::Connection;

/// Longest wait for a server's first line.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// Time between looks at a process that is to end.
const END_POLL: Duration = Duration::from_millis(2);

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) options: Vec<String>,
    /// A program with its arguments that starts the server, such as a tracer.
    pub(crate) through: Vec<OsString>,
    log: PathBuf,
}

impl Launch {
    pub(crate) fn new(program: &Path, store: &Path) -> Self {
        Self {
            program: program.to_owned(),
            store: store.to_owned(),
            options: Vec::new(),
            through: Vec::new(),
            log: store.with_extension("log"),
        }
    }

    pub(crate) fn options<T: Into<String>>(mut self, options: impl IntoIterator<Item = T>) -> Self {
        self.options.extend(options.into_iter().map(Into::into));
        self
    }

    pub(crate) fn through<T: Into<OsString>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.through = words.into_iter().map(Into::into).collect();
        self
    }

    /// Where the server's log of this store is gathered, over all of its starts.
    pub(crate) fn log(&self) -> PathBuf {
        self.log.clone()
    }

    /// Gathers the log elsewhere than beside the store.
    pub(crate) fn log_to(mut self, log: PathBuf) -> Self {
        self.log = log;
        self
    }

    /// Any command of the program, in an environment that holds nothing for it.
    pub(crate) fn command<T: Into<OsString>>(&self, words: impl IntoIterator<Item = T>) -> Command {
        let line: Vec<OsString> = self
            .through
            .iter()
            .cloned()
            .chain([self.program.clone().into()])
            .chain(words.into_iter().map(Into::into))
            .collect();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null());
        let own = std::env::vars_os().map(|(key, _)| key).filter(|key| key.to_string_lossy().starts_with("METRICS_"));
        for key in own.chain(["RUST_LOG", "NO_COLOR", "TZ"].map(Into::into)) {
            command.env_remove(key);
        }
        command
    }

    /// Starts the process without waiting for it.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let words: [OsString; 5] =
            ["serve".into(), "--listen".into(), "127.0.0.1:0".into(), "--db".into(), self.store.clone().into()];
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = self.command(words.into_iter().chain(self.options.iter().map(Into::into)));
        command.stdout(Stdio::piped()).stderr(log).spawn().with_context(|| format!("{command:?} cannot be started"))
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// When it ends, or says nothing in time, instead; with the end of its log.
    pub(crate) fn start(&self) -> anyhow::Result<Server> {
        let mut child = self.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("stdout is a pipe")?);
        let (sender, first_line) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line).map(|_| line);
            // Nobody waits any more for a line that comes too late.
            let _ = sender.send((read, stdout));
        });
        let mut server =
            Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), traced: !self.through.is_empty() };
        let (line, _) = first_line.recv_timeout(START_PATIENCE).context("the server says nothing")?;
        let line = line?;
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => server.address = address.parse().with_context(|| format!("no address: {line}"))?,
            None => {
                let status = server.child.wait()?;
                bail!("the server ended ({status}) before it listened: {}", last_lines(&self.log(), 3));
            }
        }
        Ok(server)
    }
}

/// The last lines of a file, in one.
pub(crate) fn last_lines(path: &Path, count: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(8 << 10)..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The process that was started is not the server but its parent.
    traced: bool,
}

impl Server {
    pub(crate) fn connect(&self) -> std::io::Result<Connection> {
        Connection::open(self.address)
    }

    /// The server's own process.
    pub(crate) fn pid(&self) -> u32 {
        let started = self.child.id();
        if !self.traced {
            return started;
        }
        let children = std::fs::read_to_string(format!("/proc/{started}/task/{started}/children")).unwrap_or_default();
        children.split_whitespace().next().and_then(|pid| pid.parse().ok()).unwrap_or(started)
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        send_signal(self.pid(), name)
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.traced {
            // Its parent would let go of it and end, and it would go on.
            let _ = send_signal(self.pid(), "KILL");
            let _ = self.wait_at_most(Duration::from_secs(10));
        }
        let _ = self.child.kill();
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the end for so long.
    pub(crate) fn wait_at_most(&mut self, patience: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if begun.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(END_POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.end();
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn send_signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "process {pid} is gone");
    Ok(())
}

/// Copies a store with all that stands beside it into another folder, and gives its path there.
pub(crate) fn copy_store(store: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for file in files_of(store)? {
        let name = file.file_name().context("a file has a name")?;
        std::fs::copy(&file, folder.join(name)).with_context(|| format!("{} cannot be copied", file.display()))?;
    }
    Ok(folder.join(store.file_name().context("a store has a name")?))
}

/// A store's file and those beside it that are its own, but for the lock and the log.
pub(crate) fn files_of(store: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let name = store.file_name().context("a store has a name")?.to_string_lossy().into_owned();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(store.parent().context("a store is in a folder")?)? {
        let entry = entry?;
        let found = entry.file_name().to_string_lossy().into_owned();
        if found.starts_with(&name) && !found.ends_with(".lock") && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Length of a file; 0 where there is none.
pub(crate) fn length(path: &Path) -> u64 {
    File::open(path).and_then(|file| file.metadata()).map_or(0, |metadata| metadata.len())
}
