//! A bounded set of recently seen keys.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// The last `capacity` keys, in the order of their first insertion.
pub struct RecentSet<T> {
    known: HashSet<T>,
    order: VecDeque<T>,
    most: usize,
}

impl<T: Copy + Eq + Hash> RecentSet<T> {
    /// Creates a set that keeps the last `capacity` keys.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), most }
    }

    /// Remembers one.
    pub fn note(&mut self, one: T) {
        if self.known.insert(one) {
            self.order.push_back(one);
        }
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether the set contains a key.
    #[must_use]
    pub fn has(&self, one: &T) -> bool {
        self.known.contains(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_and_no_more() {
        let mut recent = RecentSet::new(2);
        for one in [1, 2, 2, 3] {
            recent.note(one);
        }
        assert!(!recent.has(&1) && recent.has(&2) && recent.has(&3));
    }
}
