//! Gives out the rate-limit slots of subscriptions with `rateLimitPerSecond`.
//!
//! Safe to run twice: the slot of the first run goes unused.

use chrono::{DateTime, Duration, Utc};

use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::rate_slot::interval_micros;
use crate::error::Error;
use crate::store::{Store, Table, keys};

/// Gives out rate-limit slots.
#[derive(Clone)]
pub struct RateSlots(Table);

impl RateSlots {
    /// The slots in the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.deliveries.clone())
    }

    /// Takes the next free slot of a subscription. Returns its time: now or later.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn take(
        &self,
        subscription: &Subscription,
        per_second: u32,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Error> {
        let key = keys::rate_slot(subscription.tenant_id, subscription.id, per_second);
        // Longer than a delivery can wait for its slot, so that a counter in use never expires.
        let expires = now.checked_add_signed(Duration::days(40)).unwrap_or(now).timestamp();
        let slot =
            self.0.take_slot(&key, now.timestamp_micros(), interval_micros(per_second), expires).await?;
        // Round up to a millisecond, the precision of stored times.
        Ok(DateTime::from_timestamp_millis(slot.saturating_add(999).div_euclid(1_000)).unwrap_or(now))
    }
}
