//! What requests cost on AWS, counted at the endpoints: operations, and the units that DynamoDB charges.

use std::collections::BTreeMap;

use crate::World;

/// What was called and charged between two moments.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// How often each operation was called, and each function invoked.
    pub calls: BTreeMap<String, u64>,
    /// DynamoDB's read units.
    pub read: f64,
    /// DynamoDB's write units.
    pub written: f64,
}

impl Bill {
    /// All that a metered world was charged so far.
    #[must_use]
    pub fn now(world: &World) -> Self {
        let charged = world.stack.units().charged();
        let calls = world.stack.calls().snapshot().into_iter().map(|((_, name), count)| (name, count));
        Self { calls: calls.collect(), read: charged.read, written: charged.written }
    }

    /// What came on top of an earlier bill.
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

    /// How often one operation was called.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.calls.get(name).copied().unwrap_or_default()
    }

    /// How often some operations were called together.
    #[must_use]
    pub fn sum(&self, names: &[&str]) -> f64 {
        as_f64(names.iter().map(|name| self.of(name)).sum())
    }

    /// The bill since an earlier one, once an operation was called so often.
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

/// A count to reckon with.
#[must_use]
pub fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("counts of tests are small"))
}
