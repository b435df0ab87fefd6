//! What each hour counted of a tenant: what became of deliveries, and of what senders posted.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::delivery::{Attempt, Delivery, Status};
use crate::domain::shared::counts::{Counts, SHOWN_HOURS};
use crate::domain::shared::time::{hour, timestamp};

/// What becomes of a delivery by an attempt.
const OUTCOMES: [&str; 3] = ["delivered", "retried", "failed"];
/// What the counts of pushes begin with.
const PUSH: &str = "push.";

/// What an attempt counts for, once the row says what became of its delivery.
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

/// What a sender's request counts for, by what it came to.
#[must_use]
pub fn of_push(action: &str) -> Counts {
    let mut counts = Counts::default();
    counts.add(&format!("{PUSH}{action}"), 1);
    counts
}

/// How many requests of senders came to this.
#[must_use]
pub fn pushes_of(counts: &Counts, action: &str) -> u64 {
    counts.of(&format!("{PUSH}{action}"))
}

/// The last day as callers see it, every hour of it, the oldest first.
#[must_use]
pub fn view(counted: &[(DateTime<Utc>, Counts)], now: DateTime<Utc>) -> Value {
    let mut all = Counts::default();
    for (_, counts) in counted {
        all.add_all(counts);
    }
    let hours: Vec<Value> = (0..SHOWN_HOURS)
        .rev()
        .filter_map(|ago| hour(now).checked_sub_signed(Duration::hours(ago)))
        .map(|at| view_hour(at, counted.iter().find(|(hour, _)| *hour == at).map(|(_, counts)| counts)))
        .collect();
    json!({
        "hours": hours,
        "deliveries": outcomes(Some(&all)),
        "pushes": pushes(Some(&all)),
        "attempts": all.attempts(),
        "firstAttemptSuccessRate": all.rate("firstTaken", "first"),
        "responseTime": all.response_time(),
    })
}

fn view_hour(at: DateTime<Utc>, counts: Option<&Counts>) -> Value {
    json!({
        "hour": timestamp(at),
        "deliveries": outcomes(counts),
        "pushes": pushes(counts),
        "responseTime": counts.map_or_else(|| Counts::default().response_time(), Counts::response_time),
    })
}

fn outcomes(counts: Option<&Counts>) -> Value {
    let count = |name: &&str| json!(counts.map_or(0, |counts| counts.of(name)));
    Value::Object(OUTCOMES.iter().map(|name| ((*name).to_owned(), count(name))).collect::<Map<_, _>>())
}

fn pushes(counts: Option<&Counts>) -> Value {
    let named = counts.into_iter().flat_map(Counts::iter);
    let of_pushes = named.filter_map(|(name, count)| Some((name.strip_prefix(PUSH)?, count)));
    Value::Object(of_pushes.map(|(name, count)| (name.to_owned(), json!(count))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_of_the_last_day_is_told_and_what_was_counted_before_is_not() {
        let now: DateTime<Utc> = "2026-03-01T12:30:00Z".parse().unwrap();
        let at = |hours| hour(now).checked_sub_signed(Duration::hours(hours)).unwrap();
        let mut counts = of_push("created");
        counts.add("delivered", 3);
        counts.add("first", 4);
        counts.add("firstTaken", 3);
        counts.note(true, 15);
        let view = view(&[(at(0), counts), (at(23), of_push("ignored"))], now);
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
