//! Fans events out: one message to the queue for each subscription that wants one, then a mark.
//!
//! Safe to run twice: delivery ids are derived, so a repeated message means the same delivery.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures_util::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::due::first_attempt;
use super::lanes::Lanes;
use super::rows::Rows;
use crate::domain::delivery::{Delivery, DeliveryId, Status};
use crate::domain::event::Event;
use crate::domain::event_type::EventType;
use crate::domain::ids::{SubscriptionId, TenantId};
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::queue::message::AttemptDue;
use crate::queue::{Outgoing, Queue};
use crate::store::{Store, keys};

/// Fans out, with the tenants' subscriptions kept in memory.
pub struct FanOut {
    store: Store,
    rows: Rows,
    lanes: Lanes,
    deliveries: Queue,
    retries: Queue,
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

/// What one event leads to.
struct Plan<'a> {
    event: &'a Event,
    matched: Vec<(Subscription, DeliveryId)>,
}

impl FanOut {
    /// Fans out to `deliveries`, the fast lane, and to `retries`, the slow one.
    #[must_use]
    pub fn new(store: Store, deliveries: Queue, retries: Queue) -> Self {
        let (rows, lanes) = (Rows::new(&store), Lanes::new(store.clone()));
        Self { store, rows, lanes, deliveries, retries, cache: Mutex::default() }
    }

    /// Fans a batch of events out. Says of each, in order, whether it is done; one that is not is to be
    /// fanned out again.
    pub async fn fan_out(&self, events: &[Event], now: DateTime<Utc>) -> Vec<Result<(), Error>> {
        let tenants: BTreeSet<TenantId> = events.iter().map(|event| event.tenant_id).collect();
        let refreshed = try_join_all(tenants.into_iter().map(|tenant| self.refresh(tenant))).await;
        let plans = match refreshed {
            Ok(_) => join_all(events.iter().map(|event| self.plan(event))).await,
            Err(error) => {
                tracing::warn!(error = %error, "the subscriptions' revision cannot be read");
                return events
                    .iter()
                    .map(|_| Err(Error::unavailable("The subscriptions cannot be read")))
                    .collect();
            }
        };
        let unsent = self.enqueue(&plans, now).await;
        let done = plans.into_iter().enumerate().map(|(number, plan)| {
            let sent = match &unsent {
                Ok(unsent) => !unsent.contains(&number),
                Err(_) => false,
            };
            async move {
                let plan = plan?;
                if !sent {
                    return Err(Error::unavailable("SQS did not take every message"));
                }
                self.mark(&plan, now).await
            }
        });
        join_all(done).await
    }

    /// Forgets what was read of a tenant whose subscriptions changed since.
    async fn refresh(&self, tenant: TenantId) -> Result<(), Error> {
        let revision = self.store.core.get::<Revision>(&keys::revision(tenant)).await?;
        let revision = revision.map_or(0, |revision| revision.number);
        let mut cache = self.cache.lock().await;
        let known = cache.entry(tenant).or_default();
        if known.revision != revision {
            *known = Known { revision, by_type: HashMap::new() };
        }
        Ok(())
    }

    async fn plan<'a>(&self, event: &'a Event) -> Result<Plan<'a>, Error> {
        let subscriptions = self.subscriptions(event.tenant_id, event.event).await?;
        let payload = event.payload();
        let matched = subscriptions
            .into_iter()
            .filter(|subscription| subscription.terms.filters.iter().all(|filter| filter.matches(&payload)))
            .map(|subscription| {
                let id = DeliveryId::derive(event.id, subscription.id, subscription.handle);
                (subscription, id)
            });
        Ok(Plan { event, matched: matched.collect() })
    }

    /// Puts the deliveries of all plans on their lanes, ten to a request; gives the numbers of the plans
    /// of which not everything went.
    async fn enqueue(
        &self,
        plans: &[Result<Plan<'_>, Error>],
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<usize>, Error> {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for (number, plan) in plans.iter().enumerate() {
            let Ok(plan) = plan else { continue };
            for (subscription, id) in plan.matched.iter().filter(|(found, _)| found.terms.enabled) {
                let lane = if self.lanes.is_fast(subscription, now).await? { &mut fast } else { &mut slow };
                lane.push((number, first_attempt(plan.event, subscription, *id)));
            }
        }
        let (fast, slow) = tokio::join!(send(&self.deliveries, &fast), send(&self.retries, &slow));
        Ok(fast?.into_iter().chain(slow?).collect())
    }

    /// Notes what was skipped, then marks the event as fanned out.
    async fn mark(&self, plan: &Plan<'_>, now: DateTime<Utc>) -> Result<(), Error> {
        let event = plan.event;
        for (subscription, id) in plan.matched.iter().filter(|(found, _)| !found.terms.enabled) {
            self.skip(event, subscription, *id, now).await?;
        }
        let matched = plan.matched.iter().map(|(subscription, delivery_id)| Matched {
            subscription_id: subscription.id,
            delivery_id: *delivery_id,
        });
        let mark = Mark { deliveries: matched.collect(), at: now, expires_at: event.expires_at };
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
        let mut row = Delivery::new(id, event, subscription, now);
        row.end(Status::Skipped, Some("disabled"), now);
        self.rows.save(&row).await?;
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

/// Sends messages, each with its plan's number; gives the numbers of those that did not go.
async fn send(lane: &Queue, messages: &[(usize, AttemptDue)]) -> Result<Vec<usize>, Error> {
    let outgoing = messages.iter().map(|(_, message)| Outgoing {
        body: message,
        group: message.subscription_id.to_string(),
        delay_seconds: 0,
    });
    let unsent = lane.send_all(outgoing.collect()).await?;
    Ok(unsent.into_iter().filter_map(|message| messages.get(message)).map(|(plan, _)| *plan).collect())
}
