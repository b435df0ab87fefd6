//! Disables a subscription whose receiver is gone, or has failed for days.
//!
//! Safe to run twice: the change is conditional on the revision that it replaces, and the operational event
//! has a derived id.

use chrono::{DateTime, Utc};

use super::{receiver_health, service_events};
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Error, Kind};
use crate::store::Store;

/// The reason that is stored and shown if a subscription is disabled for its failures.
const FAILING_REASON: &str = "Every attempt has failed for five days";

/// Disables a subscription and raises `subscription.disabled`, unless the subscription was changed since
/// `revision`.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn disable(
    store: &Store,
    tenant: TenantId,
    id: SubscriptionId,
    reason: &str,
    revision: u64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(before) = store.find_subscription(tenant, id).await? else { return Ok(()) };
    // An earlier run of this command disabled it, and may have ended before it raised the event.
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

/// Disables a subscription if every attempt has failed for five days.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn give_up(
    store: &Store,
    tenant: TenantId,
    id: SubscriptionId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !receiver_health::state(store, tenant, id).await?.has_failed_for_days(now) {
        return Ok(());
    }
    let Some(found) = store.find_subscription(tenant, id).await? else { return Ok(()) };
    disable(store, tenant, id, FAILING_REASON, found.revision, now).await
}
