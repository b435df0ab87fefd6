//! A delivery as callers see it: its last attempt at the top, and on request every attempt with its request.

use std::collections::BTreeMap;

use serde::Serialize;

use super::delivery::{Attempt, Delivery, Status};
use super::destination::Destination;
use super::event::{self, Event};
use super::event_type::EventType;
use super::reason::Reason;
use super::request::{self, AttemptHead};
use super::subscription::{Method, Subscription};
use crate::domain::shared::answer_size::Room;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, SubscriptionId};
use crate::domain::shared::time::Timestamp;

/// What an answer shows beyond the row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The event. `None` if it has expired.
    pub event: Option<&'a Event>,
    /// The subscription as it is now. `None` if it was deleted.
    pub subscription: Option<&'a Subscription>,
}

/// A delivery: one event on its way to one subscription.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Delivery"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// The delivery's id, the same on every attempt and redelivery.
    pub id: DeliveryId,
    /// The same as `id`.
    pub delivery_id: DeliveryId,
    /// The subscription that the delivery goes to.
    pub subscription_id: SubscriptionId,
    /// The event that is delivered. `null` for a test, which carries an example.
    pub event_id: Option<EventId>,
    /// The event's type.
    pub event: EventType,
    /// The delivery's state.
    pub status: Status,
    /// Why the delivery waits, or why it ended as it did.
    pub reason: Option<Reason>,
    /// Whether the delivery is a test.
    pub test: bool,
    /// Where the last attempt was sent.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Destination,
    /// The HTTP method of the last attempt.
    pub method: Method,
    /// The status code that the receiver answered to the last attempt.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 999)))]
    pub status_code: Option<u16>,
    /// The beginning of what the receiver answered: at most 1 024 bytes after a failure, 256 bytes after a
    /// success.
    pub response_body: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub response_time: Option<u64>,
    /// Whether the last attempt succeeded.
    pub success: bool,
    /// The number of the last attempt, 0 before the first one.
    pub attempt: u32,
    /// How many attempts were made since the schedule last began.
    pub attempts: u32,
    /// What went wrong with the last attempt.
    pub error: Option<String>,
    /// When the delivery was created.
    pub created_at: Timestamp,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// The body of the last attempt, exactly as it was signed. With `include=body`, or of one delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The headers of the last attempt, with secret values blanked. With `include=body`, or of one delivery;
    /// only while the subscription is unchanged since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// The attempts that are kept, the oldest first. Of one delivery, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Vec<AttemptView>>,
}

/// One attempt of a delivery.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Attempt"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// The attempt's number, from 1 since the schedule last began.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub attempt: u32,
    /// The schedule that the attempt belongs to: 0, and one more with each redelivery.
    pub generation: u32,
    /// When the request was signed.
    pub at: Timestamp,
    /// The revision of the subscription that the request was made from.
    pub subscription_revision: u64,
    /// The status code that the receiver answered.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 999)))]
    pub status_code: Option<u16>,
    /// The beginning of what the receiver answered: at most 64 bytes, unless it is the last attempt.
    pub response_body: Option<String>,
    /// How long the attempt took, in milliseconds.
    pub response_time: u64,
    /// Whether the receiver accepted the delivery.
    pub success: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// The body, exactly as it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The headers, with secret values blanked. Only while the subscription is unchanged since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// Present if the body is left out because the answer would be too large.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub cut: bool,
}

/// A delivery in a list.
#[must_use]
pub fn row(delivery: &Delivery) -> DeliveryView {
    let last = delivery.log.last();
    DeliveryView {
        id: delivery.id,
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        event_id: delivery.event_id,
        event: delivery.event,
        status: delivery.status,
        reason: delivery.reason.clone(),
        test: delivery.event_id.is_none(),
        url: delivery.destination.clone(),
        method: delivery.method,
        status_code: last.and_then(|last| last.status_code),
        response_body: last.and_then(|last| last.response_body.clone()),
        response_time: last.map(|last| last.response_time),
        success: last.is_some_and(|last| last.success),
        attempt: last.map_or(0, |last| last.number),
        attempts: delivery.attempts,
        error: last.and_then(|last| last.error.clone()),
        created_at: Timestamp(delivery.created_at),
        next_attempt_at: delivery.next_attempt_at.map(Timestamp),
        body: None,
        headers: None,
        log: None,
    }
}

/// A delivery in a list, with the request of its last attempt.
#[must_use]
pub fn with_request(delivery: &Delivery, context: Context<'_>) -> DeliveryView {
    let last = delivery.log.last();
    DeliveryView {
        body: last.and_then(|last| body(delivery, last, context)),
        headers: last.and_then(|last| headers_shown(delivery, last, context)),
        ..row(delivery)
    }
}

/// One delivery, with every attempt that is kept, oldest first. If the answer has no room for the bodies of
/// all attempts, only the newest have them, and the others have `cut`.
#[must_use]
pub fn whole(delivery: &Delivery, context: Context<'_>) -> DeliveryView {
    let mut view = with_request(delivery, context);
    let mut room = Room::default();
    room.takes(&written(&view));
    let newest_first = delivery.log.iter().rev();
    let mut log: Vec<AttemptView> = newest_first
        .map(|attempt| {
            let view = shown(delivery, attempt, context);
            if room.takes(&written(&view)) { view } else { AttemptView { body: None, cut: true, ..view } }
        })
        .collect();
    log.reverse();
    view.log = Some(log);
    view
}

fn written(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

fn shown(delivery: &Delivery, attempt: &Attempt, context: Context<'_>) -> AttemptView {
    AttemptView {
        attempt: attempt.number,
        generation: attempt.generation,
        at: Timestamp(attempt.at),
        subscription_revision: attempt.revision,
        status_code: attempt.status_code,
        response_body: attempt.response_body.clone(),
        response_time: attempt.response_time,
        success: attempt.success,
        error: attempt.error.clone(),
        body: body(delivery, attempt, context),
        headers: headers_shown(delivery, attempt, context),
        cut: false,
    }
}

/// The body exactly as it was signed.
fn body(delivery: &Delivery, attempt: &Attempt, context: Context<'_>) -> Option<String> {
    let event = context.event?;
    Some(event::body(delivery.id, attempt.at, event.event, event.tenant_id, &event.data))
}

/// The headers, redacted. Only attempts of the subscription's current revision have them: what an earlier
/// revision sent is not stored.
fn headers_shown(
    delivery: &Delivery,
    attempt: &Attempt,
    context: Context<'_>,
) -> Option<BTreeMap<String, String>> {
    let subscription = context.subscription.filter(|found| found.revision == attempt.revision)?;
    Some(headers(delivery, attempt, subscription))
}

fn headers(delivery: &Delivery, attempt: &Attempt, subscription: &Subscription) -> BTreeMap<String, String> {
    let head = AttemptHead { id: delivery.id, event: delivery.event, number: attempt.number, at: attempt.at };
    request::redacted(request::headers(subscription, head)).into_iter().collect()
}
