//! A delivery as callers see it: its last attempt at the top, and on request every attempt with its request.

use serde_json::{Map, Value, json};

use super::delivery::{Attempt, Delivery};
use super::event::{self, Event};
use super::request::{self, AttemptHead};
use super::subscription::Subscription;
use crate::domain::shared::answer_size::Room;
use crate::domain::shared::time::timestamp;

/// What a caller may see beyond the row: the event that a delivery carries, and its subscription as it
/// is now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The event, while it is kept.
    pub event: Option<&'a Event>,
    /// The subscription, unless it is deleted.
    pub subscription: Option<&'a Subscription>,
}

/// A delivery in a list.
#[must_use]
pub fn row(delivery: &Delivery) -> Value {
    let last = delivery.log.last();
    json!({
        "id": delivery.id,
        "subscriptionId": delivery.subscription_id,
        "deliveryId": delivery.id,
        "eventId": delivery.event_id,
        "event": delivery.event,
        "status": delivery.status,
        "reason": delivery.reason,
        "test": delivery.event_id.is_none(),
        "url": delivery.destination,
        "method": delivery.method,
        "statusCode": last.and_then(|last| last.status_code),
        "responseBody": last.and_then(|last| last.response_body.as_ref()),
        "responseTime": last.map(|last| last.response_time),
        "success": last.is_some_and(|last| last.success),
        "attempt": last.map_or(0, |last| last.number),
        "attempts": delivery.attempts,
        "error": last.and_then(|last| last.error.as_ref()),
        "createdAt": timestamp(delivery.created_at),
        "nextAttemptAt": delivery.next_attempt_at.map(timestamp),
    })
}

/// A delivery in a list, with the request of its last attempt.
#[must_use]
pub fn with_request(delivery: &Delivery, context: Context<'_>) -> Value {
    let mut view = row(delivery);
    if let (Some(members), Some(last)) = (view.as_object_mut(), delivery.log.last()) {
        members.extend(request_of(delivery, last, context));
    }
    view
}

/// A delivery by itself, with every attempt that is kept, oldest first. Where an answer cannot hold every attempt's
/// body, the newest have theirs, and the others say `cut`.
#[must_use]
pub fn whole(delivery: &Delivery, context: Context<'_>) -> Value {
    let mut view = with_request(delivery, context);
    let mut room = Room::default();
    room.takes(&view.to_string());
    let newest_first = delivery.log.iter().rev();
    let mut log: Vec<Value> = newest_first
        .map(|attempt| {
            let mut view = shown(delivery, attempt, context);
            if !room.takes(&view.to_string())
                && let Some(members) = view.as_object_mut()
            {
                members.remove("body");
                members.insert("cut".to_owned(), Value::Bool(true));
            }
            view
        })
        .collect();
    log.reverse();
    if let Some(members) = view.as_object_mut() {
        members.insert("log".to_owned(), Value::Array(log));
    }
    view
}

fn shown(delivery: &Delivery, attempt: &Attempt, context: Context<'_>) -> Value {
    let mut view = json!({
        "attempt": attempt.number,
        "generation": attempt.generation,
        "at": timestamp(attempt.at),
        "subscriptionRevision": attempt.revision,
        "statusCode": attempt.status_code,
        "responseBody": attempt.response_body,
        "responseTime": attempt.response_time,
        "success": attempt.success,
        "error": attempt.error,
    });
    if let Some(members) = view.as_object_mut() {
        members.extend(request_of(delivery, attempt, context));
    }
    view
}

/// The body exactly as it was signed, and the headers with what is secret blanked. Headers are shown for
/// attempts of the subscription's present revision only: of earlier ones they are no longer known.
fn request_of(delivery: &Delivery, attempt: &Attempt, context: Context<'_>) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(event) = context.event {
        let body = event::body(delivery.id, attempt.at, event.event, event.tenant_id, &event.data);
        members.insert("body".to_owned(), json!(body));
    }
    if let Some(subscription) = context.subscription.filter(|found| found.revision == attempt.revision) {
        members.insert("headers".to_owned(), json!(headers(delivery, attempt, subscription)));
    }
    members
}

fn headers(delivery: &Delivery, attempt: &Attempt, subscription: &Subscription) -> Map<String, Value> {
    let head = AttemptHead { id: delivery.id, event: delivery.event, number: attempt.number, at: attempt.at };
    let shown = request::redacted(request::headers(subscription, head));
    shown.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}
