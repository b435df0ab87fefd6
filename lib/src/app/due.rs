//! The messages that ask for attempts (the first, the next, and that of a delivery that waited), and the index
//! where deliveries wait.

use chrono::{DateTime, Duration, Utc};

use crate::chance;
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::event::Event;
use crate::domain::message::{AttemptDue, MOST_INLINE_BYTES};
use crate::domain::subscription::Subscription;
use crate::queue::LONGEST_DELAY_SECONDS;
use crate::store::keys;

/// After how many minutes a message that was to be sent is taken as lost.
const UNSENT_MINUTES: i64 = 2;

/// A new random ticket.
pub(super) fn ticket() -> String {
    hex::encode(chance::bytes::<8>())
}

/// The message for a delivery that has no row yet.
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
        ticket: ticket(),
        due: None,
        data: Some(event.data.clone()).filter(|data| data.len() <= MOST_INLINE_BYTES),
    }
}

/// The message for the attempt after this one.
#[must_use]
pub fn next_attempt(due: &AttemptDue, at: DateTime<Utc>) -> AttemptDue {
    AttemptDue {
        attempt: due.attempt.saturating_add(1),
        fresh: false,
        ticket: ticket(),
        due: Some(at),
        ..due.clone()
    }
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

/// Puts a delivery into the index of due deliveries, where `sweep` finds it.
pub(super) fn park(row: &mut Delivery, at: DateTime<Utc>) {
    row.park(keys::due(row.id.shard()), at);
}

/// Puts a delivery whose message is about to be sent into the index: should it be lost, `sweep` sends it.
pub(super) fn park_unsent(row: &mut Delivery, now: DateTime<Utc>) {
    park(row, now.checked_add_signed(Duration::minutes(UNSENT_MINUTES)).unwrap_or(now));
}

/// The seconds until `due`, rounded up, as far as one message can wait.
#[must_use]
pub fn hop(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i32 {
    let wait = due.map_or(0, |due| due.signed_duration_since(now).num_milliseconds().max(0));
    let seconds = wait.saturating_add(999).checked_div(1000).unwrap_or(0);
    i32::try_from(seconds).unwrap_or(LONGEST_DELAY_SECONDS).min(LONGEST_DELAY_SECONDS)
}
