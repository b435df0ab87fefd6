//! Tests a subscription: one synchronous attempt with an event type's example.
//!
//! Safe to run twice: the second run is another test. A test is in the delivery log, and counts for neither
//! health nor breaker.

use chrono::{DateTime, Utc};

use super::attempt::{AttemptOutcome, AttemptSender, AttemptSpec};
use super::delivery_store::DeliveryStore;
use crate::domain::outbound::delivery::{Carried, Delivery, Status};
use crate::domain::outbound::event_type::EventType;
use crate::domain::outbound::outcome::Verdict;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::EventId;
use crate::error::Error;
use crate::random;
use crate::store::Store;

/// The longest that a test takes, in milliseconds: a caller waits for it, and an HTTP API waits for 30 s
/// ("Quotas for HTTP APIs" of the API Gateway developer guide).
const MAX_MS: u64 = 20_000;

/// The result of a test.
pub struct TestDelivery {
    /// The delivery in the delivery log.
    pub delivery_id: DeliveryId,
    /// The attempt and its outcome.
    pub outcome: AttemptOutcome,
}

/// Sends the event type's example to a subscription, and logs it as a delivery.
///
/// # Errors
/// Only our own failures; what the receiver does is in the outcome.
pub async fn send(
    store: &Store,
    sender: &AttemptSender,
    subscription: &Subscription,
    event_type: EventType,
    now: DateTime<Utc>,
) -> Result<TestDelivery, Error> {
    let id = EventId::mint(now, random::bytes());
    let delivery_id = DeliveryId::derive(id, subscription.id, subscription.handle);
    let data = event_type.example().to_string();
    let spec =
        AttemptSpec { id: delivery_id, event: event_type, data: &data, hops: 0, number: 1, generation: 0 };
    let outcome = sender.send(subscription, &spec, now, MAX_MS).await?;
    let carried = Carried { event_id: None, event: event_type, hops: 0 };
    let mut row = Delivery::new(delivery_id, carried, subscription, now);
    row.record(outcome.attempt.clone());
    let status = if outcome.verdict == Verdict::Delivered { Status::Delivered } else { Status::Failed };
    row.end(status, None, now);
    DeliveryStore::new(store).save(&row).await?;
    Ok(TestDelivery { delivery_id, outcome })
}
