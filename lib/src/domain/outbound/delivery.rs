//! A delivery: one event on its way to one subscription, with its attempts.

use std::borrow::Cow;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::event::Event;
use super::event_type::EventType;
use super::lineage;
use super::outcome::Outcome;
use super::reason::Reason;
use super::subscription::{Method, Subscription};
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, SubscriptionId, TenantId};
use crate::domain::shared::text::cut;

/// How long the row of a final delivery is kept.
pub const RETENTION: Duration = Duration::days(30);

/// After how many days an open delivery is cancelled.
pub const OPEN_DAYS: i64 = 30;

/// When a delivery that was created at `created_at` is cancelled, if it is still open.
#[must_use]
pub fn expiry(created_at: DateTime<Utc>) -> DateTime<Utc> {
    created_at.checked_add_signed(Duration::days(OPEN_DAYS)).unwrap_or(created_at)
}

named! {
    /// The state of a delivery. `delivered`, `failed`, `skipped` and `cancelled` are final.
    #[cfg_attr(feature = "schema", schemars(rename = "DeliveryStatus"))]
    pub enum Status {
        /// No attempt was made yet.
        Pending = "pending",
        /// An attempt failed, and another will follow.
        Retrying = "retrying",
        /// The subscription is disabled, or its credential cannot be read.
        Paused = "paused",
        /// The receiver accepted it.
        Delivered = "delivered",
        /// No attempt succeeded, and no other will follow by itself.
        Failed = "failed",
        /// It was never attempted: the subscription was disabled.
        Skipped = "skipped",
        /// It was ended early; `reason` says why.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Whether attempts are still to come.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Retrying | Self::Paused => true,
            Self::Delivered | Self::Failed | Self::Skipped | Self::Cancelled => false,
        }
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, status)| status).ok_or_else(|| "is not a state of deliveries".to_owned())
    }
}

/// One request to the receiver, and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The attempt's number within its generation, from 1.
    pub number: u32,
    /// The schedule generation: 0, and one more with each redelivery.
    pub generation: u32,
    /// When the request was signed.
    pub at: DateTime<Utc>,
    /// The revision of the subscription from which the request was composed.
    pub revision: u64,
    /// The status code of the answer. `None` without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The beginning of the answer's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// How long the attempt took, in milliseconds.
    pub response_time: u64,
    /// Whether the receiver accepted the delivery.
    pub success: bool,
    /// What went wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Attempt {
    /// Whether it is the delivery's very first attempt.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.number == 1 && self.generation == 0
    }

    /// An attempt without an outcome.
    #[must_use]
    pub fn new(number: u32, generation: u32, at: DateTime<Utc>, revision: u64) -> Self {
        let (status_code, response_body, error) = (None, None, None);
        let (response_time, success) = (0, false);
        Self { number, generation, at, revision, status_code, response_body, response_time, success, error }
    }

    /// Sets the outcome, and the beginning of the answer: more of a failure's than of a success's.
    pub fn note(&mut self, outcome: &Outcome, response: Option<&str>) {
        self.status_code = outcome.status();
        self.response_time = outcome.response_time_ms();
        self.success = outcome.is_success();
        self.error = outcome.error();
        let kept = if self.success { 256 } else { 1024 };
        self.response_body = response.map(|text| cut(text, kept)).filter(|text| !text.is_empty());
    }
}

/// A delivery, as it is stored: its row. The states are drawn in the [module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The id, which is the same on every attempt and redelivery.
    pub id: DeliveryId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The target subscription.
    pub subscription_id: SubscriptionId,
    /// The event. `None` for a test, which carries its type's example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// The event's type.
    pub event: EventType,
    /// The event's hops: how often it came back in through a webhook config.
    #[serde(default, skip_serializing_if = "lineage::is_none")]
    pub hops: u32,
    /// The destination of the last attempt.
    #[serde(rename = "url")]
    pub destination: Destination,
    /// The HTTP method of the last attempt.
    pub method: Method,
    /// The state. [`Delivery::status_at`] says what it is at a given time.
    pub status: Status,
    /// Why the delivery was paused, skipped or cancelled, or why its next attempt waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The schedule generation: 0, and one more with each redelivery.
    pub generation: u32,
    /// Attempts made in this generation.
    pub attempts: u32,
    /// The attempt token of the message that made the last attempt.
    #[serde(rename = "ticket", skip_serializing_if = "Option::is_none")]
    pub attempt_token: Option<String>,
    /// When a reader last fetched the delivery. `None` after its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<DateTime<Utc>>,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The last attempts, oldest first.
    pub log: Vec<Attempt>,
    /// When the row was created.
    pub created_at: DateTime<Utc>,
    /// How many times the row was written. Every write is conditional on the revision that it replaces.
    pub revision: u64,
    /// The partition of the due index in which the delivery is. `None`: it is not in the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_pk: Option<String>,
    /// When it is due in the index, as text that sorts by time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// When the row expires, in seconds since 1970. `None` while the delivery is open, unless it waits for a
    /// reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// The members of an event that its delivery's row contains.
#[derive(Debug, Clone, Copy)]
pub struct Carried {
    /// The event's id. `None` for a test.
    pub event_id: Option<EventId>,
    /// The event's type.
    pub event: EventType,
    /// The event's hops.
    pub hops: u32,
}

impl From<&Event> for Carried {
    fn from(event: &Event) -> Self {
        Self { event_id: Some(event.id), event: event.event, hops: event.hops }
    }
}

/// How many attempts a row keeps: those of the longest schedule (21), and some of the one before.
const MAX_LOGGED: usize = 30;

impl Delivery {
    /// A delivery before its first attempt.
    #[must_use]
    pub fn new(id: DeliveryId, of: Carried, subscription: &Subscription, now: DateTime<Utc>) -> Self {
        Self {
            id,
            tenant_id: subscription.tenant_id,
            subscription_id: subscription.id,
            event_id: of.event_id,
            event: of.event,
            hops: of.hops,
            destination: subscription.spec.destination.clone(),
            method: subscription.spec.method,
            status: Status::Pending,
            reason: None,
            generation: 0,
            attempts: 0,
            attempt_token: None,
            fetched_at: None,
            next_attempt_at: None,
            log: Vec::new(),
            created_at: now,
            revision: 0,
            due_pk: None,
            due_at: None,
            expires_at: None,
        }
    }

    /// Whether this attempt of this generation is the next one of the delivery.
    #[must_use]
    pub fn awaits(&self, generation: u32, attempt: u32) -> bool {
        self.generation == generation && self.attempts == attempt.saturating_sub(1) && self.status.is_open()
    }

    /// Pauses the delivery.
    pub fn pause(&mut self, reason: Reason) {
        self.status = Status::Paused;
        self.reason = Some(reason);
        self.next_attempt_at = None;
        self.expires_at = None;
        self.unschedule();
    }

    /// Lets the delivery wait, from `from` on, until a reader fetches it. Nothing else reads the row again,
    /// so its expiry is set now: [`RETENTION`] after the delivery is cancelled.
    pub fn await_reader(&mut self, partition: String, from: DateTime<Utc>) {
        self.wait(Reason::Pull, from);
        self.schedule_in_index(partition, from);
        let given_up = expiry(self.created_at);
        self.expires_at = Some(given_up.checked_add_signed(RETENTION).unwrap_or(given_up).timestamp());
    }

    /// Whether the delivery waits for a reader.
    #[must_use]
    pub fn awaits_reader(&self) -> bool {
        self.status.is_open() && self.reason == Some(Reason::Pull)
    }

    /// Whether the delivery is cancelled because no reader fetched it in time.
    fn is_given_up(&self, now: DateTime<Utc>) -> bool {
        self.awaits_reader() && expiry(self.created_at) <= now
    }

    /// The state at `now`: a pull delivery that was not fetched in time counts as cancelled.
    #[must_use]
    pub fn status_at(&self, now: DateTime<Utc>) -> Status {
        if self.is_given_up(now) { Status::Cancelled } else { self.status }
    }

    /// The delivery at `now`: a pull delivery that was not fetched in time is cancelled.
    #[must_use]
    pub fn seen_at(&self, now: DateTime<Utc>) -> Cow<'_, Self> {
        if !self.is_given_up(now) {
            return Cow::Borrowed(self);
        }
        let mut seen = self.clone();
        seen.end(Status::Cancelled, Some(Reason::Expired), now);
        seen.expires_at = self.expires_at;
        Cow::Owned(seen)
    }

    /// Defers the next attempt to `until`. The delivery stays pending or retrying.
    pub fn wait(&mut self, reason: Reason, until: DateTime<Utc>) {
        self.resume();
        self.reason = Some(reason);
        self.next_attempt_at = Some(until);
        self.unschedule();
    }

    /// Until when the delivery waits for `reason`. `None` if it does not wait for that.
    #[must_use]
    pub fn waits_for(&self, reason: &Reason) -> Option<DateTime<Utc>> {
        self.next_attempt_at.filter(|_| self.reason.as_ref() == Some(reason))
    }

    /// Continues a paused delivery.
    pub fn resume(&mut self) {
        self.status = if self.attempts == 0 { Status::Pending } else { Status::Retrying };
        self.reason = None;
    }

    /// Restarts the retry schedule, as the next generation. The id stays the same.
    pub fn restart(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.attempts = 0;
        self.status = Status::Pending;
        self.reason = None;
        self.attempt_token = None;
        self.fetched_at = None;
        self.next_attempt_at = None;
        self.expires_at = None;
    }

    /// Ends the delivery in a final state.
    pub fn end(&mut self, status: Status, reason: Option<Reason>, now: DateTime<Utc>) {
        self.status = status;
        self.reason = reason;
        self.next_attempt_at = None;
        self.unschedule();
        self.expires_at = Some(now.checked_add_signed(RETENTION).unwrap_or(now).timestamp());
    }

    /// Puts the delivery into the due index.
    pub fn schedule_in_index(&mut self, partition: String, at: DateTime<Utc>) {
        self.due_pk = Some(partition);
        self.due_at = Some(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    }

    /// Whether the row has expired. DynamoDB deletes such rows within days.
    #[must_use]
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|at| at <= now.timestamp())
    }

    /// When the delivery is due in the index.
    #[must_use]
    pub fn due(&self) -> Option<DateTime<Utc>> {
        self.due_at.as_deref().and_then(|at| at.parse().ok())
    }

    /// Removes the delivery from the due index.
    pub fn unschedule(&mut self) {
        self.due_pk = None;
        self.due_at = None;
    }

    /// Adds an attempt to the log. Earlier answers are cut to 64 bytes, so that the row stays small.
    pub fn record(&mut self, attempt: Attempt) {
        for earlier in &mut self.log {
            earlier.response_body = earlier.response_body.take().map(|body| cut(&body, 64));
        }
        self.attempts = attempt.number;
        self.log.push(attempt);
        let surplus = self.log.len().saturating_sub(MAX_LOGGED);
        self.log.drain(..surplus);
        self.unschedule();
    }
}
