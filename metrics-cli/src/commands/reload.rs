//! What a server reads again while it runs: tokens and certificate, at SIGHUP.

use std::sync::Arc;

use anyhow::Context;
use metrics_http::{Tls, Tokens};

use crate::args::AccessArgs;
#[cfg(unix)]
use crate::notify;

/// What `serve` reads from files that may change.
#[derive(Clone, Default)]
pub(crate) struct Files {
    pub(crate) tokens: Option<Tokens>,
    pub(crate) tls: Option<Tls>,
}

impl Files {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// What is wrong with a file: a server does not start with a bad one.
    pub(crate) fn load(args: &AccessArgs) -> anyhow::Result<Self> {
        let tokens = args.token_file.as_ref().map(Tokens::load).transpose().context("--token-file")?;
        let pair = args.tls_cert.as_ref().zip(args.tls_key.as_ref());
        let tls = pair.map(|(cert, key)| Tls::load(cert, key)).transpose().context("--tls-cert, --tls-key")?;
        if let Some(tokens) = tokens.as_ref().filter(|tokens| tokens.count() == 0) {
            tracing::warn!(file = %tokens.path().display(), "the token file holds no token: nobody may ask yet");
        }
        Ok(Self { tokens, tls })
    }

    /// Reads the files again at each SIGHUP, until the server ends. A bad file changes nothing.
    ///
    /// # Errors
    /// What the system says when it takes no handler.
    #[cfg(unix)]
    pub(crate) fn watch(&self) -> std::io::Result<()> {
        if self.tokens.is_none() && self.tls.is_none() && !notify::is_managed() {
            // Nothing to read: SIGHUP ends the process, as ever. (A service manager sends it to have this process go on.)
            return Ok(());
        }
        let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let files = Arc::new(self.clone());
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                let files = Arc::clone(&files);
                notify::reloading();
                if let Err(error) = tokio::task::spawn_blocking(move || files.reload()).await {
                    tracing::error!(%error, "the token file or the certificate could not be read again");
                }
                notify::reloaded();
            }
        });
        Ok(())
    }

    /// There is no SIGHUP here.
    #[cfg(not(unix))]
    pub(crate) fn watch(&self) -> std::io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn reload(&self) {
        if let Some(tokens) = &self.tokens {
            match tokens.reload() {
                Ok(count) => tracing::info!(count, "tokens read again"),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!("tokens stay as they were: {error:#}");
                }
            }
        }
        if let Some(tls) = &self.tls {
            match tls.reload() {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!("the certificate stays as it was: {error:#}");
                }
            }
        }
    }
}
