//! The overview of a tenant: what attempts and pushes led to, hour by hour.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::delivery::{Attempt, Delivery, Status};
use crate::domain::shared::counts::{Counts, ResponseTimes, SHOWN_HOURS};
#[cfg(feature = "schema")]
use crate::domain::shared::ids::SubscriptionId;
use crate::domain::shared::time::{Timestamp, hour};

/// The prefix of the names under which pushes are counted.
const PUSH: &str = "push.";

/// The counts of an attempt, by the state of its delivery after it.
#[must_use]
pub fn of_attempt(row: &Delivery, attempt: &Attempt) -> Counts {
    let mut counts = Counts::default();
    counts.note(attempt.success, attempt.response_time);
    counts.add(
        match row.status {
            Status::Delivered => "delivered",
            Status::Failed => "failed",
            Status::Pending | Status::Retrying | Status::Paused | Status::Skipped | Status::Cancelled => {
                "retried"
            }
        },
        1,
    );
    if attempt.is_first() {
        counts.add("first", 1);
        counts.add("firstTaken", u64::from(attempt.success));
    }
    counts
}

/// The count of a push, by its result.
#[must_use]
pub fn of_push(action: &str) -> Counts {
    let mut counts = Counts::default();
    counts.add(&format!("{PUSH}{action}"), 1);
    counts
}

/// The number of pushes with this result.
#[must_use]
pub fn pushes_of(counts: &Counts, action: &str) -> u64 {
    counts.of(&format!("{PUSH}{action}"))
}

/// The last 24 hours of a tenant. The counts are approximate, and up to ten seconds late.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Every hour, the oldest first.
    pub hours: Vec<OverviewHour>,
    /// What attempts led to.
    pub deliveries: Outcomes,
    /// What requests of senders led to.
    pub pushes: Pushes,
    /// How many attempts were made.
    pub attempts: u64,
    /// The share of first attempts that succeeded, from 0 to 1. `null` without attempts.
    pub first_attempt_success_rate: Option<f64>,
    /// How long attempts took.
    pub response_time: ResponseTimes,
    /// What needs attention now.
    pub attention: Vec<Attention>,
}

/// An hour of the overview.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverviewHour {
    /// When the hour began.
    pub hour: Timestamp,
    /// What attempts led to.
    pub deliveries: Outcomes,
    /// What requests of senders led to.
    pub pushes: Pushes,
    /// How long attempts took.
    pub response_time: ResponseTimes,
}

/// Attempts by what they led to.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// The receiver accepted the delivery.
    pub delivered: u64,
    /// The attempt failed, and another one follows.
    pub retried: u64,
    /// The attempt failed, and no other one follows.
    pub failed: u64,
}

/// How many requests of senders led to an action or to an error, by the name of the action or the code of the
/// error.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pushes(BTreeMap<String, u64>);

/// Something that needs attention.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// What is wrong.
    pub kind: AttentionKind,
    /// The id of the subscription or the webhook config.
    #[cfg_attr(feature = "schema", schemars(with = "SubscriptionId"))]
    pub id: Uuid,
    /// The name of the subscription or the webhook config.
    pub name: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// More about it, for people.
    pub detail: Option<String>,
}

/// What is wrong with a subscription or a webhook config.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// The service disabled a subscription.
    SubscriptionDisabled,
    /// The circuit breaker of a subscription is open.
    BreakerOpen,
    /// Every attempt of a subscription has failed for some time.
    SubscriptionFailing,
    /// Many requests to a webhook config did not authenticate.
    RequestsRejected,
}

/// The last 24 hours, as callers see them.
#[must_use]
pub fn view(counted: &[(DateTime<Utc>, Counts)], attention: Vec<Attention>, now: DateTime<Utc>) -> Overview {
    let mut all = Counts::default();
    for (_, counts) in counted {
        all.add_all(counts);
    }
    let hours = (0..SHOWN_HOURS).rev().filter_map(|ago| hour(now).checked_sub_signed(Duration::hours(ago)));
    let nothing = Counts::default();
    let of_hour = |at: DateTime<Utc>| {
        let counts = counted.iter().find(|(hour, _)| *hour == at).map_or(&nothing, |(_, counts)| counts);
        OverviewHour {
            hour: Timestamp(at),
            deliveries: outcomes(counts),
            pushes: pushes(counts),
            response_time: counts.response_times(),
        }
    };
    Overview {
        hours: hours.map(of_hour).collect(),
        deliveries: outcomes(&all),
        pushes: pushes(&all),
        attempts: all.attempts(),
        first_attempt_success_rate: all.rate("firstTaken", "first"),
        response_time: all.response_times(),
        attention,
    }
}

fn outcomes(counts: &Counts) -> Outcomes {
    Outcomes { delivered: counts.of("delivered"), retried: counts.of("retried"), failed: counts.of("failed") }
}

fn pushes(counts: &Counts) -> Pushes {
    let of_pushes = counts.iter().filter_map(|(name, count)| Some((name.strip_prefix(PUSH)?, count)));
    Pushes(of_pushes.map(|(name, count)| (name.to_owned(), count)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_overview_has_the_hours_of_the_last_day_only() {
        let now: DateTime<Utc> = "2026-03-01T12:30:00Z".parse().unwrap();
        let at = |hours| hour(now).checked_sub_signed(Duration::hours(hours)).unwrap();
        let mut counts = of_push("created");
        counts.add("delivered", 3);
        counts.add("first", 4);
        counts.add("firstTaken", 3);
        counts.note(true, 15);
        let view = json!(view(&[(at(0), counts), (at(23), of_push("ignored"))], Vec::new(), now));
        let hours = view["hours"].as_array().unwrap();
        assert_eq!(hours.len(), 24);
        assert_eq!(hours[0]["pushes"], json!({"ignored": 1}));
        assert_eq!(hours[23]["hour"], "2026-03-01T12:00:00.000Z");
        assert_eq!(hours[23]["deliveries"], json!({"delivered": 3, "retried": 0, "failed": 0}));
        assert_eq!(view["pushes"], json!({"created": 1, "ignored": 1}));
        assert_eq!(view["firstAttemptSuccessRate"], 0.75);
        assert_eq!(view["responseTime"]["p50"], 20);
        assert_eq!(view["attempts"], 1);
    }
}
