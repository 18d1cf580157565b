//! strace: failing the Nth call of a kind, on the store's files and no others, and writing down what was called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// Longest wait for a thread to have its name, and for strace to take hold of it.
const ATTACH_PATIENCE: Duration = Duration::from_secs(20);

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed.
    Kill,
    /// It fails with this error, once.
    Once(&'static str),
    /// It fails with this error from then on.
    FromThenOn(&'static str),
}

impl Fault {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Kill => "kill".to_owned(),
            Self::Once(error) => format!("{error} once"),
            Self::FromThenOn(error) => format!("{error} from then on"),
        }
    }

    fn injection(self, call: &str, at: u64) -> String {
        match self {
            Self::Kill => format!("inject={call}:signal=KILL:when={at}"),
            Self::Once(error) => format!("inject={call}:error={error}:when={at}"),
            Self::FromThenOn(error) => format!("inject={call}:error={error}:when={at}+"),
        }
    }
}

/// The store's file, its log and the two that the store keeps beside them, by which strace tells their calls from others.
pub(crate) fn paths_of(store: &Path) -> Vec<OsString> {
    ["", ".wal", ".wal.checkpoint", ".wal.recovery", ".mark", ".blocks"]
        .iter()
        .flat_map(|ending| {
            let mut path = store.as_os_str().to_owned();
            path.push(ending);
            [OsString::from("-P"), path]
        })
        .collect()
}

/// A fault at the Nth call of a kind on a store's files, with the trace that tells whether it came to that.
#[derive(Debug)]
pub(crate) struct Injection {
    words: Vec<OsString>,
    trace: PathBuf,
}

impl Injection {
    pub(crate) fn new(store: &Path, call: &str, fault: Fault, at: u64) -> Self {
        let trace = store.with_extension("trace");
        let _ = std::fs::remove_file(&trace);
        let mut words: Vec<OsString> = ["strace", "-o"].map(Into::into).to_vec();
        words.push(trace.clone().into());
        words.extend(paths_of(store));
        let traced = format!("trace={call}");
        words.extend(["-e", &traced, "-e", &fault.injection(call, at)].map(Into::into));
        Self { words, trace }
    }

    /// Words that start a program under it, with all its threads.
    pub(crate) fn through(&self) -> Vec<OsString> {
        let tail = ["-f", "-qq", "--"].map(OsString::from);
        self.words.iter().cloned().chain(tail).collect()
    }

    /// Takes hold of one thread, or of a process with all its threads.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn attach(&self, id: u32, all_threads: bool) -> anyhow::Result<Attached> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(all_threads.then_some("-f")).arg("-p").arg(id.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let attached = Attached(child);
        let begun = Instant::now();
        let tracer = || {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|pid| pid.trim() != "0"))
        };
        while !tracer() {
            ensure!(begun.elapsed() < ATTACH_PATIENCE, "strace does not take hold of {id}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(attached)
    }

    /// Whether the fault was brought about.
    pub(crate) fn happened(&self) -> bool {
        let trace = std::fs::read_to_string(&self.trace).unwrap_or_default();
        trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL")
    }
}

/// A strace that holds threads; lets go of them when it is dropped.
pub(crate) struct Attached(Child);

impl Drop for Attached {
    fn drop(&mut self) {
        // SIGTERM lets it detach; its own end must not be the end of what it holds.
        let _ = crate::server::send_signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

/// The thread of a process that has this name. A thread names itself, and may not have come to that yet.
///
/// # Errors
/// When there is none.
pub(crate) fn thread(pid: u32, name: &str) -> anyhow::Result<u32> {
    let begun = Instant::now();
    loop {
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?;
            if std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
                return task.file_name().to_string_lossy().parse().context("a thread has a number");
            }
        }
        ensure!(begun.elapsed() < ATTACH_PATIENCE, "process {pid} has no thread {name}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Words that start a program and write down all that it does to a store's files, and what it sends.
pub(crate) fn recorder(trace: &Path) -> Vec<OsString> {
    let calls = "trace=openat,close,write,pwrite64,writev,sendto,lseek,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    let mut words: Vec<OsString> =
        ["strace", "-f", "-qq", "-yy", "--seccomp-bpf", "-s", "8000000", "-o"].map(Into::into).to_vec();
    words.push(trace.into());
    words.extend(["-e", "signal=none", "-e", calls, "--"].map(OsString::from));
    words
}
