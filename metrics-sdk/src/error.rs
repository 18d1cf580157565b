//! What can go wrong with a call.

use std::io;
use std::time::Duration;

/// Why a call to the server failed. Each variant says what was tried and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server's address, or the address of one call, cannot be used.
    #[error("\"{url}\" cannot be used as the server's URL: {reason}")]
    Url {
        /// The address as given, without a password.
        url: String,
        /// What is wrong with it and what would be right.
        reason: String,
    },
    /// The token holds characters that an HTTP header cannot carry. It is not shown.
    #[error("the token holds characters that an HTTP header cannot carry: only printable ASCII is allowed")]
    Token,
    /// The certificates of the authorities that are trusted cannot be used.
    #[error("no server can be trusted: {reason}")]
    Trust {
        /// What is wrong with them.
        reason: String,
    },
    /// The idempotency key is empty, too long or not visible ASCII.
    #[error("\"{0}\" is not an idempotency key: 1 to {most} visible ASCII characters are required", most = crate::IdempotencyKey::MAX_BYTES)]
    Key(String),
    /// The thread of a blocking client could not be started.
    #[error("cannot start the client's thread: {reason}")]
    Thread {
        /// What the operating system reported.
        reason: String,
    },
    /// No connection to the server.
    #[error("no connection to {url}: {reason}")]
    Connect {
        /// The server's address.
        url: String,
        /// What the operating system reported.
        kind: io::ErrorKind,
        /// The same in words.
        reason: String,
    },
    /// The connection broke before the answer was complete. Whether the server acted on the request is unknown.
    #[error("the connection to {url} broke before the answer was complete: {reason}")]
    Interrupted {
        /// The server's address.
        url: String,
        /// What broke.
        reason: String,
    },
    /// No answer within the time that a call may take. Whether the server acted on the request is unknown.
    #[error("no answer from {url} within {after:?}")]
    Timeout {
        /// The server's address.
        url: String,
        /// The time that the call was given, retries included.
        after: Duration,
    },
    /// The server answered that it will not do it.
    #[error("the server answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        message: String,
        /// How long the server asks to wait before the next try.
        retry_after: Option<Duration>,
    },
    /// The server's answer is not what the call promises.
    #[error("the answer to {call} cannot be read: {reason}")]
    Answer {
        /// Method and path of the call.
        call: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The answer has more bytes than [`ClientBuilder::max_answer_bytes`](crate::ClientBuilder::max_answer_bytes).
    #[error(
        "the answer to {call} has more than {limit_bytes} bytes: ask for less time or wider windows, or allow more"
    )]
    TooLarge {
        /// Method and path of the call.
        call: &'static str,
        /// The limit.
        limit_bytes: usize,
    },
}

impl ClientError {
    /// Whether the same call may succeed a little later: the server was busy (503, 429), starting or stopping, or it is
    /// unknown what became of the call (502, 504, a broken connection).
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 429 | 502..=504),
            Self::Connect { kind, .. } => matches!(
                kind,
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::TimedOut
            ),
            Self::Interrupted { .. } => true,
            _ => false,
        }
    }

    /// How long the server asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
