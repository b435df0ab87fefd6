//! Disables subscriptions because of how their receivers do.
//!
//! Safe to run twice: the change names the revision it replaces, and what it raises has an id of its own.

use chrono::{DateTime, Utc};

use super::{receiver_health, service_events};
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Error, Kind};
use crate::store::Store;

/// Why a subscription was given up.
const HOPELESS: &str = "Every attempt has failed for five days";

/// Disables a subscription because of what its receiver did, unless it was changed since.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn disable(
    store: &Store,
    tenant: TenantId,
    id: SubscriptionId,
    reason: &str,
    revision: u64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(before) = store.find_subscription(tenant, id).await? else { return Ok(()) };
    // This very command disabled it, and may not have said so.
    let is_ours =
        before.revision == revision.saturating_add(1) && before.disabled_reason.as_deref() == Some(reason);
    if is_ours && !before.spec.enabled {
        return service_events::disabled(store, &before).await;
    }
    if before.revision != revision || !before.spec.enabled {
        return Ok(());
    }
    let mut after = before.clone();
    after.spec.enabled = false;
    after.disabled_reason = Some(reason.to_owned());
    after.updated_at = now;
    after.revision = before.revision.saturating_add(1);
    match store.replace_subscription(&before, &after).await {
        Err(error) if error.kind == Kind::Conflict => return Ok(()),
        done => done?,
    }
    service_events::disabled(store, &after).await
}

/// Disables a subscription that has had nothing but failures for days.
///
/// # Errors
/// Unavailable when DynamoDB is.
pub async fn give_up(
    store: &Store,
    tenant: TenantId,
    id: SubscriptionId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !receiver_health::state(store, tenant, id).await?.is_hopeless(now) {
        return Ok(());
    }
    let Some(found) = store.find_subscription(tenant, id).await? else { return Ok(()) };
    disable(store, tenant, id, HOPELESS, found.revision, now).await
}
