//! Tables whose keys strangers choose: names, labels, spellings, idempotency keys.
//!
//! The hash is seeded with numbers of this process. With one that is the same everywhere, a client could send keys that
//! all fall into one place of a table, and each look-up would walk through all of them.

use std::collections::HashMap;

/// A table that nobody can make slow by the keys that he sends; as fast as one without a seed.
pub(crate) type SeededMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn two_tables_scatter_the_same_keys_differently() {
        let (one, other) = (SeededMap::<&str, ()>::default(), SeededMap::<&str, ()>::default());
        let places = |table: &SeededMap<&str, ()>| {
            ["a", "host=web1", "cpu_usage_system,host=web1"].map(|key| table.hasher().hash_one(key))
        };
        assert_eq!(places(&one), places(&one));
        assert_ne!(places(&one), places(&other));
    }
}
