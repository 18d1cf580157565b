//! Runs the program in a folder of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder with the store's file, and the program's environment.
pub(crate) struct Program {
    pub(crate) folder: tempfile::TempDir,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("the folder can be written to");
    }

    /// A command that knows nothing of the environment that the tests run in.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-cli"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        let own = std::env::vars_os().map(|(key, _)| key).filter(|key| key.to_string_lossy().starts_with("METRICS_"));
        for key in own.chain(["RUST_LOG", "NO_COLOR", "TZ", "NOTIFY_SOCKET", "WATCHDOG_USEC"].map(Into::into)) {
            command.env_remove(key);
        }
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.command(line).output().expect("the program starts").into()
    }

    /// Runs a command that must end well, and gives what it printed.
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        ran.stdout
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Ran {
        let mut command = self.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads its input");
        child.wait_with_output().expect("the program ends").into()
    }

    /// Names of what is in the folder, ascending.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort_unstable();
        names
    }

    /// JSON that a command printed.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.ok(line)).expect("stdout is JSON")
    }
}
