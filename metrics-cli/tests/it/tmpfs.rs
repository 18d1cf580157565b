//! A small disk of the test's own: a tmpfs in a mount namespace, in which servers are started.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mounted disk. It is gone with the test.
pub(crate) struct Tmpfs {
    /// Keeps the namespace, and the disk with it.
    keeper: Child,
    folder: PathBuf,
    /// What enters the namespace.
    enter: Vec<String>,
}

impl Tmpfs {
    /// A disk of so many bytes; none where the system gives nobody a namespace, which is said.
    pub(crate) fn new(folder: &Path, bytes: u64) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size={bytes} tmpfs {} && echo mounted && exec cat", folder.display());
        for (unshare, nsenter) in [("-Urm", &["-U", "-m", "--preserve-credentials"][..]), ("-m", &["-m"])] {
            let mut command = Command::new("unshare");
            command.args([unshare, "sh", "-c", &mount]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let Ok(mut keeper) = command.stderr(Stdio::null()).spawn() else { continue };
            let mut line = String::new();
            let stdout = keeper.stdout.take().expect("a pipe");
            BufReader::new(stdout).read_line(&mut line).expect("UTF-8");
            if line.trim_end() == "mounted" {
                let target = ["nsenter".to_owned(), "-t".to_owned(), keeper.id().to_string()];
                let enter = target.into_iter().chain(nsenter.iter().map(|&option| option.to_owned())).collect();
                return Some(Self { keeper, folder: folder.to_owned(), enter });
            }
            // It ended by itself, for the mount failed.
            keeper.wait().expect("it ends");
        }
        println!("SKIPPED: this system mounts no tmpfs for this user");
        None
    }

    /// The same command inside the namespace.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new(&self.enter[0]);
        inside.args(&self.enter[1..]).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        inside
    }

    /// The disk as it is seen from here.
    fn seen(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(inside)
    }

    /// Takes so much of the disk, as another program would.
    pub(crate) fn fill(&self, bytes: usize) {
        std::fs::write(self.seen().join("ballast"), vec![1; bytes]).expect("there is room for it");
    }

    /// Gives back what [`Self::fill`] took.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.seen().join("ballast")).expect("it was there");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
