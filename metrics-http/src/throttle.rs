//! Senders of wrong tokens: told to wait when they go on, in memory that does not grow with their number.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use std::sync::{Mutex, PoisonError};

/// The time over which wrong tokens are counted.
pub(crate) const PERIOD: Duration = Duration::from_secs(10);
/// Counts that are kept. Senders share one where their addresses fall together, which costs them nothing while their
/// tokens are right.
const SLOTS: usize = 1_024;
/// Time between two lines of the log about it.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// Wrong tokens that came from a group of addresses since a time.
#[derive(Clone, Copy)]
struct Slot {
    since: Instant,
    count: u32,
}

struct State {
    slots: Vec<Slot>,
    /// Wrong tokens since the last line of the log, and when that was.
    unlogged: u64,
    logged: Option<Instant>,
}

/// Counts wrong tokens by the address that they came from.
pub(crate) struct Throttle {
    limit: u32,
    hasher: RandomState,
    state: Mutex<State>,
}

impl Throttle {
    pub(crate) fn new(limit: u32, now: Instant) -> Self {
        let state = State { slots: vec![Slot { since: now, count: 0 }; SLOTS], unlogged: 0, logged: None };
        Self { limit, hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Counts a wrong token; false when its sender has sent more than may be.
    pub(crate) fn count(&self, sender: IpAddr, now: Instant) -> bool {
        let place = self.hasher.hash_one(group(sender)) % SLOTS as u64;
        // Nothing in here panics, and a count is right whatever came of another.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unlogged += 1;
        if state.logged.is_none_or(|at| now.saturating_duration_since(at) >= LOG_PAUSE) {
            tracing::warn!(%sender, requests = state.unlogged, "refused: wrong, revoked or expired tokens");
            (state.unlogged, state.logged) = (0, Some(now));
        }
        let slot = &mut state.slots[usize::try_from(place).expect("less than SLOTS")];
        if now.saturating_duration_since(slot.since) >= PERIOD {
            *slot = Slot { since: now, count: 0 };
        }
        slot.count = slot.count.saturating_add(1);
        slot.count <= self.limit
    }
}

/// An address, or the network of a /64 that one sender of version 6 has to itself.
fn group(sender: IpAddr) -> u64 {
    match sender.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_goes_on_waits_and_others_do_not() {
        let start = Instant::now();
        let throttle = Throttle::new(3, start);
        let sender: IpAddr = "192.0.2.7".parse().expect("an address");
        let counts: Vec<bool> = (0..5).map(|_| throttle.count(sender, start)).collect();
        assert_eq!(counts, [true, true, true, false, false]);
        assert!(!throttle.count("::ffff:192.0.2.7".parse().expect("an address"), start), "the same sender");
        let others = (0..100).filter(|at| throttle.count(IpAddr::from([198, 51, 100, *at]), start)).count();
        assert!(others >= 90, "{others} of a hundred have a count of their own or share one that is small");
        assert!(throttle.count(sender, start + PERIOD), "the time is over");
    }

    #[test]
    fn a_network_of_version_6_is_one_sender() {
        let start = Instant::now();
        let throttle = Throttle::new(1, start);
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(throttle.count(address("2001:db8::1"), start));
        assert!(!throttle.count(address("2001:db8::ffff:2"), start));
    }
}
