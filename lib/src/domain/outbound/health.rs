//! The health of a subscription's receiver: its stored state, and what callers see.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerState};
use crate::domain::shared::counts::Counts;
use crate::domain::shared::filter_errors::{FilterErrors, FilterErrorsView};
use crate::domain::shared::time::Timestamp;

/// After how many days with failures only a subscription is disabled.
const MAX_FAILING_DAYS: i64 = 5;
/// The stored state of a subscription's receiver. Each environment updates it at most once a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// When the last attempt was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<DateTime<Utc>>,
    /// The status code of its answer. `None` without an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// When an attempt last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<DateTime<Utc>>,
    /// The first failure after the last success. `None` if the last attempt succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// The circuit breaker.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// The subscription's filters that failed.
    #[serde(flatten)]
    pub filter_errors: FilterErrors,
}

impl State {
    /// Whether every attempt has failed for so many days that the subscription is to be disabled.
    #[must_use]
    pub fn has_failed_for_days(&self, now: DateTime<Utc>) -> bool {
        self.failing_since
            .is_some_and(|since| now.signed_duration_since(since) >= Duration::days(MAX_FAILING_DAYS))
    }

    /// Whether an attempt succeeded within the last hour.
    #[must_use]
    pub fn is_proven(&self, now: DateTime<Utc>) -> bool {
        self.last_success.is_some_and(|last| now.signed_duration_since(last) < Duration::hours(1))
    }

    /// The state as callers see it, with the counts of `hours`. `filter_errors` is filled in by the caller,
    /// who knows the filters.
    #[must_use]
    pub fn view(&self, hours: &[(DateTime<Utc>, Counts)], now: DateTime<Utc>) -> ReceiverView {
        let mut counts = Counts::default();
        for (_, of_hour) in hours {
            counts.add_all(of_hour);
        }
        let hour = |(hour, counts): &(DateTime<Utc>, Counts)| HealthHour {
            hour: Timestamp(*hour),
            attempts: counts.attempts(),
            successes: counts.of("successes"),
        };
        let times = counts.response_times();
        let open_until = self.breaker.open_until.and_then(DateTime::from_timestamp_millis);
        let health = SubscriptionHealth {
            attempts: counts.attempts(),
            success_rate: counts.success_rate(),
            response_time: HealthResponseTimes { p50: times.p50, p99: times.p99 },
            hours: hours.iter().map(hour).collect(),
            breaker: self.breaker.state(now),
            breaker_open_until: open_until.map(Timestamp),
            last_success: self.last_success.map(Timestamp),
            failing_since: self.failing_since.map(Timestamp),
        };
        let last_delivery = self.last_delivery.map(Timestamp);
        ReceiverView { last_delivery, last_status: self.last_status, health, filter_errors: None }
    }
}

/// The members of a subscription's view that come from its receiver and its filters.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiverView {
    /// When the last attempt was made.
    pub last_delivery: Option<Timestamp>,
    /// What the receiver answered.
    pub last_status: Option<u16>,
    /// How the receiver did.
    pub health: SubscriptionHealth,
    /// Filters that failed.
    pub filter_errors: Option<FilterErrorsView>,
}

/// How the receiver of a subscription did in the last 24 hours; up to a minute old.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionHealth {
    /// How many attempts were made.
    pub attempts: u64,
    /// The share of the attempts that succeeded, from 0 to 1. Absent without attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
    pub success_rate: Option<f64>,
    /// How long attempts took.
    pub response_time: HealthResponseTimes,
    /// Every hour with attempts, the oldest first.
    pub hours: Vec<HealthHour>,
    /// The state of the circuit breaker.
    pub breaker: BreakerState,
    /// Until when the circuit breaker is open, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker_open_until: Option<Timestamp>,
    /// When an attempt last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// Since when every attempt has failed, if the last one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
}

/// Response times in milliseconds: upper bounds of the classes that they are counted in. Absent without
/// attempts.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HealthResponseTimes {
    /// Half of the attempts took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// 99 percent of the attempts took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
}

/// The attempts of an hour.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HealthHour {
    /// When the hour began.
    pub hour: Timestamp,
    /// How many attempts were made.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub attempts: u64,
    /// How many of them succeeded.
    pub successes: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn health_shows_the_success_rate_and_response_times_of_the_counts() {
        let mut counts = Counts::default();
        for (success, ms) in [(true, 0), (true, 3), (true, 15), (false, 40_000)] {
            counts.note(success, ms);
        }
        let view = json!(State::default().view(&[(noon(), counts)], noon()).health);
        assert_eq!(view["attempts"], 4);
        assert_eq!(
            view["hours"],
            json!([{"hour": "2026-03-01T12:00:00.000Z", "attempts": 4, "successes": 3}])
        );
        assert_eq!(view["successRate"], 0.75);
        assert_eq!(view["responseTime"], json!({"p50": 5, "p99": 30_000}));
        assert_eq!(view["breaker"], "closed");
        let nothing = State::default().view(&[], noon()).health;
        assert_eq!((nothing.success_rate, nothing.response_time.p50), (None, None));
    }

    #[test]
    fn a_subscription_is_disabled_after_five_days_of_failures() {
        let failing = |since: DateTime<Utc>| State { failing_since: Some(since), ..State::default() };
        let days = |days| noon().checked_sub_signed(Duration::days(days)).unwrap();
        assert!(failing(days(5)).has_failed_for_days(noon()));
        assert!(
            !failing(days(4)).has_failed_for_days(noon()) && !State::default().has_failed_for_days(noon())
        );
    }
}
