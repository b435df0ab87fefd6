//! Tries a subscription out: one attempt at once, with an event type's example.
//!
//! Safe to run twice: it is another test. It counts for nothing but the log.

use chrono::{DateTime, Utc};

use super::attempt::{Made, Sender, Sending};
use super::rows::Rows;
use crate::chance;
use crate::domain::delivery::{Delivery, DeliveryId, Status};
use crate::domain::event::Event;
use crate::domain::event_type::EventType;
use crate::domain::ids::EventId;
use crate::domain::outcome::Verdict;
use crate::domain::subscription::Subscription;
use crate::error::Error;
use crate::store::Store;

/// How long a test takes at most, in milliseconds: callers wait for it, and the HTTP API for 30 s.
const MOST_MS: u64 = 20_000;

/// What a test came to.
pub struct Tried {
    /// The delivery in the log.
    pub delivery_id: DeliveryId,
    /// The attempt.
    pub made: Made,
}

/// Sends a type's example to a subscription, and logs it.
///
/// # Errors
/// Only our own; what the receiver does is in the attempt.
pub async fn try_out(
    store: &Store,
    sender: &Sender,
    subscription: &Subscription,
    event_type: EventType,
    now: DateTime<Utc>,
) -> Result<Tried, Error> {
    let id = EventId::mint(now, chance::bytes());
    let delivery_id = DeliveryId::derive(id, subscription.id, subscription.handle);
    let event = Event::new(id, subscription.tenant_id, event_type, now, &event_type.example());
    let sending = Sending {
        id: delivery_id,
        event: event_type,
        data: &event.data,
        hops: event.hops,
        number: 1,
        generation: 0,
    };
    let made = sender.send(subscription, &sending, now, MOST_MS).await?;
    let mut row = Delivery::new(delivery_id, &event, subscription, now);
    row.event_id = None;
    row.record(made.attempt.clone());
    let status = if made.verdict == Verdict::Delivered { Status::Delivered } else { Status::Failed };
    row.end(status, None, now);
    Rows::new(store).save(&row).await?;
    Ok(Tried { delivery_id, made })
}
