//! How often requests to a config did not prove themselves: counted in memory, written at most once a
//! minute, so that a flood of them costs next to nothing.
//!
//! What is not written yet is lost when the environment ends: the numbers are approximate.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::domain::hour;
use crate::domain::ids::{ConfigId, TenantId};
use crate::domain::webhook::Config;
use crate::error::Error;
use crate::store::{Store, keys};

/// How often a config's count is written, in seconds.
const WRITTEN_SECONDS: i64 = 60;

/// How long an hour's count is kept, in hours.
const KEPT_HOURS: i64 = 48;

/// How many configs are counted for.
const MOST_CONFIGS: usize = 10_000;

/// Counts rejections.
pub struct Rejections {
    store: Store,
    counted: Mutex<HashMap<ConfigId, Count>>,
}

#[derive(Default)]
struct Count {
    unwritten: u64,
    written_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Hour {
    rejected: u64,
}

impl Rejections {
    /// Writes counts into these tables.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, counted: Mutex::default() }
    }

    /// Counts one. A count that cannot be written is written with the next.
    pub async fn count(&self, config: &Config, now: DateTime<Utc>) {
        let unwritten = {
            let mut counted = self.counted.lock().await;
            if counted.len() >= MOST_CONFIGS {
                counted.clear();
            }
            let count = counted.entry(config.id).or_default();
            count.unwritten = count.unwritten.saturating_add(1);
            let is_early =
                |at: DateTime<Utc>| now.signed_duration_since(at) < Duration::seconds(WRITTEN_SECONDS);
            if count.written_at.is_some_and(is_early) {
                return;
            }
            count.written_at = Some(now);
            std::mem::take(&mut count.unwritten)
        };
        let key = keys::rejections(config.tenant_id, config.id, hour(now));
        let expires = now.checked_add_signed(Duration::hours(KEPT_HOURS)).unwrap_or(now).timestamp();
        if let Err(error) = self.store.deliveries.add(&key, [("rejected", unwritten)], expires).await {
            tracing::warn!(error = %error, config.id = %config.id, "rejections were not written");
            let mut counted = self.counted.lock().await;
            let count = counted.entry(config.id).or_default();
            count.unwritten = count.unwritten.saturating_add(unwritten);
        }
    }
}

/// How many requests to a config were rejected within the last 24 hours, about.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn last_day(
    store: &Store,
    tenant: TenantId,
    config: ConfigId,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let from = now.checked_sub_signed(Duration::hours(24)).unwrap_or(now);
    let (first, last) =
        (keys::rejections(tenant, config, hour(from)), keys::rejections(tenant, config, hour(now)));
    let mut sum: u64 = 0;
    for item in store.deliveries.range(&first.pk, &first.sk, &last.sk).await? {
        let hour: Hour = crate::store::table::read(item)?;
        sum = sum.saturating_add(hour.rejected);
    }
    Ok(sum)
}
