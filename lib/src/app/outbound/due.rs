//! The messages that ask for an attempt (the first, the next, and the one of a delivery that waited), and the
//! due index.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::domain::outbound::delivery::Delivery;
use crate::domain::outbound::event::Event;
use crate::domain::outbound::message::{AttemptDue, MAX_INLINE_BYTES};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::error::Kind;
use crate::log_error;
use crate::queue::{Outgoing, Queue, delay_until};
use crate::random;
use crate::store::keys;

/// After how many minutes `sweep` sends a message that was about to be sent and may have been lost.
const UNSENT_MINUTES: i64 = 2;

/// A new random attempt token.
pub(super) fn new_attempt_token() -> String {
    hex::encode(random::bytes::<8>())
}

/// The message for a delivery's first attempt.
#[must_use]
pub fn first_attempt(event: &Event, subscription: &Subscription, delivery_id: DeliveryId) -> AttemptDue {
    AttemptDue {
        tenant_id: event.tenant_id,
        subscription_id: subscription.id,
        delivery_id,
        event_id: event.id,
        event: event.event,
        attempt: 1,
        generation: 0,
        fresh: true,
        attempt_token: new_attempt_token(),
        due: None,
        data: Some(event.data.clone()).filter(|data| data.len() <= MAX_INLINE_BYTES),
        hops: event.hops,
    }
}

/// The message for the next attempt, due at `at`.
#[must_use]
pub fn next_attempt(due: &AttemptDue, at: DateTime<Utc>) -> AttemptDue {
    AttemptDue {
        attempt: due.attempt.saturating_add(1),
        fresh: false,
        attempt_token: new_attempt_token(),
        due: Some(at),
        ..due.clone()
    }
}

/// The message for the next attempt of a delivery that waits, with a new attempt token. `None` for a test,
/// which has no event.
#[must_use]
pub fn waiting(row: &Delivery, due: Option<DateTime<Utc>>) -> Option<AttemptDue> {
    Some(AttemptDue {
        tenant_id: row.tenant_id,
        subscription_id: row.subscription_id,
        delivery_id: row.id,
        event_id: row.event_id?,
        event: row.event,
        attempt: row.attempts.saturating_add(1),
        generation: row.generation,
        fresh: false,
        attempt_token: new_attempt_token(),
        due,
        data: None,
        hops: 0,
    })
}

/// Puts a delivery into the due index, where `sweep` finds it at `at`.
pub(super) fn schedule_in_index(row: &mut Delivery, at: DateTime<Utc>) {
    row.schedule_in_index(keys::due(row.id.shard()), at);
}

/// Puts a delivery whose message is about to be sent into the due index: if the message is lost, `sweep`
/// sends another.
pub(super) fn schedule_unsent(row: &mut Delivery, now: DateTime<Utc>) {
    schedule_in_index(row, now.checked_add_signed(Duration::minutes(UNSENT_MINUTES)).unwrap_or(now));
}

/// Sends messages. One that SQS refuses for its data is sent without it: the attempt then reads its event.
/// Returns the messages that were not sent, by index, each with the kind of its error.
pub(super) async fn send_attempts(
    queue: &Queue,
    messages: &[AttemptDue],
    now: DateTime<Utc>,
) -> BTreeMap<usize, Kind> {
    let mut unsent = send_each(queue, messages, now).await;
    let has_data = |number: &usize| messages.get(*number).is_some_and(|message| message.data.is_some());
    let refused: Vec<usize> =
        unsent.iter().filter(|(_, kind)| **kind == Kind::Refused).map(|(number, _)| *number).collect();
    let refused: Vec<usize> = refused.into_iter().filter(has_data).collect();
    if refused.is_empty() {
        return unsent;
    }
    let bare: Vec<AttemptDue> =
        refused.iter().filter_map(|number| messages.get(*number)).map(AttemptDue::without_data).collect();
    let again = send_each(queue, &bare, now).await;
    for (place, number) in refused.into_iter().enumerate() {
        match again.get(&place) {
            Some(kind) => unsent.insert(number, *kind),
            None => unsent.remove(&number),
        };
    }
    unsent
}

async fn send_each(queue: &Queue, messages: &[AttemptDue], now: DateTime<Utc>) -> BTreeMap<usize, Kind> {
    let outgoing = messages.iter().map(|message| Outgoing {
        body: message,
        group: message.subscription_id.to_string(),
        delay_seconds: delay_until(message.due, now),
    });
    match queue.send_all(outgoing.collect()).await {
        Ok(unsent) => unsent,
        Err(error) => {
            log_error!(ERROR, error, "messages cannot be written");
            (0..messages.len()).map(|number| (number, error.kind)).collect()
        }
    }
}
