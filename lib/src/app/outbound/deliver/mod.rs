//! Makes one attempt that is due: attempt, conditional write of the row, message for the next attempt,
//! acknowledgement.
//!
//! Safe to run twice at every point. A message carries a random attempt token, which the write of its attempt
//! stores. A message that finds its own attempt written sends the next message again (the process ended
//! before that send). A message that finds another's token does nothing: otherwise every duplicate would
//! double the chain.

mod waiting;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use self::waiting::slot_of;
use super::attempt::{AttemptOutcome, AttemptSender, AttemptSpec};
use super::delivery_store::{DeliveryStore, Save};
use super::due::{next_attempt, schedule_in_index};
use super::notify_failure;
use super::rate_slots::RateSlots;
use super::receiver_health::HealthMonitor;
use crate::app::shared::ttl_cache::TtlCache;
use crate::clock::Clock;
use crate::domain::outbound::admission::{Admission, Facts, Payload, Wait, admit};
use crate::domain::outbound::delivery::{Carried, Delivery, Status};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::message::AttemptDue;
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::schedule::{self, Next};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::ids::SubscriptionId;
use crate::error::{Error, Kind};
use crate::log_error;
use crate::metrics::Metrics;
use crate::queue::batching::BatchingQueue;
use crate::queue::{Outgoing, Queue, delay_until};
use crate::random;
use crate::store::{Store, keys};

/// How long a subscription is cached, in seconds.
const CACHED_SECONDS: i64 = 10;

/// How much time beyond the subscription's timeout must be left to begin an attempt, in milliseconds.
const MARGIN_MS: i64 = 5_000;

/// After how many minutes a delivery whose credential could not be read is tried again.
const CREDENTIAL_MINUTES: i64 = 5;

/// How often the write of a row is tried if others change the row meanwhile.
const MAX_WRITES: usize = 5;

/// Makes attempts.
pub struct Deliver {
    store: Store,
    deliveries: DeliveryStore,
    sender: AttemptSender,
    health: HealthMonitor,
    rate_slots: RateSlots,
    retries: BatchingQueue<AttemptDue>,
    commands: Queue,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    subscriptions: TtlCache<SubscriptionId, Option<Arc<Subscription>>>,
}

impl Deliver {
    /// Sends further attempts to the queue `retries`, and commands about subscriptions to `commands`.
    #[must_use]
    pub fn new(
        store: Store,
        sender: AttemptSender,
        retries: Queue,
        commands: Queue,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        let metrics = Arc::new(metrics);
        Self {
            deliveries: DeliveryStore::new(&store),
            health: HealthMonitor::new(&store, commands.clone(), Arc::clone(&clock), Arc::clone(&metrics)),
            metrics,
            rate_slots: RateSlots::new(&store),
            store,
            sender,
            retries: BatchingQueue::new(retries),
            commands,
            clock,
            subscriptions: TtlCache::default(),
        }
    }

    /// Makes the attempt that a message asks for. `Ok` acknowledges the message. If less time is left before
    /// the deadline than the subscription's timeout and 5 s, the message is sent again instead.
    ///
    /// `receives` counts how often SQS gave the message out, from 1.
    ///
    /// # Errors
    /// Only our own failures; the message is received again.
    pub async fn deliver(
        &self,
        due: &AttemptDue,
        receives: u32,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        if due.due.is_some_and(|at| at > now) {
            return self.send(due).await;
        }
        // A first attempt has no row, unless an earlier receive of its message wrote one.
        let row = if due.fresh && receives <= 1 { None } else { self.row(due).await? };
        // An attempt that was made needs neither, and without a subscription nothing is sent.
        let is_awaited = row.as_ref().is_none_or(|row| row.awaits(due.generation, due.attempt));
        let subscription = if is_awaited { self.subscription(due, now).await? } else { None };
        let payload = if subscription.is_some() { self.payload(due).await? } else { None };
        let mut facts = Facts {
            due,
            row: row.as_ref(),
            subscription: subscription.as_deref(),
            payload: payload.as_ref(),
            permit: None,
            slot: row.as_ref().and_then(|row| slot_of(row, now)),
            now,
        };
        let new = |subscription: &Subscription, payload: &Payload| {
            let carried = Carried { event_id: Some(due.event_id), event: due.event, hops: payload.hops };
            Delivery::new(due.delivery_id, carried, subscription, now)
        };
        loop {
            match admit(&facts) {
                Admission::AskBreaker(subscription) => {
                    facts.permit = Some(self.health.permit(subscription, now).await?);
                }
                Admission::TakeSlot(subscription, per_second) => {
                    facts.slot = Some(self.rate_slots.take(subscription, per_second, now).await?);
                }
                Admission::AlreadyMade => return self.already_made(row.as_ref(), due).await,
                Admission::Cancel(reason) => return self.cancel(row, reason, now).await,
                Admission::Wait(subscription, payload, wait) => {
                    let row = row.unwrap_or_else(|| new(subscription, payload));
                    return self.wait(row, due, wait, now).await;
                }
                Admission::Send { subscription, payload, at, is_probe } => {
                    let row = row.unwrap_or_else(|| new(subscription, payload));
                    if at > now {
                        self.clock.sleep_until(at).await;
                    }
                    return self.attempt(row, due, subscription, payload, is_probe, deadline).await;
                }
            }
        }
    }

    /// Makes the attempt. If too little time is left before the deadline, sends its message again instead.
    async fn attempt(
        &self,
        row: Delivery,
        due: &AttemptDue,
        subscription: &Subscription,
        payload: &Payload,
        is_probe: bool,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let needed = i64::try_from(subscription.spec.timeout).unwrap_or(0).saturating_add(MARGIN_MS);
        if deadline.signed_duration_since(now) < Duration::milliseconds(needed) {
            let soon = now.checked_add_signed(Duration::seconds(1));
            return self.send(&AttemptDue { due: soon, ..due.clone() }).await;
        }
        let spec = AttemptSpec {
            id: due.delivery_id,
            event: due.event,
            data: &payload.data,
            hops: payload.hops,
            number: due.attempt,
            generation: due.generation,
        };
        match self.sender.send(subscription, &spec, now, subscription.spec.timeout).await {
            Ok(outcome) => self.record(row, due, subscription, outcome, is_probe).await,
            Err(error) if subscription.spec.credential_ref.is_some() => {
                log_error!(WARN, error, "a credential cannot be read", subscription.id = %subscription.id);
                let later = now.checked_add_signed(Duration::minutes(CREDENTIAL_MINUTES)).unwrap_or(now);
                self.wait(row, due, Wait::Resume(Reason::Credential, later), now).await
            }
            Err(error) => Err(error),
        }
    }

    /// Writes an attempt to the row, then sends the message for the next one. If the row was changed
    /// meanwhile without making this attempt, the attempt is written on top of the change.
    async fn record(
        &self,
        mut row: Delivery,
        due: &AttemptDue,
        subscription: &Subscription,
        outcome: AttemptOutcome,
        was_probe: bool,
    ) -> Result<(), Error> {
        // The attempt may have taken its whole timeout: the delay to the next one counts from here.
        let now = self.clock.now();
        let jitter = u64::from_be_bytes(random::bytes());
        for _ in 0..MAX_WRITES {
            row.destination.clone_from(&subscription.spec.destination);
            row.method = subscription.spec.method;
            row.attempt_token = Some(due.attempt_token.clone());
            let policy = &subscription.spec.retry_policy;
            let next = schedule::apply_attempt(
                &mut row,
                outcome.attempt.clone(),
                &outcome.verdict,
                policy,
                jitter,
                now,
            );
            if let Next::Index(at) = next {
                schedule_in_index(&mut row, at);
            }
            match self.deliveries.save(&row).await? {
                Save::Written => {
                    self.measure(&row, due, &outcome);
                    self.health
                        .record(subscription, &row, &outcome.attempt, &outcome.verdict, was_probe)
                        .await;
                    notify_failure::notify(&self.store, &self.commands, &row, subscription).await?;
                    return match next {
                        Next::Send(at) => self.send(&next_attempt(due, at)).await,
                        Next::Index(_) | Next::Nothing => Ok(()),
                    };
                }
                Save::Conflict(other) if other.awaits(due.generation, due.attempt) => row = *other,
                Save::Conflict(other) => return self.already_made(Some(&other), due).await,
            }
        }
        Err(Error::unavailable("a delivery's row is written by too many at once"))
    }

    fn measure(&self, row: &Delivery, due: &AttemptDue, made: &AttemptOutcome) {
        let outcome = match row.status {
            Status::Delivered => "Delivered",
            Status::Failed => "Failed",
            Status::Pending | Status::Retrying | Status::Paused | Status::Skipped | Status::Cancelled => {
                "Retried"
            }
        };
        self.metrics.count(outcome, 1);
        if made.attempt.is_first() {
            self.metrics.count("FirstAttempts", 1);
            self.metrics.count("FirstAttemptsTaken", u64::from(made.attempt.success));
        }
        self.metrics.measure("AttemptTime", made.attempt.response_time);
        let wanted = due.due.unwrap_or_else(|| due.event_id.time());
        let lag = made.attempt.at.signed_duration_since(wanted).num_milliseconds();
        self.metrics.measure("Lag", u64::try_from(lag).unwrap_or(0));
    }

    /// Emits the metrics of an event, and writes the buffered statistics that are due.
    pub async fn flush_due(&self) {
        self.metrics.emit(&[], self.clock.now());
        self.health.flush_due().await;
    }

    /// Writes all buffered statistics; called before the process ends.
    pub async fn finish(&self) {
        self.health.flush_all().await;
    }

    /// The row is past this attempt. If this very message made it, and the message for the next attempt may
    /// not have been sent, sends that now.
    async fn already_made(&self, row: Option<&Delivery>, due: &AttemptDue) -> Result<(), Error> {
        let Some(row) = row else { return Ok(()) };
        let own = row.attempt_token.as_deref() == Some(&due.attempt_token);
        let here = row.generation == due.generation && row.attempts == due.attempt;
        if !(own && here) {
            return Ok(());
        }
        if row.status == Status::Failed
            && let Some(subscription) = self.subscription(due, self.clock.now()).await?
        {
            notify_failure::notify(&self.store, &self.commands, row, &subscription).await?;
        }
        match row.next_attempt_at {
            Some(at) if row.status == Status::Retrying && row.due_pk.is_none() => {
                self.send(&next_attempt(due, at)).await
            }
            _ => Ok(()),
        }
    }

    async fn cancel(&self, row: Option<Delivery>, reason: Reason, now: DateTime<Utc>) -> Result<(), Error> {
        // Without a row there is nothing to cancel: the subscription is deleted, and its delivery was never
        // shown.
        let Some(mut row) = row else { return Ok(()) };
        row.end(Status::Cancelled, Some(reason), now);
        self.deliveries.save(&row).await.map(|_| ())
    }

    async fn row(&self, due: &AttemptDue) -> Result<Option<Delivery>, Error> {
        self.deliveries.find(due.tenant_id, due.subscription_id, due.delivery_id).await
    }

    /// What an attempt sends: from its message, or else from its event. `None` if the event has expired.
    async fn payload(&self, due: &AttemptDue) -> Result<Option<Payload>, Error> {
        if let Some(data) = &due.data {
            return Ok(Some(Payload { data: data.clone(), hops: due.hops }));
        }
        let event: Option<Event> = self.store.core.get(&keys::event(due.tenant_id, due.event_id)).await?;
        Ok(event.map(|event| Payload { data: event.data, hops: event.hops }))
    }

    /// The subscription, which may be some seconds old. One that is cached as disabled or absent is read
    /// again: a delivery that is held by stale data would not be resumed.
    async fn subscription(
        &self,
        due: &AttemptDue,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Subscription>>, Error> {
        let kept_for = |known: &Option<Arc<Subscription>>| {
            let is_enabled = known.as_ref().is_some_and(|subscription| subscription.spec.enabled);
            Duration::seconds(if is_enabled { CACHED_SECONDS } else { 0 })
        };
        let key = keys::subscription(due.tenant_id, due.subscription_id);
        let read = async || Ok(self.store.core.get(&key).await?.map(Arc::new));
        self.subscriptions.get(due.subscription_id, now, kept_for, read).await
    }

    /// Sends a message. If SQS refuses it for its data, sends it without: the attempt then reads its event.
    async fn send(&self, due: &AttemptDue) -> Result<(), Error> {
        match self.send_once(due).await {
            Err(error) if error.kind == Kind::Refused && due.data.is_some() => {
                self.send_once(&due.without_data()).await
            }
            sent => sent,
        }
    }

    async fn send_once(&self, due: &AttemptDue) -> Result<(), Error> {
        let group = due.subscription_id.to_string();
        let delay_seconds = delay_until(due.due, self.clock.now());
        self.retries.send(Outgoing { body: due, group, delay_seconds }).await
    }
}
