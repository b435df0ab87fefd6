//! Decides whether an attempt that is due is made now. [`admit`] is a table, from the strongest reason to the
//! weakest.

use chrono::{DateTime, Duration, Utc};

use super::breaker::Permit;
use super::delivery::{Delivery, OPEN_DAYS, expiry};
use super::message::AttemptDue;
use super::reason::Reason;
use super::subscription::Subscription;
use crate::domain::shared::rate_slot::SlotState;

/// What an attempt sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The event's data as JSON text.
    pub data: String,
    /// The event's hops: how often it came back in through a webhook config.
    pub hops: u32,
}

/// What [`admit`] decides by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r, 'a> {
    /// The message of the attempt.
    pub due: &'r AttemptDue,
    /// The delivery's row. It may not exist before the first attempt.
    pub row: Option<&'r Delivery>,
    /// The subscription. `None` if it was deleted.
    pub subscription: Option<&'a Subscription>,
    /// The data to send. `None` if the event has expired.
    pub payload: Option<&'a Payload>,
    /// The circuit breaker's answer. `None` if it was not asked yet.
    pub permit: Option<Permit>,
    /// The delivery's rate-limit slot. `None` if it has none yet.
    pub slot: Option<DateTime<Utc>>,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// What to do about an attempt that is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission<'a> {
    /// Nothing: the row is past this attempt. An earlier receive of the message, or another message, made it.
    AlreadyMade,
    /// Cancel the delivery.
    Cancel(Reason),
    /// Let the delivery wait, without using an attempt.
    Wait(&'a Subscription, &'a Payload, Wait),
    /// Ask the circuit breaker, and decide again.
    AskBreaker(&'a Subscription),
    /// Take a rate-limit slot, with this many slots per second, and decide again.
    TakeSlot(&'a Subscription, u32),
    /// Make the attempt.
    Send {
        /// The target subscription.
        subscription: &'a Subscription,
        /// The data to send.
        payload: &'a Payload,
        /// The earliest time of the attempt, at most 5 seconds away.
        at: DateTime<Utc>,
        /// Whether the attempt is the breaker's probe.
        is_probe: bool,
    },
}

/// What a delivery waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The subscription to be enabled or the credential to be readable; at the latest until this time.
    Resume(Reason, DateTime<Utc>),
    /// A reader that fetches it.
    Reader,
    /// The circuit breaker, which is open until this time.
    Breaker(DateTime<Utc>),
    /// Its rate-limit slot.
    Slot {
        /// The time of the slot.
        slot: DateTime<Utc>,
        /// When the delivery's message is received again: 5 seconds before the slot.
        before: DateTime<Utc>,
    },
}

/// Decides about an attempt that is due.
///
/// [`Admission::AskBreaker`] and [`Admission::TakeSlot`] ask for a fact that costs a read or a write. Once
/// the fact is given, they are not returned again.
#[must_use]
pub fn admit<'a>(facts: &Facts<'_, 'a>) -> Admission<'a> {
    let Facts { due, row, now, .. } = *facts;
    if row.is_some_and(|row| !row.awaits(due.generation, due.attempt)) {
        return Admission::AlreadyMade;
    }
    let Some(subscription) = facts.subscription else {
        return Admission::Cancel(Reason::SubscriptionDeleted);
    };
    let Some(payload) = facts.payload else {
        return Admission::Cancel(Reason::EventExpired);
    };
    let created_at = row.map_or(now, |row| row.created_at);
    if now.signed_duration_since(created_at) >= Duration::days(OPEN_DAYS) {
        return Admission::Cancel(Reason::Expired);
    }
    let wait = |wait| Admission::Wait(subscription, payload, wait);
    let send = |at, is_probe| Admission::Send { subscription, payload, at, is_probe };
    if !subscription.spec.enabled {
        return wait(Wait::Resume(Reason::Disabled, expiry(created_at)));
    }
    if subscription.spec.is_pull() {
        return wait(Wait::Reader);
    }
    match facts.permit {
        None => return Admission::AskBreaker(subscription),
        Some(Permit::Rejected { until }) => return wait(Wait::Breaker(until)),
        // A probe needs no slot: there is at most one a minute.
        Some(Permit::Probe) => return send(now, true),
        Some(Permit::Allowed) => {}
    }
    let Some(per_second) = subscription.spec.rate_limit_per_second else { return send(now, false) };
    let Some(slot) = facts.slot else { return Admission::TakeSlot(subscription, per_second) };
    match SlotState::of(slot, now) {
        SlotState::Now | SlotState::Missed => send(now, false),
        SlotState::Soon => send(slot, false),
        SlotState::Later(before) => wait(Wait::Slot { slot, before }),
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::outbound::delivery::Carried;
    use crate::domain::outbound::event_type::EventType;
    use crate::domain::shared::delivery_id::DeliveryId;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn subscription(enabled: bool, pull: bool, per_second: Option<u32>) -> Subscription {
        let mut stored = json!({"id": Uuid::nil(), "tenantId": Uuid::nil(), "handle": 7, "name": "s",
            "url": if pull { "pull:" } else { "https://example.com" }, "method": "POST", "authType": "none",
            "events": ["*"], "timeout": 30_000, "retryPolicy": {}, "enabled": enabled, "revision": 1,
            "createdAt": noon(), "updatedAt": noon()});
        if let Some(per_second) = per_second {
            stored["rateLimitPerSecond"] = json!(per_second);
        }
        serde_json::from_value(stored).unwrap()
    }

    fn due(attempt: u32) -> AttemptDue {
        AttemptDue {
            tenant_id: Uuid::nil().into(),
            subscription_id: Uuid::nil().into(),
            delivery_id: DeliveryId::derive(Uuid::nil().into(), Uuid::nil().into(), 7),
            event_id: Uuid::nil().into(),
            event: EventType::ReleaseCreated,
            attempt,
            generation: 0,
            fresh: false,
            attempt_token: String::new(),
            due: None,
            data: None,
            hops: 0,
        }
    }

    fn permit() -> impl Strategy<Value = Option<Permit>> {
        let until = noon() + Duration::minutes(1);
        prop::sample::select(vec![
            None,
            Some(Permit::Allowed),
            Some(Permit::Probe),
            Some(Permit::Rejected { until }),
        ])
    }

    proptest! {
        #[test]
        fn an_attempt_is_made_only_if_nothing_prevents_it(
            (has_row, made, age_days) in (any::<bool>(), 0..3_u32, 0..40_i64),
            (is_deleted, enabled, pull, has_payload) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
            (per_second, slot) in (prop::option::of(1..100_u32), prop::option::of(-10..60_i64)),
            permit in permit(),
        ) {
            let found = subscription(enabled, pull, per_second);
            let subscription = Some(&found).filter(|_| !is_deleted);
            let due = due(1);
            let carried = Carried { event_id: None, event: due.event, hops: 0 };
            let mut row = Delivery::new(due.delivery_id, carried, &found, noon() - Duration::days(age_days));
            row.attempts = made;
            let row = Some(&row).filter(|_| has_row);
            let slot = slot.map(|seconds| noon() + Duration::seconds(seconds));
            let kept = Payload { data: "{}".to_owned(), hops: 0 };
            let payload = Some(&kept).filter(|_| has_payload);
            let admission = admit(&Facts { due: &due, row, subscription, payload, permit, slot, now: noon() });

            let awaited = row.is_none_or(|row| row.attempts == 0);
            let lives = awaited && !is_deleted && has_payload && (row.is_none() || age_days < OPEN_DAYS);
            let sendable = lives && enabled && !pull;
            prop_assert_eq!(admission == Admission::AlreadyMade, !awaited);
            prop_assert_eq!(matches!(admission, Admission::Cancel(_)), awaited && !lives);
            let waits = match &admission {
                Admission::Wait(_, _, wait) => Some(wait),
                _ => None,
            };
            prop_assert_eq!(matches!(waits, Some(Wait::Resume(..))), lives && !enabled);
            prop_assert_eq!(waits == Some(&Wait::Reader), lives && enabled && pull);
            prop_assert_eq!(matches!(admission, Admission::AskBreaker(_)), sendable && permit.is_none());
            let is_rejected = matches!(permit, Some(Permit::Rejected { .. }));
            prop_assert_eq!(matches!(waits, Some(Wait::Breaker(_))), sendable && is_rejected);
            let limited = sendable && permit == Some(Permit::Allowed) && per_second.is_some();
            prop_assert_eq!(matches!(admission, Admission::TakeSlot(..)), limited && slot.is_none());
            if let Admission::Send { at, is_probe, .. } = admission {
                prop_assert!(sendable && at >= noon() && at <= noon() + Duration::seconds(5));
                prop_assert_eq!(is_probe, permit == Some(Permit::Probe));
            }
        }
    }
}
