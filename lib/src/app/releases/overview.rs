//! A tenant's last 24 hours, and what of it needs attention.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;

use crate::app::inbound::rejected_requests;
use crate::domain::inbound::config::Config;
use crate::domain::outbound::breaker::BreakerState;
use crate::domain::outbound::health::State;
use crate::domain::outbound::overview::{self, Attention, AttentionKind, Overview};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::ids::TenantId;
use crate::domain::shared::time::Timestamp;
use crate::error::Error;
use crate::store::counts::read_hour;
use crate::store::{Key, Store, item, keys};

/// From how many rejected requests in 24 hours on a config needs attention.
const MANY_REJECTED: u64 = 10;

/// How many items are read at once: the limit of a DynamoDB `BatchGetItem`.
const MAX_AT_ONCE: usize = 100;

/// The last 24 hours, and what needs attention now.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn view(store: &Store, tenant: TenantId, now: DateTime<Utc>) -> Result<Overview, Error> {
    let items = store.deliveries.last_day(&keys::tenant_counts(tenant), now).await?;
    let hours: Vec<_> = items.iter().filter_map(read_hour).collect();
    let rejects = hours.iter().any(|(_, counts)| overview::pushes_of(counts, "unauthenticated") > 0);
    let mut attention = subscriptions(store, tenant, now).await?;
    if rejects {
        attention.extend(configs(store, tenant, now).await?);
    }
    Ok(overview::view(&hours, attention, now))
}

/// Subscriptions that we disabled, and those whose receivers fail.
async fn subscriptions(store: &Store, tenant: TenantId, now: DateTime<Utc>) -> Result<Vec<Attention>, Error> {
    let all: Vec<Subscription> = store.core.all(&keys::tenant(tenant), "SUBSCRIPTION#").await?;
    let mut found = Vec::new();
    for some in all.chunks(MAX_AT_ONCE) {
        let states = states(store, some).await?;
        for subscription in some {
            let state = states.get(&keys::receiver_health(tenant, subscription.id));
            if let Some((kind, since)) = trouble(subscription, state, now) {
                found.push(Attention {
                    kind,
                    id: subscription.id.uuid(),
                    name: subscription.spec.name.clone(),
                    since: since.map(Timestamp),
                    detail: subscription.disabled_reason.clone(),
                });
            }
        }
    }
    Ok(found)
}

async fn states(store: &Store, subscriptions: &[Subscription]) -> Result<HashMap<String, State>, Error> {
    let wanted: Vec<Key> = subscriptions.iter().map(|one| keys::state(one.tenant_id, one.id)).collect();
    let mut states = HashMap::new();
    for item in store.deliveries.get_many(&wanted).await? {
        if let Some(partition) = item.get("pk").and_then(|pk| pk.as_s().ok()).cloned() {
            states.insert(partition, item::read(item)?);
        }
    }
    Ok(states)
}

/// The worst problem of a subscription, and since when it has it.
fn trouble(
    subscription: &Subscription,
    state: Option<&State>,
    now: DateTime<Utc>,
) -> Option<(AttentionKind, Option<DateTime<Utc>>)> {
    if !subscription.spec.enabled {
        let by_us = subscription.disabled_reason.is_some();
        return by_us.then_some((AttentionKind::SubscriptionDisabled, Some(subscription.updated_at)));
    }
    let state = state?;
    if state.breaker.state(now) != BreakerState::Closed {
        return Some((AttentionKind::BreakerOpen, state.failing_since));
    }
    state.failing_since.map(|since| (AttentionKind::SubscriptionFailing, Some(since)))
}

/// Configs with many rejected requests.
async fn configs(store: &Store, tenant: TenantId, now: DateTime<Utc>) -> Result<Vec<Attention>, Error> {
    let all: Vec<Config> = store.core.all(&keys::tenant(tenant), "CONFIG#").await?;
    let mut found = Vec::new();
    for some in all.chunks(MAX_AT_ONCE) {
        let counts = some.iter().map(|config| rejected_requests::last_day(store, tenant, config.id, now));
        for (config, rejected) in some.iter().zip(try_join_all(counts).await?) {
            if rejected >= MANY_REJECTED {
                found.push(Attention {
                    kind: AttentionKind::RequestsRejected,
                    id: config.id.uuid(),
                    name: config.spec.name.clone(),
                    since: None,
                    detail: Some(format!("{rejected} requests failed authentication within 24 hours")),
                });
            }
        }
    }
    Ok(found)
}
