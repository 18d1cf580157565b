//! Reading a body: no more than its limit, no slower than its rate, within the memory that all bodies share.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, header};
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::{Exhausted, Grant};
use crate::negotiate::Coding;
use crate::options::ServerOptions;
use crate::respond::Failure;

/// Time that a refused body may still take before its refusal is sent.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// Most bytes of a refused body that are taken and forgotten.
const DISCARD_LIMIT_BYTES: usize = 64 << 20;

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {limit} bytes (--body-limit): send it in parts")]
    TooLarge { limit: usize },
    #[error("the body is larger than {limit} bytes after decompression (--inflated-limit): send it in parts")]
    InflatedTooLarge { limit: usize },
    #[error("the body is not what Content-Encoding says ({coding:?}): {reason}")]
    Damaged { coding: Coding, reason: String },
    #[error("the body did not arrive in time")]
    Slow { timeout: Duration },
    #[error("the body did not arrive whole: {0}")]
    Broken(hyper::Error),
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } | BodyError::InflatedTooLarge { .. } => Self::too_large(error.to_string()),
            BodyError::Damaged { .. } | BodyError::Broken(_) => Self::malformed(error.to_string()),
            BodyError::Slow { timeout } => Self::slow(timeout),
            BodyError::Exhausted(_) => Self::overloaded(error.to_string()),
        }
    }
}

/// The whole body as it arrives; the grant covers it when it returns.
pub(crate) async fn read(body: &mut Incoming, options: &ServerOptions, grant: &mut Grant) -> Result<Bytes, BodyError> {
    let limit = options.body_limit_bytes;
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    let start = Instant::now();
    let mut whole = BytesMut::new();
    loop {
        let earned_s = whole.len() / options.body_rate_min_bytes_per_s.max(1);
        let deadline = start + options.body_timeout + Duration::from_secs(earned_s as u64);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyError::Slow { timeout: options.body_timeout }),
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(frame)) => frame.map_err(BodyError::Broken)?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        grant.cover(whole.len() + data.len())?;
        whole.extend_from_slice(&data);
    }
}

/// Takes what is left of a refused body and forgets it, so that a client that sends all before it reads gets to see
/// the refusal; within bounds of size and time. A client that waits for `100 Continue` sends nothing then.
pub(crate) async fn discard(body: &mut Incoming, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let all = async {
        let mut left = DISCARD_LIMIT_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = match frame.data_ref().map_or(Some(left), |data| left.checked_sub(data.len())) {
                Some(left) => left,
                None => return,
            };
        }
    };
    let _ = timeout(DISCARD_TIMEOUT, all).await;
}
