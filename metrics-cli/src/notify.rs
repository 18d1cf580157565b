//! What a service manager is told, where one started this process and wants to know (systemd's sd_notify(3)).

#[cfg(unix)]
pub(crate) use told::{is_managed, ready, reloaded, reloading, stopping, watch};

#[cfg(unix)]
mod told {
    use std::env;
    use std::io;
    use std::time::Duration;

    use metrics_core::Engine;
    use sd_notify::NotifyState;
    use tokio::task::JoinHandle;

    /// Requests are taken.
    pub(crate) fn ready(url: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {url}"))]);
    }

    /// Whether somebody wants to know.
    pub(crate) fn is_managed() -> bool {
        env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
    }

    /// Files are read again.
    pub(crate) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => report(Err(error)),
        }
    }

    /// They were read.
    pub(crate) fn reloaded() {
        tell(&[NotifyState::Ready]);
    }

    /// No more requests are taken; what is queued is written, and the store closed.
    pub(crate) fn stopping() {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    fn tell(states: &[NotifyState<'_>]) {
        report(sd_notify::notify(states));
    }

    fn report(told: io::Result<()>) {
        if let Err(error) = told {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }

    /// Tells a watchdog twice in its time that the store takes writes and answers reads. A server whose store does not
    /// is started anew by the manager: opening recovers what was acknowledged.
    pub(crate) fn watch(engine: &Engine) -> Option<JoinHandle<()>> {
        let interval = sd_notify::watchdog_enabled()? / 2;
        let engine = engine.clone();
        Some(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
            loop {
                ticks.tick().await;
                let asked = engine.clone();
                match tokio::task::spawn_blocking(move || asked.health()).await {
                    Ok(Ok(())) => tell(&[NotifyState::Watchdog]),
                    Ok(Err(error)) => tracing::error!(%error, "the store does not answer: the watchdog is not told"),
                    Err(error) => tracing::error!(%error, "the store could not be asked: the watchdog is not told"),
                }
            }
        }))
    }
}

#[cfg(not(unix))]
mod nobody {
    use metrics_core::Engine;
    use tokio::task::JoinHandle;

    pub(crate) fn ready(_url: &str) {}

    pub(crate) fn stopping() {}

    pub(crate) fn watch(_engine: &Engine) -> Option<JoinHandle<()>> {
        None
    }
}
#[cfg(not(unix))]
pub(crate) use nobody::{ready, stopping, watch};
