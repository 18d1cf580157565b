//! When a call that failed is made again.

use std::time::Duration;

use crate::ClientError;

/// How often and how soon a failed call is made again.
///
/// Only failures that may pass are retried ([`ClientError::is_transient`]), and only calls that may be repeated: reads,
/// and writes under an idempotency key, which is all of them. Before retry *n* the client waits between half and all of
/// `first_delay * 2^(n-1)`, at most `max_delay`: many clients that failed together then do not come back together.
/// A server's `Retry-After` is waited for in full.
///
/// ```
/// use std::time::Duration;
/// use metrics_sdk::Retry;
/// let patient = Retry::default().attempts(10).max_delay(Duration::from_secs(10));
/// let never = Retry::none();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
}

impl Default for Retry {
    /// 5 attempts, 100 ms before the second, at most 5 s before any.
    fn default() -> Self {
        Self { attempts: 5, first_delay: Duration::from_millis(100), max_delay: Duration::from_secs(5) }
    }
}

impl Retry {
    /// One attempt only.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// Most times that a call is made, the first included; 0 counts as 1. Default 5.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Longest wait before the second attempt; it doubles from then on. Default 100 ms.
    #[must_use]
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Longest wait before any attempt, unless the server asks for more. Default 5 s.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How long to wait after the attempt number `attempt` (from 1) failed; none to give up.
    /// `random` chooses the place between half and all of the wait.
    pub(crate) fn delay_after(&self, attempt: u32, error: &ClientError, random: u64) -> Option<Duration> {
        if attempt >= self.attempts || !error.is_transient() {
            return None;
        }
        Some(self.wait(attempt, error, random))
    }

    /// How long to wait after the attempt number `attempt` (from 1) failed, however many may follow.
    pub(crate) fn wait(&self, attempt: u32, error: &ClientError, random: u64) -> Duration {
        let doubled = self.first_delay.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        let half = doubled.min(self.max_delay) / 2;
        let backoff = half + half.mul_f64(random as f64 / u64::MAX as f64);
        error.retry_after().map_or(backoff, |asked| asked.saturating_add(backoff))
    }
}

/// Reads a `Retry-After` header: seconds, or a date of RFC 9110 (section 10.2.3).
pub(crate) fn parse_retry_after(text: &str, now: metrics_core::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    let micros = at.timestamp_micros().saturating_sub(now.micros());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use metrics_core::Timestamp;

    use super::*;

    fn busy(retry_after: Option<Duration>) -> ClientError {
        ClientError::Refused { status: 503, message: "busy".into(), retry_after }
    }

    #[test]
    fn waits_double_up_to_the_most() {
        let retry = Retry::default().attempts(100).max_delay(Duration::from_millis(500));
        let longest = |attempt| retry.delay_after(attempt, &busy(None), u64::MAX).expect("retried").as_millis();
        let shortest = |attempt| retry.delay_after(attempt, &busy(None), 0).expect("retried").as_millis();
        assert_eq!([1, 2, 3, 4, 99].map(longest), [100, 200, 400, 500, 500]);
        assert_eq!([1, 2, 3, 4, 99].map(shortest), [50, 100, 200, 250, 250]);
    }

    #[test]
    fn a_wait_that_the_server_asks_for_is_never_cut() {
        let asked = Duration::from_secs(7);
        let delay = Retry::default().delay_after(1, &busy(Some(asked)), 0).expect("retried");
        assert_eq!(delay, asked + Duration::from_millis(50));
    }

    #[test]
    fn attempts_are_bounded_and_lasting_failures_are_not_retried() {
        assert_eq!(Retry::default().delay_after(5, &busy(None), 0), None);
        assert_eq!(Retry::none().delay_after(1, &busy(None), 0), None);
        let wrong = ClientError::Refused { status: 400, message: "no name".into(), retry_after: None };
        assert_eq!(Retry::default().delay_after(1, &wrong, 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("1994-11-06T08:49:00Z").expect("valid");
        assert_eq!(parse_retry_after(" 3 ", now), Some(Duration::from_secs(3)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(37)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
    }
}
