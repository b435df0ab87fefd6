//! Fans an event out: one message to the queue for each subscription that wants it.
//!
//! Safe to run twice: delivery ids are derived, so a repeated message means the same delivery.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::chance;
use crate::domain::delivery::{Delivery, DeliveryId, Status};
use crate::domain::event::Event;
use crate::domain::event_type::EventType;
use crate::domain::ids::{SubscriptionId, TenantId};
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::queue::message::{AttemptDue, MOST_INLINE_BYTES};
use crate::queue::{Outgoing, Queue};
use crate::store::{Created, Store, keys};

/// Fans out, with the tenants' subscriptions kept in memory.
pub struct FanOut {
    store: Store,
    deliveries: Queue,
    cache: Mutex<HashMap<TenantId, Known>>,
}

/// A tenant's subscriptions as of a revision.
#[derive(Default)]
struct Known {
    revision: u64,
    by_type: HashMap<EventType, Vec<Subscription>>,
}

#[derive(Deserialize)]
struct Revision {
    number: u64,
}

/// The mark that an event's fan-out is done, with what matched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The deliveries that were put on the queue.
    pub deliveries: Vec<Matched>,
    /// When.
    pub at: DateTime<Utc>,
    /// When the mark may go, in seconds since 1970.
    pub expires_at: i64,
}

/// One subscription that an event matched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matched {
    /// Which.
    pub subscription_id: SubscriptionId,
    /// Its delivery.
    pub delivery_id: DeliveryId,
}

impl FanOut {
    /// Fans out to this queue.
    #[must_use]
    pub fn new(store: Store, deliveries: Queue) -> Self {
        Self { store, deliveries, cache: Mutex::default() }
    }

    /// Forgets what was read before of a tenant whose subscriptions changed since; each batch begins so.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn begin_batch(&self, tenants: &[TenantId]) -> Result<(), Error> {
        for tenant in tenants {
            let revision = self.store.core.get::<Revision>(&keys::revision(*tenant)).await?;
            let revision = revision.map_or(0, |revision| revision.number);
            let mut cache = self.cache.lock().await;
            let known = cache.entry(*tenant).or_default();
            if known.revision != revision {
                *known = Known { revision, by_type: HashMap::new() };
            }
        }
        Ok(())
    }

    /// Puts an event's deliveries on the queue, then marks the event.
    ///
    /// # Errors
    /// Unavailable when a dependency is; the event is fanned out again later.
    pub async fn fan_out(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Error> {
        let subscriptions = self.subscriptions(event.tenant_id, event.event).await?;
        let payload = event.payload();
        let wanted: Vec<&Subscription> = subscriptions
            .iter()
            .filter(|subscription| subscription.terms.filters.iter().all(|filter| filter.matches(&payload)))
            .collect();
        let mut messages = Vec::new();
        let mut matched = Vec::new();
        for subscription in wanted {
            let delivery_id = DeliveryId::derive(event.id, subscription.id, subscription.handle);
            matched.push(Matched { subscription_id: subscription.id, delivery_id });
            if subscription.terms.enabled {
                messages.push(first_attempt(event, subscription, delivery_id));
            } else {
                self.skip(event, subscription, delivery_id, now).await?;
            }
        }
        let outgoing = messages.iter().map(|message| Outgoing {
            body: message,
            group: message.subscription_id.to_string(),
            delay_seconds: 0,
        });
        self.deliveries.send_all(outgoing.collect()).await?;
        let mark = Mark { deliveries: matched, at: now, expires_at: event.expires_at };
        self.store.core.put(&keys::fan_out(event.tenant_id, event.id), &mark).await
    }

    /// What happens while a subscription is disabled is noted, and can be redelivered later.
    async fn skip(
        &self,
        event: &Event,
        subscription: &Subscription,
        id: DeliveryId,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut row = new_row(event, subscription, id, now);
        row.end(Status::Skipped, Some("disabled"), now);
        let key = keys::delivery(event.tenant_id, subscription.id, id);
        let _: Created<Delivery> = self.store.deliveries.create(&key, &row).await?;
        Ok(())
    }

    async fn subscriptions(&self, tenant: TenantId, event: EventType) -> Result<Vec<Subscription>, Error> {
        if let Some(known) = self.cache.lock().await.get(&tenant).and_then(|known| known.by_type.get(&event))
        {
            return Ok(known.clone());
        }
        let mut found: Vec<Subscription> = Vec::new();
        for pattern in event.patterns() {
            let partition = keys::event_pattern(tenant, &pattern.to_string());
            let rows: Vec<Subscription> = self.store.core.all(&partition, "SUBSCRIPTION#").await?;
            for row in rows {
                if !found.iter().any(|known| known.id == row.id) {
                    found.push(row);
                }
            }
        }
        let mut cache = self.cache.lock().await;
        cache.entry(tenant).or_default().by_type.insert(event, found.clone());
        Ok(found)
    }
}

fn first_attempt(event: &Event, subscription: &Subscription, delivery_id: DeliveryId) -> AttemptDue {
    AttemptDue {
        tenant_id: event.tenant_id,
        subscription_id: subscription.id,
        delivery_id,
        event_id: event.id,
        event: event.event,
        attempt: 1,
        generation: 0,
        fresh: true,
        ticket: ticket(),
        due: None,
        data: Some(event.data.clone()).filter(|data| data.len() <= MOST_INLINE_BYTES),
    }
}

/// A new random ticket.
#[must_use]
pub fn ticket() -> String {
    hex::encode(chance::bytes::<8>())
}

/// The row of a delivery before its first attempt.
#[must_use]
pub fn new_row(event: &Event, subscription: &Subscription, id: DeliveryId, now: DateTime<Utc>) -> Delivery {
    Delivery {
        id,
        tenant_id: event.tenant_id,
        subscription_id: subscription.id,
        event_id: Some(event.id),
        event: event.event.to_string(),
        url: subscription.terms.url.clone(),
        method: subscription.terms.method.name().to_owned(),
        status: Status::Pending,
        reason: None,
        generation: 0,
        attempts: 0,
        ticket: None,
        next_attempt_at: None,
        log: Vec::new(),
        created_at: now,
        revision: 0,
        due_pk: None,
        due_at: None,
        expires_at: None,
    }
}
