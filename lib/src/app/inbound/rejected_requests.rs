//! Approximately how many requests to a config failed authentication.

use chrono::{DateTime, Utc};

use crate::app::shared::hourly_counts::HourlyCounters;
use crate::domain::inbound::config::Config;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::error::Error;
use crate::store::counts::read_hour;
use crate::store::{Store, keys};

/// The name of the counter.
const REJECTED: &str = "rejected";

/// Counts one rejected request.
pub async fn count(counters: &HourlyCounters, config: &Config) {
    let mut counts = Counts::default();
    counts.add(REJECTED, 1);
    counters.add(keys::rejections(config.tenant_id, config.id), counts).await;
}

/// How many requests to a config were rejected within the last 24 hours.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn last_day(
    store: &Store,
    tenant: TenantId,
    config: ConfigId,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let items = store.deliveries.last_day(&keys::rejections(tenant, config), now).await?;
    let rejected = items.iter().filter_map(read_hour).map(|(_, counts)| counts.of(REJECTED));
    Ok(rejected.fold(0, u64::saturating_add))
}
