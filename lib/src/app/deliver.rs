//! Makes one attempt that is due: attempt, conditional write, send the next, acknowledge.
//!
//! Safe to run twice at every point. A message carries a random ticket, which the write of its attempt
//! stores. A message that finds its own attempt written sends the next one again (the crash was before
//! that send); one that finds another's ticket only goes away, else every duplicate would double the
//! chain.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use super::attempt::{Made, Sender, Sending};
use super::fan_out::{new_row, ticket};
use crate::chance;
use crate::domain::delivery::{Delivery, Status};
use crate::domain::event::Event;
use crate::domain::ids::SubscriptionId;
use crate::domain::outcome::Verdict;
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::queue::message::{AttemptDue, Command};
use crate::queue::{LONGEST_DELAY_SECONDS, Outgoing, Queue};
use crate::store::{Created, Store, keys};

/// How long a subscription is taken as read, in seconds.
const CACHED_SECONDS: i64 = 10;

/// Waits longer than this are spent in the index of due deliveries, in seconds.
const LONGEST_HOPS_SECONDS: i64 = 3600;

/// Subscriptions (none where there is none), each with when it was read.
type Known = HashMap<SubscriptionId, (DateTime<Utc>, Option<Subscription>)>;

/// Makes attempts.
pub struct Deliver {
    store: Store,
    sender: Sender,
    retries: Queue,
    commands: Queue,
    cache: Mutex<Known>,
}

impl Deliver {
    /// Sends further attempts to `retries`, and what is to be done with a subscription to `commands`.
    #[must_use]
    pub fn new(store: Store, sender: Sender, retries: Queue, commands: Queue) -> Self {
        Self { store, sender, retries, commands, cache: Mutex::default() }
    }

    /// Makes the attempt that a message asks for. `Ok` acknowledges the message. With less than the
    /// subscription's timeout and 5 s `remaining_ms`, the message is sent again instead.
    ///
    /// # Errors
    /// Only our own troubles; the message comes again.
    pub async fn deliver(
        &self,
        due: &AttemptDue,
        now: DateTime<Utc>,
        remaining_ms: u64,
    ) -> Result<(), Error> {
        if due.due.is_some_and(|at| at > now) {
            return self.send(due, now).await;
        }
        let row = if due.fresh { None } else { self.row(due).await? };
        if let Some(row) = &row
            && !is_expected(row, due)
        {
            return self.already_made(row, due, now).await;
        }
        let Some(subscription) = self.subscription(due, now).await? else {
            return self.end(row, due, Status::Cancelled, "subscription_deleted", now).await;
        };
        if remaining_ms < subscription.terms.timeout.saturating_add(5_000) {
            return self
                .send(&AttemptDue { due: now.checked_add_signed(Duration::seconds(1)), ..due.clone() }, now)
                .await;
        }
        let Some(event) = self.event(due, now).await? else {
            return self.end(row, due, Status::Cancelled, "event_expired", now).await;
        };
        if !subscription.terms.enabled {
            return self.pause(row, &event, &subscription, due, now).await;
        }
        let sending = Sending {
            id: due.delivery_id,
            event: due.event,
            data: &event.data,
            number: due.attempt,
            generation: due.generation,
        };
        let made = self.sender.send(&subscription, &sending, now, subscription.terms.timeout).await?;
        let written = row.is_some();
        let row = row.unwrap_or_else(|| new_row(&event, &subscription, due.delivery_id, now));
        let (row, next) = after(row, due, &subscription, made, now);
        if let Some(other) = self.write(&row, written, due).await? {
            return self.already_made(&other, due, now).await;
        }
        self.tell(&row, &subscription).await?;
        match next {
            Some(next) => self.send(&next, now).await,
            None => Ok(()),
        }
    }

    /// Writes what an attempt left; when another writer was first, gives that writer's row.
    async fn write(
        &self,
        row: &Delivery,
        written: bool,
        due: &AttemptDue,
    ) -> Result<Option<Delivery>, Error> {
        let key = keys::delivery(due.tenant_id, due.subscription_id, due.delivery_id);
        if written {
            let expected = row.revision.saturating_sub(1);
            let done = self.store.deliveries.replace(&key, row, expected).await?;
            return if done { Ok(None) } else { self.store.deliveries.get(&key).await };
        }
        match self.store.deliveries.create(&key, row).await? {
            Created::Now => Ok(None),
            Created::Before(other) => Ok(Some(other)),
        }
    }

    /// The row has moved on. If it was this very message that moved it and the next attempt's message
    /// may not have gone out, it goes out now.
    async fn already_made(&self, row: &Delivery, due: &AttemptDue, now: DateTime<Utc>) -> Result<(), Error> {
        let own = row.ticket.as_deref() == Some(&due.ticket);
        let here = row.generation == due.generation && row.attempts == due.attempt;
        if !(own && here) {
            return Ok(());
        }
        if let Some(subscription) = self.subscription(due, now).await? {
            self.tell(row, &subscription).await?;
        }
        if row.status == Status::Retrying && row.due_pk.is_none() {
            let next = next_attempt(due, row.next_attempt_at.unwrap_or(now));
            return self.send(&next, now).await;
        }
        Ok(())
    }

    /// A receiver that is gone: its subscription is to be disabled.
    async fn tell(&self, row: &Delivery, subscription: &Subscription) -> Result<(), Error> {
        if row.status != Status::Failed || row.log.last().and_then(|last| last.status_code) != Some(410) {
            return Ok(());
        }
        let command = Command::Disable {
            tenant_id: row.tenant_id,
            subscription_id: row.subscription_id,
            reason: "The receiver answered 410 Gone".to_owned(),
            revision: subscription.revision,
        };
        let group = row.subscription_id.to_string();
        self.commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await
    }

    async fn pause(
        &self,
        row: Option<Delivery>,
        event: &Event,
        subscription: &Subscription,
        due: &AttemptDue,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let written = row.is_some();
        let mut row = row.unwrap_or_else(|| new_row(event, subscription, due.delivery_id, now));
        row.status = Status::Paused;
        row.reason = Some("disabled".to_owned());
        row.next_attempt_at = None;
        row.leave_the_index();
        row.revision = row.revision.saturating_add(1);
        // Another writer was first: what it wrote stands, and this message has nothing more to do.
        self.write(&row, written, due).await.map(|_| ())
    }

    async fn end(
        &self,
        row: Option<Delivery>,
        due: &AttemptDue,
        status: Status,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        // Without a row there is nothing that anybody could look at: the subscription is deleted.
        let Some(mut row) = row else { return Ok(()) };
        row.end(status, Some(reason), now);
        row.revision = row.revision.saturating_add(1);
        self.write(&row, true, due).await.map(|_| ())
    }

    async fn row(&self, due: &AttemptDue) -> Result<Option<Delivery>, Error> {
        self.store.deliveries.get(&keys::delivery(due.tenant_id, due.subscription_id, due.delivery_id)).await
    }

    async fn event(&self, due: &AttemptDue, now: DateTime<Utc>) -> Result<Option<Event>, Error> {
        if let Some(data) = &due.data {
            let mut event = Event::new(due.event_id, due.tenant_id, due.event, now, &serde_json::Value::Null);
            event.data.clone_from(data);
            return Ok(Some(event));
        }
        self.store.core.get(&keys::event(due.tenant_id, due.event_id)).await
    }

    async fn subscription(
        &self,
        due: &AttemptDue,
        now: DateTime<Utc>,
    ) -> Result<Option<Subscription>, Error> {
        if let Some((read, subscription)) = self.cache.lock().await.get(&due.subscription_id)
            && now.signed_duration_since(*read) < Duration::seconds(CACHED_SECONDS)
        {
            return Ok(subscription.clone());
        }
        let key = keys::subscription(due.tenant_id, due.subscription_id);
        let subscription: Option<Subscription> = self.store.core.get(&key).await?;
        let mut cache = self.cache.lock().await;
        if cache.len() > 10_000 {
            cache.clear();
        }
        cache.insert(due.subscription_id, (now, subscription.clone()));
        Ok(subscription)
    }

    async fn send(&self, due: &AttemptDue, now: DateTime<Utc>) -> Result<(), Error> {
        let group = due.subscription_id.to_string();
        self.retries.send(Outgoing { body: due, group, delay_seconds: hop(due.due, now) }).await
    }
}

/// The seconds until `due`, rounded up, as far as one message can wait.
#[must_use]
pub fn hop(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i32 {
    let wait = due.map_or(0, |due| due.signed_duration_since(now).num_milliseconds().max(0));
    let seconds = wait.saturating_add(999).checked_div(1000).unwrap_or(0);
    i32::try_from(seconds).unwrap_or(LONGEST_DELAY_SECONDS).min(LONGEST_DELAY_SECONDS)
}

fn is_expected(row: &Delivery, due: &AttemptDue) -> bool {
    row.generation == due.generation && row.attempts == due.attempt.saturating_sub(1) && row.status.is_open()
}

fn next_attempt(due: &AttemptDue, at: DateTime<Utc>) -> AttemptDue {
    AttemptDue {
        attempt: due.attempt.saturating_add(1),
        fresh: false,
        ticket: ticket(),
        due: Some(at),
        ..due.clone()
    }
}

/// What an attempt leaves: the row, and the next attempt when it is to be sent at once.
fn after(
    mut row: Delivery,
    due: &AttemptDue,
    subscription: &Subscription,
    made: Made,
    now: DateTime<Utc>,
) -> (Delivery, Option<AttemptDue>) {
    row.record(made.attempt);
    row.ticket = Some(due.ticket.clone());
    row.revision = row.revision.saturating_add(1);
    row.url.clone_from(&subscription.terms.url);
    subscription.terms.method.name().clone_into(&mut row.method);
    row.reason = None;
    match made.verdict {
        Verdict::Delivered => row.end(Status::Delivered, None, now),
        Verdict::Final { .. } => row.end(Status::Failed, None, now),
        Verdict::Gone => row.end(Status::Failed, Some("gone"), now),
        Verdict::Retry { after } => {
            let next = due.attempt.saturating_add(1);
            if !subscription.terms.retry_policy.allows_attempt(next) {
                row.end(Status::Failed, Some("exhausted"), now);
                return (row, None);
            }
            let chance = u64::from_be_bytes(chance::bytes());
            let delay = subscription.terms.retry_policy.delay_before(next, chance, after);
            let at = now.checked_add_signed(delay).unwrap_or(now);
            row.status = Status::Retrying;
            row.next_attempt_at = Some(at);
            if delay > Duration::seconds(LONGEST_HOPS_SECONDS) {
                row.park(keys::due(row.id.shard()), at);
                return (row, None);
            }
            return (row, Some(next_attempt(due, at)));
        }
    }
    (row, None)
}

/// The message for a row that waits: its next attempt, with a new ticket.
#[must_use]
pub fn waiting(row: &Delivery, due: Option<DateTime<Utc>>) -> Option<AttemptDue> {
    Some(AttemptDue {
        tenant_id: row.tenant_id,
        subscription_id: row.subscription_id,
        delivery_id: row.id,
        event_id: row.event_id?,
        event: row.event.parse().ok()?,
        attempt: row.attempts.saturating_add(1),
        generation: row.generation,
        fresh: false,
        ticket: ticket(),
        due,
        data: None,
    })
}
