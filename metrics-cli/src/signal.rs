//! SIGINT and SIGTERM: the first asks to stop, the second ends the process at once.

use std::io;

use tokio::sync::oneshot;

/// Exit code of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;
/// Exit code of a process that SIGTERM ended.
#[cfg(unix)]
const TERMINATED: i32 = 143;

/// Number of SIGXFSZ (signal(7); the same on macOS).
#[cfg(any(target_os = "linux", target_os = "macos"))]
const FILE_SIZE_SIGNAL: i32 = 25;

/// Listens from now on. The receiver gets a word at the first signal; the second signal exits with 130 or 143.
///
/// # Errors
/// What the system says when it takes no handler.
pub(crate) fn first() -> io::Result<oneshot::Receiver<()>> {
    let mut signals = Signals::new()?;
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = sender.send(());
        std::process::exit(signals.next().await);
    });
    Ok(receiver)
}

/// Lets a write that passes the limit of file sizes fail, in place of ending the process (SIGXFSZ).
///
/// # Errors
/// What the system says when it takes no handler.
pub(crate) fn survive_large_files() -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Nobody waits for it: that there is a handler is enough, and it stays.
        drop(signal(SignalKind::from_raw(FILE_SIZE_SIGNAL))?);
    }
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next signal's exit code.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> i32 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}
