//! Idempotency keys: a write that is sent again is answered, not stored again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::WriteError;
use crate::model::SeededMap;
use crate::store::StoredKey;

/// Longest idempotency key.
pub const MAX_KEY_BYTES: usize = 128;

/// A text that the sender gives to one write and to each repetition of it: 1 to [`MAX_KEY_BYTES`] visible ASCII
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Checks a key.
    ///
    /// # Errors
    /// [`WriteError::Key`] when it is empty, too long or holds other characters.
    pub fn new(text: &str) -> Result<Self, WriteError> {
        let valid = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(text.into())) } else { Err(WriteError::Key) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The keys that are remembered, oldest first to go.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    points: SeededMap<IdempotencyKey, u64>,
    by_age: VecDeque<(i64, IdempotencyKey)>,
}

impl Keys {
    /// The keys of the file.
    pub(crate) fn load(mut stored: Vec<StoredKey>) -> Self {
        stored.sort_by_key(|key| key.at);
        let mut keys = Self::default();
        stored.into_iter().for_each(|key| keys.remember(&key));
        keys
    }

    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Points of the write that a key was given to.
    pub(crate) fn get(&self, key: &IdempotencyKey) -> Option<u64> {
        self.points.get(key).copied()
    }

    pub(crate) fn remember(&mut self, key: &StoredKey) {
        let text = IdempotencyKey(key.key.as_str().into());
        self.by_age.push_back((key.at, text.clone()));
        self.points.insert(text, key.points);
    }

    /// Forgets keys that were given before an instant; true when there were any.
    pub(crate) fn expire(&mut self, before: i64) -> bool {
        let known = self.by_age.len();
        while let Some((_, key)) = self.by_age.pop_front_if(|(at, _)| *at < before) {
            self.points.remove(&key);
        }
        self.by_age.len() < known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_text() {
        assert!(IdempotencyKey::new(&"k".repeat(128)).is_ok());
        for bad in ["", "a b", "a\n", "ü", &"k".repeat(129)] {
            assert!(matches!(IdempotencyKey::new(bad), Err(WriteError::Key)), "{bad}");
        }
    }

    #[test]
    fn old_keys_are_forgotten_and_young_ones_kept() {
        let key = |at: i64| StoredKey { key: format!("k{at}"), points: at as u64, at };
        let mut keys = Keys::load(vec![key(3), key(1), key(2)]);
        assert!(keys.expire(3));
        assert!(!keys.expire(3));
        let get = |text| keys.get(&IdempotencyKey::new(text).expect("valid"));
        assert_eq!((get("k1"), get("k2"), get("k3")), (None, None, Some(3)));
    }
}
