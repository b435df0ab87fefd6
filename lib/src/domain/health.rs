//! How a subscription's receiver has been doing: what each hour counted, and where it stands now.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::breaker::Breaker;
use super::filter_errors::FilterErrors;
use super::timestamp;

/// After so many days of nothing but failures a subscription is disabled.
const HOPELESS_DAYS: i64 = 5;
/// Over how many hours success and response times are told.
pub const TOLD_HOURS: i64 = 24;
/// How long an hour's counts are kept, in days.
pub const KEPT_DAYS: i64 = 8;

/// Response times are counted by the first of these, in milliseconds, that is not below them.
const BOUNDS_MS: [u64; 15] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000];

/// Counts of an hour, by the name they are stored under: of attempts `successes`, `failures`, and `ms<bound>`
/// for response times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts an attempt.
    pub fn note(&mut self, success: bool, response_time_ms: u64) {
        let bound = BOUNDS_MS.iter().find(|bound| response_time_ms <= **bound).unwrap_or(&30_000);
        self.add(if success { "successes" } else { "failures" }, 1);
        self.add(&format!("ms{bound}"), 1);
    }

    /// Adds one of the counts.
    pub fn add(&mut self, name: &str, count: u64) {
        let sum = self.0.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Adds all of others.
    pub fn add_all(&mut self, others: &Self) {
        for (name, count) in &others.0 {
            self.add(name, *count);
        }
    }

    /// Every count by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// One of the counts.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// How many attempts were counted.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.of("successes").saturating_add(self.of("failures"))
    }

    /// One count as a part of another, with four decimals; none of nothing.
    #[must_use]
    pub fn rate(&self, part: &str, all: &str) -> Option<f64> {
        rate(self.of(part), self.of(all))
    }

    /// Response times as callers see them.
    #[must_use]
    pub fn response_time(&self) -> Value {
        json!({"p50": self.percentile(50), "p99": self.percentile(99)})
    }

    /// The response time that so many percent of the attempts did not exceed, as a bound in milliseconds.
    fn percentile(&self, percent: u64) -> Option<u64> {
        let counts = BOUNDS_MS.map(|bound| (bound, self.of(&format!("ms{bound}"))));
        let all: u64 = counts.iter().map(|(_, count)| *count).sum();
        let mut below: u64 = 0;
        counts.into_iter().find_map(|(bound, count)| {
            below = below.saturating_add(count);
            (count > 0 && below.saturating_mul(100) >= all.saturating_mul(percent)).then_some(bound)
        })
    }
}

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
            "successRate": rate(counts.of("successes"), counts.attempts()),
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

/// The part of all, with four decimals; none of nothing.
fn rate(part: u64, all: u64) -> Option<f64> {
    let rate = part.saturating_mul(10_000).checked_div(all)?;
    Some(f64::from(u32::try_from(rate).unwrap_or(10_000)) / 10_000.0)
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

    #[test]
    fn merged_counts_are_those_of_both() {
        let (mut one, mut other, mut both) = (Counts::default(), Counts::default(), Counts::default());
        one.note(true, 3);
        other.note(false, 3);
        both.note(true, 3);
        both.note(false, 3);
        one.add_all(&other);
        assert_eq!(one, both);
    }
}
