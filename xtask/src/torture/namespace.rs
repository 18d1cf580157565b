//! Mounts of one's own: the whole run happens in a namespace where it may mount, and which takes the mounts with it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;

/// Set where the run is in its namespace.
const INSIDE: &str = "XTASK_NAMESPACE";
/// Ways into one: as root, as anybody, as somebody who may become root.
const WAYS: [&[&str]; 3] = [&["unshare", "-m"], &["unshare", "-Urm"], &["sudo", "-n", "-E", "unshare", "-m"]];

/// Whether this process may mount without anybody else seeing it.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again in a namespace, with other arguments; none where no way leads into one.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn enter(arguments: &[OsString]) -> anyhow::Result<Option<bool>> {
    let works = |way: &&[&str]| {
        let trial = ["sh", "-c", "mount -t tmpfs none /tmp"];
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(trial).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let Some(way) = WAYS.into_iter().find(works) else { return Ok(None) };
    let status = Command::new(way[0])
        .args(&way[1..])
        // sudo keeps no such variable.
        .arg("env")
        .arg(format!("{INSIDE}=1"))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .status()?;
    Ok(Some(status.success()))
}

/// A mount; gone when it is dropped.
pub(crate) struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    /// A file system in memory of so many KiB.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub(crate) fn tmpfs(folder: &'a Path, size_kib: u64) -> anyhow::Result<Self> {
        mount(&["-t", "tmpfs", "-o", &format!("size={size_kib}k"), "none"], folder)?;
        Ok(Self(folder))
    }

    /// A folder over itself, to be read only.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub(crate) fn read_only(folder: &'a Path) -> anyhow::Result<Self> {
        mount(&["--bind", &folder.display().to_string()], folder)?;
        let mounted = Self(folder);
        mount(&["-o", "remount,bind,ro"], folder)?;
        Ok(mounted)
    }
}

fn mount(words: &[&str], folder: &Path) -> anyhow::Result<()> {
    let status = Command::new("mount").args(words).arg(folder).status()?;
    ensure!(status.success(), "{words:?} cannot be mounted on {}", folder.display());
    Ok(())
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // Lazily: a process that was killed a moment ago may still be in it.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
