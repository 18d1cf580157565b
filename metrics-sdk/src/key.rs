//! Idempotency keys: the name of a write, so that the server takes it once however often it is sent.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ClientError;

/// The name of one write: 1 to [`Self::MAX_BYTES`] visible ASCII characters, no blanks.
///
/// The server remembers a key together with the points for at least a day. A second write with the same key changes
/// nothing and gets the answer of the first. [`Client::write`](crate::Client::write) makes a key of its own; give one
/// with [`Client::write_keyed`](crate::Client::write_keyed) where the write has a name already, such as a file and an
/// offset, or where it must survive a restart of the program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// Written by this process so far; numbers its keys.
static WRITES: AtomicU64 = AtomicU64::new(0);

impl IdempotencyKey {
    /// Longest key.
    pub const MAX_BYTES: usize = 128;

    /// Checks a key.
    ///
    /// # Errors
    /// [`ClientError::Key`] when it is empty, longer than [`Self::MAX_BYTES`] or not visible ASCII.
    ///
    /// ```
    /// use metrics_sdk::IdempotencyKey;
    /// assert!(IdempotencyKey::new("import-2024-02-02.csv:0").is_ok());
    /// assert!(IdempotencyKey::new("line\nbreak").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, ClientError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=Self::MAX_BYTES).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClientError::Key(text.chars().take(Self::MAX_BYTES).collect()))
        }
    }

    /// A key that no other write has: 128 random bits of this process and the number of the key.
    pub fn random() -> Self {
        static PROCESS: OnceLock<(u64, u64)> = OnceLock::new();
        let (high, low) = PROCESS.get_or_init(|| (random_bits(), random_bits()));
        Self(format!("{high:016x}{low:016x}-{}", WRITES.fetch_add(1, Ordering::Relaxed)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 64 bits that differ from call to call and from process to process. The standard library keys every
/// `RandomState` from the operating system's randomness; the clock and the process id go in as well.
pub(crate) fn random_bits() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    hasher.write_u128(clock.as_nanos());
    hasher.write_u32(process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn random_keys_differ_and_are_keys() {
        let keys: HashSet<String> = (0..10_000).map(|_| IdempotencyKey::random().0).collect();
        assert_eq!(keys.len(), 10_000);
        assert!(keys.iter().all(|key| IdempotencyKey::new(key).is_ok()));
        let bits: HashSet<u64> = (0..10_000).map(|_| random_bits()).collect();
        assert_eq!(bits.len(), 10_000);
    }

    #[test]
    fn keys_outside_their_bounds_are_refused() {
        assert!(IdempotencyKey::new(&"k".repeat(128)).is_ok());
        for text in ["", " ", "a b", "é", "a\r\nX: y", &"k".repeat(129)] {
            assert!(matches!(IdempotencyKey::new(text), Err(ClientError::Key(_))), "{text:?}");
        }
    }
}
