//! The budget: how much work expressions may do for one event.

use super::Failure;

/// Nodes that the expressions of one owner (a subscription, a config, a trigger) may visit for one event.
pub const MAX_VISITS: u32 = 50_000;

/// Steps that the regular expressions of one owner may make for one event. A step is one state at one byte.
pub const MAX_STEPS: u32 = 1 << 18;

/// The budget of one tenant for one event, in budgets of one owner.
pub const TENANT_SHARES: u32 = 10;

/// How many bytes of compared text count as one visit.
const BYTES_PER_VISIT: usize = 128;

/// An amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Amount {
    visits: u32,
    steps: u32,
}

impl Amount {
    fn minus(self, other: Self) -> Self {
        let visits = self.visits.saturating_sub(other.visits);
        Self { visits, steps: self.steps.saturating_sub(other.steps) }
    }

    fn least(self, other: Self) -> Self {
        Self { visits: self.visits.min(other.visits), steps: self.steps.min(other.steps) }
    }
}

/// Expressions that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many expressions failed.
    pub count: u64,
    /// What was wrong with the last one, with its place.
    pub message: String,
}

/// The work that the expressions of one tenant may still do for one event. Each owner (a subscription, a
/// config, a trigger) in turn gets its own part by [`next_owner`](Self::next_owner), as long as the tenant's
/// part lasts. The budget also notes the expressions that failed.
///
/// ```
/// use serde_json::json;
/// use stella::domain::shared::expression::{Budget, Failure, Node, Path};
///
/// let path = Path::parse("$..*").unwrap();
/// let document = json!([1, 2, 3, 4, 5]);
/// let search = |budget: &mut Budget| path.any(Node::Value(&document), budget, |_, _| Ok(false));
///
/// assert_eq!(search(&mut Budget::default()), Ok(false));
/// assert_eq!(search(&mut Budget::of(3, 0)), Err(Failure::Visits));
/// ```
#[derive(Debug, Clone)]
pub struct Budget {
    /// What each owner gets.
    per_owner: Amount,
    /// What was left of the tenant's part when the present owner began.
    tenant: Amount,
    granted: Amount,
    left: Amount,
    failures: Failures,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MAX_VISITS, MAX_STEPS)
    }
}

impl Budget {
    /// A budget of `visits` and `steps` for each owner, and [`TENANT_SHARES`] times as much for the tenant.
    #[must_use]
    pub fn of(visits: u32, steps: u32) -> Self {
        let per_owner = Amount { visits, steps };
        let tenant = Amount {
            visits: visits.saturating_mul(TENANT_SHARES),
            steps: steps.saturating_mul(TENANT_SHARES),
        };
        Self { per_owner, tenant, granted: per_owner, left: per_owner, failures: Failures::default() }
    }

    /// Begins the part of the next owner.
    pub fn next_owner(&mut self) {
        self.tenant = self.tenant.minus(self.granted.minus(self.left));
        self.granted = self.per_owner.least(self.tenant);
        self.left = self.granted;
    }

    /// The nodes that the present owner's expressions visited, and the steps that they made.
    #[must_use]
    pub fn spent(&self) -> (u32, u32) {
        let spent = self.granted.minus(self.left);
        (spent.visits, spent.steps)
    }

    /// How many owners' budgets have been used so far, of visits or of steps, whichever is more: 0 to
    /// [`TENANT_SHARES`].
    #[must_use]
    pub fn shares(&self) -> u32 {
        let left = self.tenant.minus(self.granted.minus(self.left));
        let used = |left: u32, share: u32| {
            let all = share.saturating_mul(TENANT_SHARES);
            all.saturating_sub(left).checked_div(share).unwrap_or(0)
        };
        used(left.visits, self.per_owner.visits).max(used(left.steps, self.per_owner.steps))
    }

    /// Counts visits before they are made. Asking for more than is left uses up the rest, so that a later
    /// owner does not begin with a remainder that is too small.
    pub(super) fn visit(&mut self, visits: u32) -> Result<(), Failure> {
        let left = self.left.visits.checked_sub(visits);
        self.left.visits = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None if self.granted.visits < self.per_owner.visits => Err(Failure::Tenant),
            None => Err(Failure::Visits),
        }
    }

    /// Counts the comparison of `bytes` bytes of text, before it is made.
    pub(super) fn weigh(&mut self, bytes: usize) -> Result<(), Failure> {
        let visits = bytes.checked_div(BYTES_PER_VISIT).unwrap_or(0);
        self.visit(u32::try_from(visits).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Counts steps of a regular expression, in the same way.
    pub(super) fn step(&mut self, steps: usize) -> Result<(), Failure> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.left.steps.checked_sub(steps));
        self.left.steps = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None if self.granted.steps < self.per_owner.steps => Err(Failure::Tenant),
            None => Err(Failure::Steps),
        }
    }

    /// Notes that the expression at `place` failed.
    pub fn note(&mut self, place: &str, failure: Failure) {
        self.failures.count = self.failures.count.saturating_add(1);
        self.failures.message = format!("{place} {failure}");
    }

    /// What was wrong with the last expression that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        (self.failures.count > 0).then_some(&*self.failures.message)
    }

    /// Takes the failures since the last call, if there are any.
    pub fn take_failures(&mut self) -> Option<Failures> {
        (self.failures.count > 0).then(|| std::mem::take(&mut self.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_its_own_part_until_the_tenants_is_used_up() {
        let mut budget = Budget::default();
        for _ in 0..TENANT_SHARES {
            budget.next_owner();
            assert_eq!(budget.visit(MAX_VISITS), Ok(()));
            assert_eq!(budget.visit(1), Err(Failure::Visits));
            assert_eq!(budget.step(1 << 18), Ok(()));
            assert_eq!(budget.step(1), Err(Failure::Steps));
        }
        budget.next_owner();
        assert_eq!(budget.visit(1), Err(Failure::Tenant));
        assert_eq!(budget.step(1), Err(Failure::Tenant));
    }

    #[test]
    fn what_an_owner_does_not_use_is_left_for_the_others() {
        let mut budget = Budget::default();
        for _ in 0..1_000 {
            budget.next_owner();
            assert_eq!(budget.visit(500), Ok(()));
        }
        budget.next_owner();
        assert_eq!(budget.visit(1), Err(Failure::Tenant));
    }

    #[test]
    fn shares_count_what_all_owners_used() {
        let mut budget = Budget::default();
        assert_eq!(budget.shares(), 0);
        for used in 1..=TENANT_SHARES {
            budget.next_owner();
            assert_eq!(budget.visit(MAX_VISITS), Ok(()));
            assert_eq!(budget.shares(), used);
        }
        budget.next_owner();
        assert_eq!(budget.shares(), TENANT_SHARES);
    }

    #[test]
    fn asking_for_too_much_uses_up_the_rest() {
        let mut budget = Budget::of(10, 10);
        assert_eq!(budget.visit(4), Ok(()));
        assert_eq!(budget.visit(7), Err(Failure::Visits));
        assert_eq!(budget.visit(1), Err(Failure::Visits));
        assert_eq!(budget.spent(), (10, 0));
    }
}
