//! Which queue a first attempt goes to: the fast lane, or the slow one for what may hold others up.
//!
//! Safe to run twice: either lane makes the same attempt.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use super::pulse;
use crate::domain::ids::SubscriptionId;
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::store::Store;

/// First attempts a minute, in this environment, that a receiver may have on the fast lane before it has to
/// have taken something within the last hour.
const UNPROVEN_A_MINUTE: u32 = 50;
/// How long it is believed that a receiver does well, and that it does not, in seconds.
const PROVEN_SECONDS: i64 = 60;
const UNPROVEN_SECONDS: i64 = 5;
/// How many subscriptions are remembered.
const MOST: usize = 10_000;

/// Chooses lanes.
pub struct Lanes {
    store: Store,
    seen: Mutex<HashMap<SubscriptionId, Seen>>,
}

#[derive(Clone, Copy)]
struct Seen {
    minute: i64,
    first_attempts: u32,
    /// Whether the receiver takes things, and when that was read.
    proven: Option<(DateTime<Utc>, bool)>,
}

impl Lanes {
    /// Chooses by what is written in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, seen: Mutex::default() }
    }

    /// Whether a first attempt goes to the fast lane.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn is_fast(&self, subscription: &Subscription, now: DateTime<Utc>) -> Result<bool, Error> {
        // Its deliveries wait for their turns.
        if subscription.terms.rate_limit_per_second.is_some() {
            return Ok(false);
        }
        let proven = {
            let mut all = self.seen.lock().await;
            if all.len() >= MOST {
                all.clear();
            }
            let minute = now.timestamp().div_euclid(60);
            let fresh = Seen { minute, first_attempts: 0, proven: None };
            let seen = all.entry(subscription.id).or_insert(fresh);
            if seen.minute != minute {
                *seen = Seen { proven: seen.proven, ..fresh };
            }
            seen.first_attempts = seen.first_attempts.saturating_add(1);
            if seen.first_attempts <= UNPROVEN_A_MINUTE {
                return Ok(true);
            }
            seen.proven
        };
        if let Some((read_at, is_proven)) = proven {
            let kept = Duration::seconds(if is_proven { PROVEN_SECONDS } else { UNPROVEN_SECONDS });
            if now.signed_duration_since(read_at) < kept {
                return Ok(is_proven);
            }
        }
        let state = pulse::state(&self.store, subscription.tenant_id, subscription.id).await?;
        // Behind an open breaker deliveries are only put aside, which takes no time of others.
        let is_proven = state.is_proven(now) || state.breaker.open_until.is_some();
        if let Some(seen) = self.seen.lock().await.get_mut(&subscription.id) {
            seen.proven = Some((now, is_proven));
        }
        Ok(is_proven)
    }
}
