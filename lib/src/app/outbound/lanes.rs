//! Chooses the queue of a first attempt: the fast lane, or the slow lane if the receiver may hold others up.
//!
//! Safe to run twice: either lane makes the same attempt.

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use super::receiver_health;
use crate::app::shared::ttl_cache::TtlCache;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::bounded_map::BoundedMap;
use crate::domain::shared::ids::SubscriptionId;
use crate::error::Error;
use crate::store::Store;

/// How long a receiver's state is cached if it is proven, and if it is not, in seconds.
const PROVEN_SECONDS: i64 = 60;
const UNPROVEN_SECONDS: i64 = 5;
/// How many subscriptions are counted.
const MAX_COUNTED: usize = 10_000;

/// Chooses lanes.
pub struct Lanes {
    store: Store,
    /// First attempts per minute, in this environment, that a receiver gets on the fast lane without a
    /// success within the last hour.
    unproven_per_minute: u32,
    /// The minute, and the number of first attempts in it, by subscription.
    counted: Mutex<BoundedMap<SubscriptionId, (i64, u32)>>,
    /// Whether a receiver is proven: it had a success within the last hour.
    proven: TtlCache<SubscriptionId, bool>,
}

impl Lanes {
    /// Chooses by the receivers' states in `store`.
    #[must_use]
    pub fn new(store: Store, unproven_per_minute: u32) -> Self {
        Self {
            store,
            unproven_per_minute,
            counted: Mutex::new(BoundedMap::new(MAX_COUNTED)),
            proven: TtlCache::default(),
        }
    }

    /// Whether a first attempt goes to the fast lane.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn is_fast(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<bool, Error> {
        // Its deliveries wait for rate-limit slots.
        if subscription.spec.rate_limit_per_second.is_some() {
            return Ok(false);
        }
        if self.count(subscription.id, now).await <= self.unproven_per_minute {
            return Ok(true);
        }
        let kept_for =
            |is_proven: &bool| Duration::seconds(if *is_proven { PROVEN_SECONDS } else { UNPROVEN_SECONDS });
        let read = async || {
            let state = receiver_health::state(&self.store, subscription.tenant_id, subscription.id).await?;
            // While the breaker is open, deliveries are only deferred, which holds nobody up.
            Ok(state.is_proven(now) || state.breaker.open_until.is_some())
        };
        self.proven.get(subscription.id, now, kept_for, read).await
    }

    /// Counts a first attempt, and returns how many there were in this minute.
    async fn count(&self, subscription: SubscriptionId, now: DateTime<Utc>) -> u32 {
        let mut all = self.counted.lock().await;
        let minute = now.timestamp().div_euclid(60);
        let counted = all.get_or_insert_with(subscription, || (minute, 0));
        if counted.0 != minute {
            *counted = (minute, 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1
    }
}
