//! Hands deliveries of pull subscriptions to readers, and takes their reports. Retry policy, log and states
//! are those of any other delivery.
//!
//! Safe to run twice: a fetched delivery is leased to its reader. If the reader dies, another one gets the
//! delivery after the lease, and no attempt is used. A report is accepted once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use serde_json::Value;

use super::attempt::{AttemptSender, AttemptSpec};
use super::delivery_store::{DeliveryStore, Save};
use super::due::new_attempt_token;
use super::notify_failure;
use super::receiver_health::HealthMonitor;
use crate::clock::Clock;
use crate::domain::outbound::delivery::expiry;
use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::pull::{self, FetchedDelivery, Report};
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::schedule::{Next, apply_attempt};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::answer_size::Room;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::time::Timestamp;
use crate::error::{Code, Error, Kind};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::random;
use crate::store::{Store, item, keys};

/// How often a fetch that waits looks for deliveries, in milliseconds.
const LOOK_MS: i64 = 200;

/// Hands deliveries to readers.
#[derive(Clone)]
pub struct Pulls {
    store: Store,
    deliveries: DeliveryStore,
    sender: AttemptSender,
    health: HealthMonitor,
    commands: Queue,
    clock: Arc<dyn Clock>,
}

impl Pulls {
    /// Signs with `sender`, and sends commands about subscriptions to `commands`.
    #[must_use]
    pub fn new(
        store: Store,
        sender: AttemptSender,
        commands: Queue,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let health = HealthMonitor::new(&store, commands.clone(), Arc::clone(&clock), Arc::new(metrics));
        Self { deliveries: DeliveryStore::new(&store), store, sender, health, commands, clock }
    }

    /// Fetches at most `max` deliveries, each as a request that is ready to be sent. Returns as soon as there
    /// is one, and an empty list after `until`.
    ///
    /// # Errors
    /// `Conflict` if the subscription is no pull subscription, or is disabled; `Unavailable` if a dependency
    /// does not answer.
    pub async fn fetch(
        &self,
        subscription: &Subscription,
        max: i32,
        until: DateTime<Utc>,
    ) -> Result<Vec<FetchedDelivery>, Error> {
        must_be_pull(subscription)?;
        subscription.must_be_enabled()?;
        loop {
            let now = self.clock.now();
            let fetched = self.ready(subscription, max, now).await?;
            let next = now.checked_add_signed(chrono::Duration::milliseconds(LOOK_MS)).unwrap_or(until);
            if !fetched.is_empty() || next > until {
                return Ok(fetched);
            }
            self.clock.sleep_until(next).await;
        }
    }

    async fn ready(
        &self,
        subscription: &Subscription,
        max: i32,
        now: DateTime<Utc>,
    ) -> Result<Vec<FetchedDelivery>, Error> {
        let partition = keys::pull(subscription.tenant_id, subscription.id);
        let found = self.store.deliveries.due(&partition, now, max).await?;
        let rows = self.store.deliveries.get_many(&found).await?;
        // The index is eventually consistent: it may show deliveries that have changed since.
        let waits = |row: &Delivery| {
            row.due_pk.as_ref() == Some(&partition) && row.due().is_some_and(|due| due <= now)
        };
        let rows = rows.into_iter().filter_map(item::readable::<Delivery>).filter(waits);
        let found = try_join_all(rows.map(async |row| {
            let event = self.event(&row, now).await?;
            Ok::<_, Error>((row, event))
        }));
        // What does not fit the answer stays for the next fetch.
        let mut room = Room::default();
        let fits = |(number, (_, event)): &(usize, (Delivery, Option<Event>))| {
            let data = event.as_ref().map_or("", |event| &event.data);
            // The body is a JSON string within the answer.
            room.takes(&Value::from(data).to_string()) || *number == 0
        };
        let found: Vec<_> = found.await?.into_iter().enumerate().take_while(fits).collect();
        let taken = found.into_iter().map(|(_, (row, event))| self.take(subscription, row, event, now));
        let fetched = try_join_all(taken).await?;
        Ok(fetched.into_iter().flatten().collect())
    }

    /// The event of a delivery. `None` if the event or the delivery has expired.
    async fn event(&self, row: &Delivery, now: DateTime<Utc>) -> Result<Option<Event>, Error> {
        match row.event_id.filter(|_| now < expiry(row.created_at)) {
            Some(id) => self.store.core.get(&keys::event(row.tenant_id, id)).await,
            None => Ok(None),
        }
    }

    /// Leases a delivery to a reader. `None` if another reader was first, or if the event or the delivery has
    /// expired.
    async fn take(
        &self,
        subscription: &Subscription,
        mut row: Delivery,
        event: Option<Event>,
        now: DateTime<Utc>,
    ) -> Result<Option<FetchedDelivery>, Error> {
        let Some(event) = event else {
            let is_expired = now >= expiry(row.created_at);
            let reason = if is_expired { Reason::Expired } else { Reason::EventExpired };
            row.end(Status::Cancelled, Some(reason), now);
            self.deliveries.save(&row).await?;
            return Ok(None);
        };
        let number = row.attempts.saturating_add(1);
        let spec = AttemptSpec {
            id: row.id,
            event: event.event,
            data: &event.data,
            hops: event.hops,
            number,
            generation: row.generation,
        };
        let request = self.sender.compose(subscription, &spec, now).await?;
        let until = pull::fetched_until(subscription.spec.timeout, now);
        row.await_reader(keys::pull(row.tenant_id, row.subscription_id), until);
        row.fetched_at = Some(now);
        // Without it, two readers within one millisecond would write the same row.
        row.attempt_token = Some(new_attempt_token());
        let Save::Written = self.deliveries.save(&row).await? else { return Ok(None) };
        Ok(Some(FetchedDelivery {
            delivery_id: row.id,
            event: event.event,
            attempt: number,
            method: subscription.spec.method,
            headers: request.headers.into_iter().collect(),
            body: request.body,
            report_before: Timestamp(until),
        }))
    }

    /// Accepts a reader's report, and returns the delivery after it.
    ///
    /// # Errors
    /// `Conflict` if the delivery waits for no report, or for the report of another attempt; `NotFound` if
    /// it does not exist.
    pub async fn report(
        &self,
        subscription: &Subscription,
        id: DeliveryId,
        report: &Report,
    ) -> Result<Delivery, Error> {
        must_be_pull(subscription)?;
        let now = self.clock.now();
        let row = self.deliveries.find(subscription.tenant_id, subscription.id, id).await?;
        let mut row = row.filter(|row| !row.has_expired(now)).ok_or_else(Error::not_found)?;
        let attempt = match report.attempt(&row, subscription.revision) {
            Ok(attempt) => attempt,
            Err(error) => {
                // An earlier call may have stored the report and ended before it notified others.
                notify_failure::notify(&self.store, &self.commands, &row, subscription).await?;
                return Err(error);
            }
        };
        let verdict = report.outcome().verdict(now);
        let jitter = u64::from_be_bytes(random::bytes());
        let policy = &subscription.spec.retry_policy;
        match apply_attempt(&mut row, attempt.clone(), &verdict, policy, jitter, now) {
            Next::Send(at) | Next::Index(at) => {
                row.await_reader(keys::pull(row.tenant_id, row.subscription_id), at);
            }
            Next::Nothing => {}
        }
        row.fetched_at = None;
        let Save::Written = self.deliveries.save(&row).await? else {
            let detail = "Another reader reported meanwhile, or the delivery was cancelled";
            return Err(Error::new(Kind::Conflict, Code::AlreadyReported, detail));
        };
        self.health.count(subscription, &row, &attempt).await;
        notify_failure::notify(&self.store, &self.commands, &row, subscription).await?;
        Ok(row)
    }

    /// Writes the buffered statistics that are due; called at the end of each event.
    pub async fn flush_due(&self) {
        self.health.flush_due().await;
    }

    /// Writes all buffered statistics; called before the process ends.
    pub async fn finish(&self) {
        self.health.flush_all().await;
    }
}

fn must_be_pull(subscription: &Subscription) -> Result<(), Error> {
    if subscription.spec.is_pull() {
        return Ok(());
    }
    let detail = "This subscription's deliveries are sent to its url; only deliveries of one with url pull: are fetched";
    Err(Error::new(Kind::Conflict, Code::NotAPullSubscription, detail))
}
