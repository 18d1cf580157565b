//! A server under measurement: started, looked at through `/proc`, and ended by its id.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Time that a server gets to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// A running server. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program whose output goes into a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = std::fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {command:?}"))? })
    }

    /// Seconds of processor time that it has used, of all its threads: fields 14 and 15 of proc(5).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        metrics_benches::cpu_seconds_of(&self.child.id().to_string()).context("the server is gone")
    }

    /// Resident memory now and at its peak, in MiB.
    pub(crate) fn memory_mib(&self) -> Result<(f64, f64)> {
        metrics_benches::memory_mib_of(&self.child.id().to_string()).context("the server is gone")
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until it has nothing left to do: less than three hundredths of a core, two seconds in a row.
    pub(crate) fn settle(&self, at_most: Duration) -> Result<()> {
        let begun = Instant::now();
        let (mut before, mut calm) = (self.cpu_seconds()?, 0);
        while calm < 2 && begun.elapsed() < at_most {
            std::thread::sleep(Duration::from_secs(1));
            let now = self.cpu_seconds()?;
            calm = if now - before <= 0.03 { calm + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().context("cannot run kill")?;
        let begun = Instant::now();
        while asked.success() && begun.elapsed() < STOP_TIMEOUT {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the server did not end within {STOP_TIMEOUT:?}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended has nothing to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that the files of a folder take.
pub(crate) fn bytes_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Files come and go while a server tidies up.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { bytes_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
