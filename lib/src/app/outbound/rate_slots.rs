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
    /// Unavailable when DynamoDB is.
    pub async fn turn(
        &self,
        subscription: &Subscription,
        per_second: u32,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Error> {
        let key = keys::pace(subscription.tenant_id, subscription.id, per_second);
        // Beyond the longest line that there may be: nobody reads it then.
        let expires = now.checked_add_signed(Duration::days(40)).unwrap_or(now).timestamp();
        let turn =
            self.0.take_turn(&key, now.timestamp_micros(), interval_micros(per_second), expires).await?;
        // Up to the next millisecond, for that is what times are told in.
        Ok(DateTime::from_timestamp_millis(turn.saturating_add(999).div_euclid(1_000)).unwrap_or(now))
    }
}
