//! How a subscription's receiver has been doing: what each hour counted, and where it stands now.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::breaker::Breaker;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::filter_errors::FilterErrors;
use crate::domain::shared::time::timestamp;

/// After so many days of nothing but failures a subscription is disabled.
const HOPELESS_DAYS: i64 = 5;
/// Where a subscription stands, as its environments wrote it down at most once a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// When the last attempt was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<DateTime<Utc>>,
    /// What the receiver answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// When the receiver last took something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<DateTime<Utc>>,
    /// Since when it has taken nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Its breaker.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// Its filters that failed.
    #[serde(flatten)]
    pub filter_errors: FilterErrors,
}

impl State {
    /// Whether there has been nothing but failures for so long that the subscription is to be disabled.
    #[must_use]
    pub fn is_hopeless(&self, now: DateTime<Utc>) -> bool {
        self.failing_since
            .is_some_and(|since| now.signed_duration_since(since) >= Duration::days(HOPELESS_DAYS))
    }

    /// Whether the receiver took something within the last hour.
    #[must_use]
    pub fn is_proven(&self, now: DateTime<Utc>) -> bool {
        self.last_success.is_some_and(|last| now.signed_duration_since(last) < Duration::hours(1))
    }

    /// What callers see: `lastDelivery`, `lastStatus` and `health`, of these hours.
    #[must_use]
    pub fn view(&self, hours: &[(DateTime<Utc>, Counts)], now: DateTime<Utc>) -> Value {
        let mut counts = Counts::default();
        for (_, of_hour) in hours {
            counts.add_all(of_hour);
        }
        let hours: Vec<Value> = hours
            .iter()
            .map(|(hour, counts)| {
                let (attempts, successes) = (counts.attempts(), counts.of("successes"));
                json!({"hour": timestamp(*hour), "attempts": attempts, "successes": successes})
            })
            .collect();
        let mut health = json!({
            "attempts": counts.attempts(),
            "successRate": counts.success_rate(),
            "responseTime": counts.response_time(),
            "hours": hours,
            "breaker": self.breaker.name(now),
            "lastSuccess": self.last_success.map(timestamp),
            "failingSince": self.failing_since.map(timestamp),
        });
        let until = self.breaker.open_until.and_then(DateTime::from_timestamp_millis);
        if let (Some(members), Some(until)) = (health.as_object_mut(), until) {
            members.insert("breakerOpenUntil".to_owned(), json!(timestamp(until)));
        }
        json!({
            "lastDelivery": self.last_delivery.map(timestamp),
            "lastStatus": self.last_status,
            "health": health,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn success_and_response_times_are_told_of_what_was_counted() {
        let mut counts = Counts::default();
        for (success, ms) in [(true, 0), (true, 3), (true, 15), (false, 40_000)] {
            counts.note(success, ms);
        }
        let view = State::default().view(&[(noon(), counts)], noon());
        assert_eq!(view["health"]["attempts"], 4);
        assert_eq!(
            view["health"]["hours"],
            json!([{"hour": "2026-03-01T12:00:00.000Z", "attempts": 4, "successes": 3}])
        );
        assert_eq!(view["health"]["successRate"], 0.75);
        assert_eq!(view["health"]["responseTime"], json!({"p50": 5, "p99": 30_000}));
        assert_eq!(view["health"]["breaker"], "closed");
        let nothing = State::default().view(&[], noon());
        assert_eq!(nothing["health"]["successRate"], Value::Null);
        assert_eq!(nothing["health"]["responseTime"]["p50"], Value::Null);
    }

    #[test]
    fn five_days_of_failures_are_hopeless() {
        let failing = |since: DateTime<Utc>| State { failing_since: Some(since), ..State::default() };
        let days = |days| noon().checked_sub_signed(Duration::days(days)).unwrap();
        assert!(failing(days(5)).is_hopeless(noon()));
        assert!(!failing(days(4)).is_hopeless(noon()) && !State::default().is_hopeless(noon()));
    }
}
