//! Fans events out: one message to the queue for each subscription that wants one, then a mark.
//!
//! Safe to run twice: delivery ids are derived, so a repeated message means the same delivery. A stream gives
//! back everything behind an event that failed: what this environment has sent already is not sent again, so
//! that only what failed is repeated.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::due::first_attempt;
use super::lanes::Lanes;
use super::recent::Recent;
use super::rows::Rows;
use crate::domain::delivery::{Delivery, DeliveryId, Status};
use crate::domain::event::Event;
use crate::domain::event_type::EventType;
use crate::domain::ids::{SubscriptionId, TenantId};
use crate::domain::message::AttemptDue;
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::queue::{Outgoing, Queue};
use crate::store::{Key, Store, keys};

/// Fans out, with the tenants' subscriptions kept in memory.
pub struct FanOut {
    store: Store,
    rows: Rows,
    lanes: Lanes,
    deliveries: Queue,
    retries: Queue,
    cache: Mutex<HashMap<TenantId, Known>>,
    sent: Mutex<Recent<DeliveryId>>,
}

/// How many deliveries are known to be on their lanes: those of the last batches.
const MOST_SENT: usize = 20_000;

/// A tenant's subscriptions as of a revision.
#[derive(Default)]
struct Known {
    revision: u64,
    by_type: HashMap<EventType, Arc<[Arc<Subscription>]>>,
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
    matched: Vec<(Arc<Subscription>, DeliveryId)>,
}

impl Plan<'_> {
    /// The mark that it is done, and its place.
    fn mark(&self, now: DateTime<Utc>) -> (Key, Mark) {
        let matched = self.matched.iter().map(|(subscription, delivery_id)| Matched {
            subscription_id: subscription.id,
            delivery_id: *delivery_id,
        });
        let mark = Mark { deliveries: matched.collect(), at: now, expires_at: self.event.expires_at };
        (keys::fan_out(self.event.tenant_id, self.event.id), mark)
    }
}

impl FanOut {
    /// Fans out to `deliveries`, the fast lane, and to `retries`, the slow one: there goes what a receiver
    /// that has taken nothing lately gets beyond `unproven_per_minute` first attempts.
    #[must_use]
    pub fn new(store: Store, deliveries: Queue, retries: Queue, unproven_per_minute: u32) -> Self {
        let (rows, lanes) = (Rows::new(&store), Lanes::new(store.clone(), unproven_per_minute));
        Self {
            store,
            rows,
            lanes,
            deliveries,
            retries,
            cache: Mutex::default(),
            sent: Mutex::new(Recent::new(MOST_SENT)),
        }
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
        let unsent = match self.enqueue(&plans, now).await {
            Ok(unsent) => unsent,
            Err(error) => {
                tracing::warn!(error = %error, "deliveries cannot be put on their lanes");
                (0..plans.len()).collect()
            }
        };
        let sent = plans.into_iter().enumerate().map(|(number, plan)| {
            if unsent.contains(&number) {
                return plan.and(Err(Error::unavailable("SQS did not take every message")));
            }
            plan
        });
        self.mark(sent.collect(), now).await
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
        // Most have no filter, and then nobody looks at the payload.
        let is_looked_at = subscriptions.iter().any(|subscription| !subscription.terms.filters.is_empty());
        let payload = if is_looked_at { event.payload() } else { Value::Null };
        let matched = subscriptions
            .iter()
            .filter(|subscription| subscription.terms.filters.iter().all(|filter| filter.matches(&payload)))
            .map(|subscription| {
                let id = DeliveryId::derive(event.id, subscription.id, subscription.handle);
                (Arc::clone(subscription), id)
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
                if self.sent.lock().await.has(id) {
                    continue;
                }
                let lane = if self.lanes.is_fast(subscription, now).await? { &mut fast } else { &mut slow };
                lane.push((number, first_attempt(plan.event, subscription, *id)));
            }
        }
        let (fast, slow) = tokio::join!(self.send(&self.deliveries, &fast), self.send(&self.retries, &slow));
        Ok(fast?.into_iter().chain(slow?).collect())
    }

    /// Sends messages, each with its plan's number; gives the numbers of those that did not go.
    async fn send(&self, lane: &Queue, messages: &[(usize, AttemptDue)]) -> Result<BTreeSet<usize>, Error> {
        let outgoing = messages.iter().map(|(_, message)| Outgoing {
            body: message,
            group: message.subscription_id.to_string(),
            delay_seconds: 0,
        });
        let unsent: BTreeSet<usize> = lane.send_all(outgoing.collect()).await?.into_iter().collect();
        let mut sent = self.sent.lock().await;
        let mut failed = BTreeSet::new();
        for (number, (plan, message)) in messages.iter().enumerate() {
            if unsent.contains(&number) {
                failed.insert(*plan);
            } else {
                sent.note(message.delivery_id);
            }
        }
        Ok(failed)
    }

    /// Notes what was skipped, then marks the events as fanned out.
    async fn mark(&self, plans: Vec<Result<Plan<'_>, Error>>, now: DateTime<Utc>) -> Vec<Result<(), Error>> {
        let noted = join_all(plans.into_iter().map(async |plan| self.skip_disabled(plan?, now).await)).await;
        let marks: Vec<(Key, Mark)> = noted.iter().flatten().map(|plan| plan.mark(now)).collect();
        let unwritten = match self.store.core.put_many(&marks).await {
            Ok(unwritten) => unwritten,
            Err(error) => {
                tracing::error!(error = %error, "marks cannot be written");
                (0..marks.len()).collect()
            }
        };
        let mut number = 0_usize;
        let outcome = |plan: Result<Plan<'_>, Error>| {
            plan?;
            let is_written = !unwritten.contains(&number);
            number = number.saturating_add(1);
            if is_written { Ok(()) } else { Err(Error::unavailable("DynamoDB did not take the mark")) }
        };
        noted.into_iter().map(outcome).collect()
    }

    /// Notes that an event was not sent to those who are disabled.
    async fn skip_disabled<'a>(&self, plan: Plan<'a>, now: DateTime<Utc>) -> Result<Plan<'a>, Error> {
        for (subscription, id) in plan.matched.iter().filter(|(found, _)| !found.terms.enabled) {
            self.skip(plan.event, subscription, *id, now).await?;
        }
        Ok(plan)
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

    async fn subscriptions(
        &self,
        tenant: TenantId,
        event: EventType,
    ) -> Result<Arc<[Arc<Subscription>]>, Error> {
        if let Some(known) = self.cache.lock().await.get(&tenant).and_then(|known| known.by_type.get(&event))
        {
            return Ok(Arc::clone(known));
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
        let found: Arc<[_]> = found.into_iter().map(Arc::new).collect();
        cache.entry(tenant).or_default().by_type.insert(event, Arc::clone(&found));
        Ok(found)
    }
}
