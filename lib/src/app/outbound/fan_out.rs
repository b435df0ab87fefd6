//! Fans events out: one message per event and matching subscription, then the event's fan-out mark.
//!
//! Safe to run twice: delivery ids are derived from event and subscription, so a repeated message means the
//! same delivery. A stream repeats an event that failed and everything behind it; messages that this
//! environment has already sent are not sent again.
//!
//! An event's filters cost at most its budget. If a tenant uses up the budget of one event within a batch,
//! its other events are deferred to `sweep` by a command: a stream has one order for all tenants, and must go
//! on.
//!
//! An event that fails permanently is set aside: it gets a mark with the reason, its other deliveries are
//! sent, and nothing behind it waits. An event that fails because a dependency does not answer is repeated.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::delivery_store::DeliveryStore;
use super::due::{first_attempt, send_attempts};
use super::lanes::Lanes;
use crate::app::shared::filter_failures::FilterFailures;
use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_type::EventType;
use crate::domain::outbound::fan_out::{Mark, Matched};
use crate::domain::outbound::matching::matching;
use crate::domain::outbound::message::{AttemptDue, Command};
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::bounded_map::BoundedMap;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::expression::TENANT_SHARES;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::error::{Error, Kind};
use crate::log_error;
use crate::metrics::Metrics;
use crate::panic;
use crate::queue::{Outgoing, Queue};
use crate::store::{Key, Store, item, keys};

/// Fans events out, with a cache of the tenants' subscriptions.
pub struct FanOut {
    store: Store,
    deliveries: DeliveryStore,
    lanes: Lanes,
    /// The fast lane.
    fast: Queue,
    /// The slow lane.
    slow: Queue,
    /// The queue of the commands that defer events. `None`: no event is deferred.
    later: Option<Queue>,
    metrics: Arc<Metrics>,
    cache: Mutex<HashMap<TenantId, Known>>,
    sent: Mutex<BoundedMap<DeliveryId, ()>>,
    failures: FilterFailures,
}

/// How many deliveries are remembered as sent: those of the last batches.
const MAX_SENT: usize = 20_000;

/// The budget that a tenant may use in one batch before its other events are deferred, in shares of one
/// owner: as much as one event may use.
const MAX_SHARES: u32 = TENANT_SHARES;

/// A tenant's subscriptions at one revision.
#[derive(Default)]
struct Known {
    revision: u64,
    by_type: HashMap<EventType, Wanting>,
}

/// The subscriptions that want events of a type.
#[derive(Clone)]
struct Wanting {
    subscriptions: Arc<[Arc<Subscription>]>,
    /// Whether there are others that cannot be read.
    has_unreadable: bool,
}

#[derive(Deserialize)]
struct Revision {
    number: u64,
}

/// What the fan-out of one event does.
struct Plan<'a> {
    event: &'a Event,
    matched: Vec<(Arc<Subscription>, DeliveryId)>,
    /// Why the event fails permanently, if it does.
    failed: Option<&'static str>,
    /// The budget that its filters used, in shares of one owner.
    shares: u32,
    /// Whether the event is deferred to `sweep`, because its tenant has used up its budget in this batch.
    is_deferred: bool,
}

impl<'a> Plan<'a> {
    /// The plan of an event that cannot be matched.
    fn failed(event: &'a Event, reason: &'static str) -> Self {
        Self { failed: Some(reason), is_deferred: false, ..Self::deferred(event) }
    }

    /// The plan of a deferred event.
    fn deferred(event: &'a Event) -> Self {
        Self { event, matched: Vec::new(), failed: None, shares: 0, is_deferred: true }
    }

    /// Leaves a delivery out whose message SQS refuses.
    fn leave_out(&mut self, delivery: DeliveryId) {
        self.matched.retain(|(_, id)| *id != delivery);
        self.failed = Some("SQS refuses the message of a delivery");
    }

    /// The fan-out mark, and its key.
    fn mark(&self, now: DateTime<Utc>) -> (Key, Mark) {
        let matched = self.matched.iter().map(|(subscription, delivery_id)| Matched {
            subscription_id: subscription.id,
            delivery_id: *delivery_id,
        });
        let mark = Mark::new(matched, self.failed.map(str::to_owned), now, self.event.expires_at);
        (keys::fan_out(self.event.tenant_id, self.event.id), mark)
    }
}

/// A plan, or why the event has to be repeated.
type Planned<'a> = Result<Plan<'a>, Error>;

impl FanOut {
    /// Sends first attempts to the queue `fast`, or to `slow` if [`Lanes`] decides so: from more than
    /// `unproven_per_minute` first attempts on, for a receiver without a recent success. Events of a tenant
    /// that has used up its budget are deferred by a command to `later`; with `None`, no event is deferred.
    #[must_use]
    pub fn new(
        store: Store,
        fast: Queue,
        slow: Queue,
        later: Option<Queue>,
        unproven_per_minute: u32,
        metrics: Arc<Metrics>,
        failures: FilterFailures,
    ) -> Self {
        let (deliveries, lanes) =
            (DeliveryStore::new(&store), Lanes::new(store.clone(), unproven_per_minute));
        Self {
            store,
            deliveries,
            lanes,
            fast,
            slow,
            later,
            metrics,
            cache: Mutex::default(),
            sent: Mutex::new(BoundedMap::new(MAX_SENT)),
            failures,
        }
    }

    /// Writes all buffered filter failures; called before the process ends.
    pub async fn finish(&self) {
        self.failures.flush_all().await;
    }

    /// Fans a batch of events out. Returns for each event, in order, `Ok` if it is over, or why it has to be
    /// repeated.
    pub async fn fan_out(&self, events: &[Event], now: DateTime<Utc>) -> Vec<Result<(), Error>> {
        let stale = self.refresh_all(events).await;
        let mut plans = self.plan_all(&stale, events).await;
        self.defer(&mut plans).await;
        self.enqueue(&mut plans, now).await;
        let plans = join_all(plans.into_iter().map(async |plan| self.skip_disabled(plan?, now).await)).await;
        let outcomes = self.mark(plans, now).await;
        for (event, outcome) in events.iter().zip(&outcomes) {
            if let Err(error) = outcome {
                let tenant = event.tenant_id;
                log_error!(ERROR, error, "an event was not fanned out", tenant.id = %tenant, event.id = %event.id);
            }
        }
        self.failures.flush_due().await;
        outcomes
    }

    /// Drops the cached subscriptions of tenants whose revision changed. Returns the tenants whose revision
    /// could not be read.
    async fn refresh_all(&self, events: &[Event]) -> BTreeSet<TenantId> {
        let tenants: BTreeSet<TenantId> = events.iter().map(|event| event.tenant_id).collect();
        let refreshed = tenants.into_iter().map(async |tenant| match self.refresh(tenant).await {
            Ok(()) => None,
            Err(error) => {
                log_error!(WARN, error, "the subscriptions' revision cannot be read", tenant.id = %tenant);
                Some(tenant)
            }
        });
        join_all(refreshed).await.into_iter().flatten().collect()
    }

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

    /// Plans one event after the other and yields after each, so that a tenant's filters hold up other tasks
    /// for no longer than the budget of one event.
    async fn plan_all<'a>(&self, stale: &BTreeSet<TenantId>, events: &'a [Event]) -> Vec<Planned<'a>> {
        let mut plans = Vec::with_capacity(events.len());
        let mut shares: HashMap<TenantId, u32> = HashMap::new();
        for event in events {
            let used = shares.entry(event.tenant_id).or_default();
            if self.later.is_some() && *used >= MAX_SHARES {
                plans.push(Ok(Plan::deferred(event)));
                continue;
            }
            let plan = self.plan_unless(stale, event).await;
            *used = used.saturating_add(plan.as_ref().map_or(0, |plan| plan.shares));
            plans.push(plan);
            tokio::task::yield_now().await;
        }
        plans
    }

    /// Defers events to `sweep`, by one command per tenant.
    async fn defer(&self, plans: &mut [Planned<'_>]) {
        let Some(later) = &self.later else { return };
        let mut by_tenant: BTreeMap<TenantId, Vec<EventId>> = BTreeMap::new();
        for plan in plans.iter().flatten().filter(|plan| plan.is_deferred) {
            by_tenant.entry(plan.event.tenant_id).or_default().push(plan.event.id);
        }
        for (tenant_id, event_ids) in by_tenant {
            let command = Command::FanOut { tenant_id, event_ids };
            let message = Outgoing { body: &command, group: tenant_id.to_string(), delay_seconds: 0 };
            let Err(error) = later.send(message).await else { continue };
            log_error!(WARN, error, "events cannot be put off", tenant.id = %tenant_id);
            let is_concerned = |planned: &&mut Planned<'_>| {
                planned.as_ref().is_ok_and(|plan| plan.is_deferred && plan.event.tenant_id == tenant_id)
            };
            for planned in plans.iter_mut().filter(is_concerned) {
                *planned = Err(Error::unavailable("SQS did not take a command"));
            }
        }
    }

    /// Plans an event, unless its tenant's subscriptions may be stale. A panic fails this event only.
    async fn plan_unless<'a>(&self, stale: &BTreeSet<TenantId>, event: &'a Event) -> Planned<'a> {
        if stale.contains(&event.tenant_id) {
            return Err(Error::unavailable("The subscriptions cannot be read"));
        }
        match AssertUnwindSafe(self.plan(event)).catch_unwind().await {
            Ok(Err(error)) if error.kind == Kind::Refused => {
                Ok(Plan::failed(event, "The event cannot be matched"))
            }
            Ok(plan) => plan,
            Err(panic) => {
                tracing::error!(event.id = %event.id, error.detail = panic::message(&*panic), "matching an event panicked");
                Ok(Plan::failed(event, "The event cannot be matched"))
            }
        }
    }

    async fn plan<'a>(&self, event: &'a Event) -> Planned<'a> {
        let wanting = self.wanting(event.tenant_id, event.event).await?;
        let found = matching(event, &wanting.subscriptions);
        for (subscription, failures) in found.failed {
            self.failures.record(keys::state(event.tenant_id, subscription), failures).await;
        }
        let matched = found.matched.into_iter().map(|subscription| {
            let id = DeliveryId::derive(event.id, subscription.id, subscription.handle);
            (subscription, id)
        });
        let failed = wanting.has_unreadable.then_some("A subscription cannot be read");
        let shares = found.shares;
        Ok(Plan { event, matched: matched.collect(), failed, shares, is_deferred: false })
    }

    /// Sends the messages of all plans to their lanes, ten to a request.
    async fn enqueue(&self, plans: &mut [Planned<'_>], now: DateTime<Utc>) {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for (number, planned) in plans.iter_mut().enumerate() {
            let Ok(plan) = planned else { continue };
            match self.messages(plan, now).await {
                Ok(messages) => {
                    for (is_fast, message) in messages {
                        if is_fast { &mut fast } else { &mut slow }.push((number, message));
                    }
                }
                Err(error) => *planned = Err(error),
            }
        }
        let (fast, slow) = tokio::join!(self.send(&self.fast, fast, now), self.send(&self.slow, slow, now));
        for (number, delivery, kind) in fast.into_iter().chain(slow) {
            let Some(planned) = plans.get_mut(number) else { continue };
            match (kind, &mut *planned) {
                (Kind::Refused, Ok(plan)) => plan.leave_out(delivery),
                (_, Ok(_)) => *planned = Err(Error::unavailable("SQS did not take every message")),
                (_, Err(_)) => {}
            }
        }
    }

    /// The messages of a plan that were not sent yet, each with whether it goes to the fast lane.
    async fn messages(&self, plan: &Plan<'_>, now: DateTime<Utc>) -> Result<Vec<(bool, AttemptDue)>, Error> {
        let mut messages = Vec::new();
        for (subscription, id) in plan.matched.iter().filter(|(found, _)| found.spec.enabled) {
            if self.sent.lock().await.get(id).is_none() {
                let is_fast = self.lanes.is_fast(subscription, now).await?;
                messages.push((is_fast, first_attempt(plan.event, subscription, *id)));
            }
        }
        Ok(messages)
    }

    /// Sends messages, each with the index of its plan. Returns those that were not sent: plan, delivery and
    /// kind of error.
    async fn send(
        &self,
        lane: &Queue,
        messages: Vec<(usize, AttemptDue)>,
        now: DateTime<Utc>,
    ) -> Vec<(usize, DeliveryId, Kind)> {
        let (plans, messages): (Vec<usize>, Vec<AttemptDue>) = messages.into_iter().unzip();
        let unsent = send_attempts(lane, &messages, now).await;
        let mut sent = self.sent.lock().await;
        for (number, message) in messages.iter().enumerate() {
            if !unsent.contains_key(&number) {
                sent.insert(message.delivery_id, ());
            }
        }
        let with_plan = |(number, kind): (usize, Kind)| {
            Some((*plans.get(number)?, messages.get(number)?.delivery_id, kind))
        };
        unsent.into_iter().filter_map(with_plan).collect()
    }

    /// Writes the fan-out marks.
    async fn mark(&self, plans: Vec<Planned<'_>>, now: DateTime<Utc>) -> Vec<Result<(), Error>> {
        let over = plans.iter().flatten().filter(|plan| !plan.is_deferred);
        let marks: Vec<(Key, Mark)> = over.map(|plan| plan.mark(now)).collect();
        let unwritten = match self.store.core.put_many(&marks).await {
            Ok(unwritten) => unwritten,
            Err(error) => {
                log_error!(ERROR, error, "marks cannot be written");
                (0..marks.len()).map(|number| (number, error.kind)).collect()
            }
        };
        let mut number = 0_usize;
        let outcomes = plans.into_iter().map(|planned| {
            let plan = planned?;
            if plan.is_deferred {
                return Ok(());
            }
            let written = unwritten.get(&number);
            number = number.saturating_add(1);
            if let Some(reason) = plan.failed {
                self.report_set_aside(plan.event, reason);
            }
            match written {
                None => Ok(()),
                // DynamoDB never takes this mark, and every message that can be sent was sent.
                Some(Kind::Refused) => {
                    self.report_set_aside(plan.event, "DynamoDB refuses the mark");
                    Ok(())
                }
                Some(_) => Err(Error::unavailable("DynamoDB did not take the mark")),
            }
        });
        outcomes.collect()
    }

    /// Logs and counts an event that is set aside. Its tenant sees the reason in the mark.
    fn report_set_aside(&self, event: &Event, reason: &str) {
        self.metrics.count("FanOutFailed", 1);
        tracing::error!(tenant.id = %event.tenant_id, event.id = %event.id, reason, "an event is set aside");
    }

    /// Records a skipped delivery for each matching subscription that is disabled. It can be redelivered
    /// later.
    async fn skip_disabled<'a>(&self, mut plan: Plan<'a>, now: DateTime<Utc>) -> Planned<'a> {
        for (subscription, id) in plan.matched.iter().filter(|(found, _)| !found.spec.enabled) {
            let mut row = Delivery::new(*id, plan.event.into(), subscription, now);
            row.end(Status::Skipped, Some(Reason::Disabled), now);
            match self.deliveries.save(&row).await {
                Ok(_) => {}
                Err(error) if error.kind == Kind::Refused => {
                    plan.failed = Some("DynamoDB refuses the row of a delivery");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(plan)
    }

    async fn wanting(&self, tenant: TenantId, event: EventType) -> Result<Wanting, Error> {
        if let Some(known) = self.cache.lock().await.get(&tenant).and_then(|known| known.by_type.get(&event))
        {
            return Ok(known.clone());
        }
        let mut found: BTreeMap<_, Arc<Subscription>> = BTreeMap::new();
        let mut has_unreadable = false;
        for pattern in event.patterns() {
            let partition = keys::event_pattern(tenant, &pattern.to_string());
            let rows = self.store.core.range(&partition, "SUBSCRIPTION#", "SUBSCRIPTION#\u{10ffff}").await?;
            for row in rows {
                match item::readable::<Subscription>(row) {
                    Some(subscription) => drop(found.insert(subscription.id, Arc::new(subscription))),
                    None => has_unreadable = true,
                }
            }
        }
        let wanting = Wanting { subscriptions: found.into_values().collect(), has_unreadable };
        let mut cache = self.cache.lock().await;
        cache.entry(tenant).or_default().by_type.insert(event, wanting.clone());
        Ok(wanting)
    }
}
