//! Operational events: raised only if a subscription names their type, once for each cause.
//!
//! Safe to run twice: the event's id is derived from its cause, and the second write finds the first event.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::domain::outbound::delivery::Delivery;
use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_type::EventType;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::domain::shared::time::timestamp;
use crate::error::Error;
use crate::store::{Created, Store, keys};

/// Raises `delivery.exhausted`. Deliveries of operational events raise nothing: otherwise a broken subscriber
/// to them would raise events for ever.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn exhausted(store: &Store, row: &Delivery, subscription: &Subscription) -> Result<(), Error> {
    let Some(last) = row.log.last().filter(|_| !row.event.is_operational()) else { return Ok(()) };
    let data = json!({
        "delivery": {
            "id": row.id, "event": row.event, "eventId": row.event_id, "attempts": row.attempts,
            "lastStatus": last.status_code, "error": last.error,
        },
        "subscription": {"id": subscription.id, "name": subscription.spec.name},
    });
    let cause = format!("{}#{}", row.id, row.generation);
    let raised = OperationalEvent {
        kind: EventType::DeliveryExhausted,
        cause: &cause,
        at: last.at,
        data,
        hops: row.hops,
    };
    raise(store, row.tenant_id, &raised).await
}

/// Raises `subscription.disabled`.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn disabled(store: &Store, subscription: &Subscription) -> Result<(), Error> {
    let at = subscription.updated_at;
    let data = json!({
        "subscription": {"id": subscription.id, "name": subscription.spec.name},
        "reason": subscription.disabled_reason,
        "disabledAt": timestamp(at),
    });
    let cause = format!("{}#{}", subscription.id, subscription.revision);
    let raised = OperationalEvent { kind: EventType::SubscriptionDisabled, cause: &cause, at, data, hops: 0 };
    raise(store, subscription.tenant_id, &raised).await
}

/// An operational event to be raised.
struct OperationalEvent<'a> {
    kind: EventType,
    cause: &'a str,
    at: DateTime<Utc>,
    data: Value,
    /// The hops of the event that the delivery carries.
    hops: u32,
}

async fn raise(store: &Store, tenant: TenantId, raised: &OperationalEvent<'_>) -> Result<(), Error> {
    let mut is_named = false;
    for pattern in raised.kind.patterns() {
        let partition = keys::event_pattern(tenant, &pattern.to_string());
        let found: Vec<Subscription> = store.core.all(&partition, "SUBSCRIPTION#").await?;
        is_named |= !found.is_empty();
    }
    if !is_named {
        return Ok(());
    }
    let hash: [u8; 32] = Sha256::digest(format!("{} {}", raised.kind.name(), raised.cause)).into();
    let id = EventId::mint(raised.at, hash.first_chunk().copied().unwrap_or_default());
    store.record_event_day(tenant, raised.at.date_naive()).await?;
    let event = Event::new(id, tenant, raised.kind, raised.at, &raised.data).after(raised.hops);
    let _: Created<Event> = store.core.create(&keys::event(tenant, id), &event).await?;
    Ok(())
}
