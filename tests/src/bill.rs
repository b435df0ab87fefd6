//! What requests cost on AWS, counted at the emulated endpoints: operations, and DynamoDB's capacity units.

use std::collections::BTreeMap;

use crate::World;

/// The calls and the DynamoDB units between two times.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// How many times each operation was called and each function invoked.
    pub calls: BTreeMap<String, u64>,
    /// DynamoDB read units.
    pub read: f64,
    /// DynamoDB write units.
    pub written: f64,
}

impl Bill {
    /// The bill of a metered world since its start.
    #[must_use]
    pub fn now(world: &World) -> Self {
        let charged = world.stack.capacity().consumed();
        let calls = world.stack.calls().snapshot().into_iter().map(|((_, name), count)| (name, count));
        Self { calls: calls.collect(), read: charged.read, written: charged.written }
    }

    /// The difference to an earlier bill.
    #[must_use]
    pub fn since(self, earlier: &Self) -> Self {
        let more = |(name, count): (String, u64)| {
            let count = count - earlier.of(&name);
            (count > 0).then_some((name, count))
        };
        Self {
            calls: self.calls.into_iter().filter_map(more).collect(),
            read: self.read - earlier.read,
            written: self.written - earlier.written,
        }
    }

    /// How many times one operation was called.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.calls.get(name).copied().unwrap_or_default()
    }

    /// How many times these operations were called in all.
    #[must_use]
    pub fn sum(&self, names: &[&str]) -> f64 {
        as_f64(names.iter().map(|name| self.of(name)).sum())
    }

    /// Waits until an operation was called `times` times since `before`; the bill since then.
    pub async fn until(world: &World, before: &Self, operation: &str, times: u64) -> Self {
        loop {
            let bill = Self::now(world).since(before);
            if bill.of(operation) >= times {
                return bill;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A count as a floating-point number.
#[must_use]
pub fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("counts of tests are small"))
}
