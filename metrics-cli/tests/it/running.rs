//! A server in a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use crate::program::{Program, Ran};

/// A running server. Ends with the test, whatever its outcome.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(program: &Program, options: &str) -> Self {
        Self::start_at(program, "127.0.0.1:0", options)
    }

    pub(crate) fn start_at(program: &Program, address: &str, options: &str) -> Self {
        Self::spawn(program.command(&format!("serve --listen {address} {options}")))
    }

    /// Runs a line, with variables.
    pub(crate) fn start_with(program: &Program, line: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = program.command(line);
        command.envs(variables.iter().copied());
        Self::spawn(command)
    }

    /// Starts a command that runs a server, and waits until it is ready.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the server says when it is ready");
        let url =
            line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("not ready: {line:?}")).to_owned();
        Self { child, stdout, stderr, url }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill is here");
        assert!(status.success());
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of its log with these words.
    pub(crate) fn logs(&mut self, words: &str) -> String {
        for line in self.stderr.by_ref().lines().map(|line| line.expect("UTF-8")) {
            if line.contains(words) {
                return line;
            }
        }
        panic!("the server ended without a word of \"{words}\"");
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("a URL")
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server ends");
    }

    /// What else it printed, and how it ended.
    pub(crate) fn wait(mut self) -> Ran {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).expect("UTF-8");
        self.stderr.read_to_string(&mut stderr).expect("UTF-8");
        Ran { code: self.child.wait().expect("the server ends").code(), stdout, stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
