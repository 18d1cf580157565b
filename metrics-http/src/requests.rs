//! One request in the log: under which name, and what is told of it.

use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use tracing::Span;

use crate::respond::Reply;

/// Carries the name of a request, both ways.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest name that is taken over from a client, in bytes.
const MAX_ID_BYTES: usize = 128;
/// A request that takes so long is told of without being asked for. (A stream is answered when it begins.)
const SLOW: Duration = Duration::from_secs(1);
/// Longest path in the log, in characters.
const MAX_PATH_CHARS: usize = 256;

/// The name of a request: what the client calls it, or one of ours. It stands in the answer, in the log, and in the body
/// of an answer that is the server's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// A name from a client is taken over where it is one value of visible ASCII; nothing else gets into the log.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(&REQUEST_ID).iter();
        let sane = |value: &&HeaderValue| {
            (1..=MAX_ID_BYTES).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        match (given.next().filter(sane), given.next()) {
            (Some(value), None) => Self(value.clone()),
            _ => Self::fresh(),
        }
    }

    /// One that no other request of this or another run of the server has, as far as 32 random bits tell.
    fn fresh() -> Self {
        static RUN: LazyLock<u32> = LazyLock::new(|| RandomState::new().build_hasher().finish() as u32);
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut text = String::with_capacity(24);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        write!(text, "{:08x}-{number:06x}", *RUN).expect("a String takes everything");
        Self(HeaderValue::try_from(text).expect("hexadecimal digits are visible ASCII"))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("visible ASCII")
    }

    /// What messages about this request stand in: each says whose it is.
    pub(crate) fn span(&self) -> Span {
        tracing::error_span!("request", id = self.as_str())
    }

    /// Tells the client.
    pub(crate) fn mark(&self, reply: &mut Reply) {
        reply.headers_mut().insert(REQUEST_ID, self.0.clone());
    }
}

/// The parts of a head that may be told: no header and no parameter, for there secrets stand.
pub(crate) struct Told {
    method: Method,
    path: String,
    client: IpAddr,
}

impl Told {
    pub(crate) fn of(head: &Parts, client: IpAddr) -> Self {
        let path = head.uri.path().chars().take(MAX_PATH_CHARS).collect();
        Self { method: head.method.clone(), path, client }
    }

    /// Tells how a request was answered: one that is slow or failed by the server's fault to everybody, each to who
    /// asks for more.
    pub(crate) fn answered(&self, reply: &Reply, elapsed: Duration) {
        let status = reply.status().as_u16();
        let (bytes, ms) = (reply.body().length_bytes(), elapsed.as_micros() as f64 / 1e3);
        let Self { method, path, client } = self;
        if status >= 500 || elapsed >= SLOW {
            tracing::info!(%method, path, status, bytes, ms, %client, "request answered");
        } else {
            tracing::debug!(%method, path, status, bytes, ms, %client, "request answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> RequestId {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_bytes(value).expect("a header's value"));
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_sane_name_is_taken_over_and_no_other() {
        let longest = [b'x'; MAX_ID_BYTES];
        for sane in [&b"a"[..], b"3f2a-!~{}", &longest] {
            assert_eq!(of(&[sane]).as_str().as_bytes(), sane);
        }
        let long = [b'x'; MAX_ID_BYTES + 1];
        for other in [&[&b""[..]][..], &[b"a b"], &[b"a\tb"], &[&[0xc3, 0xa9]], &[&long], &[b"a", b"b"], &[]] {
            let made = of(other);
            assert!(made.as_str().len() == 15 && made != of(other), "{made:?}");
        }
    }
}
