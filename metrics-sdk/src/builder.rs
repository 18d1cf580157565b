//! A client's settings.

use std::fmt;
use std::time::Duration;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::transport::Transport;
use crate::{ClientError, Retry};

/// Settings of a [`Client`]; made by [`Client::builder`].
///
/// ```
/// use std::time::Duration;
/// use metrics_sdk::{Client, Retry};
///
/// let client = Client::builder("http://127.0.0.1:8080")
///     .timeout(Duration::from_secs(5))
///     .token("s3cret")
///     .retry(Retry::default().attempts(3))
///     .build()?;
/// assert_eq!(client.url(), "http://127.0.0.1:8080");
/// # Ok::<(), metrics_sdk::ClientError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until build is called"]
pub struct ClientBuilder {
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    pub(crate) token: Option<String>,
    pub(crate) ca_certs: Option<Vec<u8>>,
    pub(crate) retry: Retry,
    pub(crate) max_answer_bytes: usize,
    pub(crate) gzip: bool,
}

impl ClientBuilder {
    /// Longest that a call may take where nothing else is asked for.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// Longest [`Self::timeout`].
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
    /// Most bytes of an answer where nothing else is asked for: 64 MiB.
    pub const DEFAULT_MAX_ANSWER_BYTES: usize = 64 << 20;
    /// Smallest body that is compressed.
    pub const MIN_GZIP_BYTES: usize = 1 << 10;
    /// Longest that one attempt may take to connect.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    /// How long an unused connection is kept.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
    /// Most unused connections that are kept.
    pub const IDLE_CONNECTIONS: usize = 8;

    pub(crate) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: Self::DEFAULT_TIMEOUT,
            token: None,
            ca_certs: None,
            retry: Retry::default(),
            max_answer_bytes: Self::DEFAULT_MAX_ANSWER_BYTES,
            gzip: true,
        }
    }

    /// Longest that a call may take, retries and the waits between them included.
    /// Default [`Self::DEFAULT_TIMEOUT`], at most [`Self::MAX_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(Self::MAX_TIMEOUT);
        self
    }

    /// The token that the server asks for; sent as `Authorization: Bearer`, to this server alone. Over `http://` anyone on
    /// the way can read it. Default none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The authorities, as PEM, to which the certificate of a server at `https://` must lead; no other is trusted then.
    /// For a certificate that nobody signed, it is that certificate itself. Default: those that this machine trusts.
    pub fn ca_certs(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certs = Some(pem.into());
        self
    }

    /// How often and how soon a call that failed is made again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Most bytes that an answer may have; more is [`ClientError::TooLarge`].
    /// Default [`Self::DEFAULT_MAX_ANSWER_BYTES`].
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// Whether bodies of [`Self::MIN_GZIP_BYTES`] and more are compressed: a tenth of the bytes for some 10 ns of
    /// processor time a byte. Default true.
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// The client. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Url`], [`ClientError::Token`] or [`ClientError::Trust`] when these cannot be used.
    pub fn build(self) -> Result<Client, ClientError> {
        let endpoint = Endpoint::new(&self.url)?;
        let transport = Transport::new(&self, &endpoint)?;
        Ok(Client::of(endpoint, transport, &self))
    }
}

impl fmt::Debug for ClientBuilder {
    /// Everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}
