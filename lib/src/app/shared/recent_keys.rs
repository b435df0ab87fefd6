//! A bounded set of recently seen keys.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// The last `capacity` keys, in the order of their first insertion.
pub struct RecentSet<T> {
    known: HashSet<T>,
    order: VecDeque<T>,
    capacity: usize,
}

impl<T: Copy + Eq + Hash> RecentSet<T> {
    /// Creates a set that keeps the last `capacity` keys.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), capacity }
    }

    /// Adds a key, and removes the oldest beyond the capacity.
    pub fn insert(&mut self, key: T) {
        if self.known.insert(key) {
            self.order.push_back(key);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether the set contains a key.
    #[must_use]
    pub fn contains(&self, key: &T) -> bool {
        self.known.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_up_to_the_capacity_are_kept() {
        let mut recent = RecentSet::new(2);
        for key in [1, 2, 2, 3] {
            recent.insert(key);
        }
        assert!(!recent.contains(&1) && recent.contains(&2) && recent.contains(&3));
    }
}
