//! What became of the points.

use std::fmt;

/// Most rejections that a report lists; older ones are only counted.
pub(super) const MAX_REJECTIONS: usize = 16;

/// Figures of a writer since its start. All but the last three only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Points taken from the program.
    pub handed: u64,
    /// Points that the server has stored, those of an earlier writer's spill included.
    pub delivered: u64,
    /// Points of `delivered` of which the server said that an earlier attempt had stored them already.
    pub replayed: u64,
    /// Points that the server refused for good.
    pub rejected: u64,
    /// Points given up: the buffer was full, or the server was away for too long.
    pub dropped: u64,
    /// Points set aside in the spill folder instead of being sent: damaged, or too old to be sent again.
    pub set_aside: u64,
    /// Requests made.
    pub requests: u64,
    /// Requests that were made again.
    pub retries: u64,
    /// Bytes of bodies sent, each attempt counted.
    pub sent_bytes: u64,
    /// Points in memory now.
    pub buffered: u64,
    /// Points in the spill folder now.
    pub spilled: u64,
    /// Bytes of the spill folder's batches now.
    pub spilled_bytes: u64,
}

/// What became of all points that were handed over before [`Writer::flush`](crate::Writer::flush) or
/// [`Writer::close`](crate::Writer::close) was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The figures since the writer's start.
    pub counters: Counters,
    /// Why points were refused, the latest 16 refusals, oldest first.
    pub rejections: Vec<Rejection>,
    /// The last thing that went wrong and was tried again, in words.
    pub last_error: Option<String>,
}

/// A batch that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Its points; all of them are refused.
    pub points: u64,
    /// Why, in the server's words.
    pub message: String,
}

impl Report {
    /// Whether the server has stored every point.
    pub fn is_complete(&self) -> bool {
        let Counters { rejected, dropped, set_aside, spilled, buffered, .. } = self.counters;
        rejected + dropped + set_aside + spilled + buffered == 0
    }
}

impl fmt::Display for Report {
    /// One line: `12 points delivered, 3 rejected, 0 dropped, 5 spilled`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { delivered, rejected, dropped, spilled, set_aside, .. } = self.counters;
        write!(f, "{delivered} points delivered, {rejected} rejected, {dropped} dropped, {spilled} spilled")?;
        if set_aside > 0 {
            write!(f, ", {set_aside} set aside")?;
        }
        if let Some(rejection) = self.rejections.last() {
            write!(f, "; last rejected: {}", rejection.message)?;
        }
        match &self.last_error {
            Some(error) if !self.is_complete() => write!(f, "; last error: {error}"),
            _ => Ok(()),
        }
    }
}
