//! A map that keeps a bounded number of entries: a new one evicts the least recently used.

use std::hash::Hash;

use lru::LruCache;

/// A map of at most a number of entries.
///
/// ```
/// use stella::domain::shared::bounded_map::BoundedMap;
///
/// let mut map = BoundedMap::new(2);
/// map.insert("a", 1);
/// map.insert("b", 2);
/// map.get(&"a");
/// map.insert("c", 3);
/// assert_eq!(map.get(&"a"), Some(&1));
/// assert_eq!(map.get(&"b"), None);
/// assert_eq!(map.get(&"c"), Some(&3));
/// ```
#[derive(Debug)]
pub struct BoundedMap<K: Eq + Hash, V> {
    // Not one of a capacity: that would be allocated at once, at each cold start.
    entries: LruCache<K, V>,
    max_entries: usize,
}

impl<K: Eq + Hash, V> BoundedMap<K, V> {
    /// Creates an empty map that keeps `max_entries`.
    #[must_use]
    pub fn new(max_entries: usize) -> Self {
        Self { entries: LruCache::unbounded(), max_entries }
    }

    /// The value of a key, which is the most recently used one from here on.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// The value of a key; where it has none, the default is inserted.
    pub fn get_or_insert_with(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains(&key) {
            self.make_room();
        }
        self.entries.get_or_insert_mut(key, default)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        if !self.entries.contains(&key) {
            self.make_room();
        }
        self.entries.put(key, value);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &K) {
        self.entries.pop(key);
    }

    fn make_room(&mut self) {
        while self.entries.len() >= self.max_entries.max(1) {
            self.entries.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_keys_are_kept_and_no_more(keys in prop::collection::vec(0..20_u8, 0..100), max in 1..10_usize) {
            let mut map = BoundedMap::new(max);
            for key in &keys {
                *map.get_or_insert_with(*key, || 0) = *key;
            }
            let mut last: Vec<u8> = Vec::new();
            for key in keys.iter().rev() {
                if !last.contains(key) && last.len() < max {
                    last.push(*key);
                }
            }
            for key in 0..20 {
                prop_assert_eq!(map.get(&key).copied(), last.contains(&key).then_some(key));
            }
        }
    }
}
