//! The circuit breaker: holds deliveries back from a receiver that is down, and lets a probe find out when it
//! is back. The states are drawn in the [module](super).

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::shared::delivery_id::DeliveryId;

/// How many different deliveries in a row have to fail to open the breaker.
const STREAK: usize = 5;
/// How long the breaker is open the first time, in seconds.
const SHORTEST_SECONDS: u32 = 60;
/// The longest time that the breaker is open, in seconds. The time doubles with each failed probe.
const MAX_SECONDS: u32 = 900;
/// Over how many seconds the deliveries that were held back are spread. The first of them is the probe.
const SPREAD_SECONDS: i64 = 30;

/// The breaker of a subscription, as it is stored: all environments share it. Times are in milliseconds since
/// 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Breaker {
    /// Until when the breaker is open. `None`: it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_until: Option<i64>,
    /// For how long it was last opened, in seconds.
    pub open_seconds: u32,
    /// Until when the probe is leased to an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_until: Option<i64>,
}

/// The breaker's answer to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// The breaker is closed: the attempt may be made.
    Allowed,
    /// The breaker is half-open: the attempt may be made if no other probe is under way.
    Probe,
    /// The breaker is open, or a probe is under way.
    Rejected {
        /// When to ask again.
        until: DateTime<Utc>,
    },
}

/// The state of a circuit breaker.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Deliveries are sent.
    Closed,
    /// Deliveries wait, without using attempts.
    Open,
    /// One delivery is sent to find out whether the receiver is back; the others wait.
    HalfOpen,
}

impl Breaker {
    /// Whether an attempt may be made now.
    #[must_use]
    pub fn permit(&self, now: DateTime<Utc>) -> Permit {
        let moment = |millis| DateTime::from_timestamp_millis(millis).unwrap_or(now);
        let Some(open_until) = self.open_until.map(moment) else { return Permit::Allowed };
        let probe_until = self.probe_until.map_or(open_until, moment);
        let until = open_until.max(probe_until);
        if now < until { Permit::Rejected { until } } else { Permit::Probe }
    }

    /// The breaker after it opens: for the first time, or again because a probe failed.
    #[must_use]
    pub fn opened(&self, now: DateTime<Utc>) -> Self {
        let doubled = self.open_seconds.saturating_mul(2).clamp(SHORTEST_SECONDS, MAX_SECONDS);
        let open_seconds = if self.open_until.is_some() { doubled } else { SHORTEST_SECONDS };
        let until = now.checked_add_signed(Duration::seconds(open_seconds.into())).unwrap_or(now);
        Self { open_until: Some(until.timestamp_millis()), open_seconds, probe_until: None }
    }

    /// The state at `now`.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>) -> BreakerState {
        match self.permit(now) {
            Permit::Allowed => BreakerState::Closed,
            Permit::Probe => BreakerState::HalfOpen,
            Permit::Rejected { .. }
                if self.open_until.is_some_and(|until| until <= now.timestamp_millis()) =>
            {
                BreakerState::HalfOpen
            }
            Permit::Rejected { .. } => BreakerState::Open,
        }
    }
}

/// When a delivery that the breaker rejects until `until` is attempted: up to 30 seconds later, by `random`,
/// so that one delivery comes first and is the probe.
#[must_use]
pub fn spread(until: DateTime<Utc>, random: u64) -> DateTime<Utc> {
    let most = u64::try_from(SPREAD_SECONDS.saturating_mul(1_000)).unwrap_or(1);
    let later = i64::try_from(random.checked_rem(most).unwrap_or(0)).unwrap_or(0);
    until.checked_add_signed(Duration::milliseconds(later)).unwrap_or(until)
}

/// The different deliveries that failed since the last success.
#[derive(Debug, Clone, Default)]
pub struct Streak(Vec<DeliveryId>);

impl Streak {
    /// Records a failure. Returns whether it opens the breaker.
    pub fn fail(&mut self, id: DeliveryId) -> bool {
        if self.0.contains(&id) {
            return false;
        }
        self.0.push(id);
        if self.0.len() < STREAK {
            return false;
        }
        self.0.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600_i64.saturating_add(seconds), 0).unwrap()
    }

    fn id(number: u128) -> DeliveryId {
        DeliveryId::derive(Uuid::from_u128(number).into(), Uuid::nil().into(), 0)
    }

    #[test]
    fn five_different_failed_deliveries_in_a_row_open_the_breaker() {
        let mut streak = Streak::default();
        assert!(![1, 1, 1, 1, 1, 2, 3, 4].into_iter().any(|number| streak.fail(id(number))));
        // A success resets the streak.
        streak = Streak::default();
        assert!(![1, 2, 3, 4].into_iter().any(|number| streak.fail(id(number))));
        assert!(streak.fail(id(5)));
        assert!(!streak.fail(id(6)), "and the count restarts");
    }

    #[test]
    fn an_open_breaker_permits_a_probe_after_a_minute() {
        let breaker = Breaker::default().opened(at(0));
        assert_eq!(breaker.permit(at(59)), Permit::Rejected { until: at(60) });
        assert_eq!(breaker.state(at(59)), BreakerState::Open);
        assert_eq!(breaker.permit(at(60)), Permit::Probe);
        let probing = Breaker { probe_until: Some(at(100).timestamp_millis()), ..breaker };
        assert_eq!(probing.permit(at(61)), Permit::Rejected { until: at(100) });
        assert_eq!(probing.state(at(61)), BreakerState::HalfOpen);
        assert_eq!(probing.permit(at(100)), Permit::Probe, "the lease of the probe has ended");
        assert_eq!(Breaker::default().permit(at(0)), Permit::Allowed);
    }

    #[test]
    fn each_failed_probe_doubles_the_open_time_up_to_15_minutes() {
        let mut breaker = Breaker::default();
        let seconds: Vec<u32> = (0..6)
            .map(|_| {
                breaker = breaker.opened(at(0));
                breaker.open_seconds
            })
            .collect();
        assert_eq!(seconds, [60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn held_deliveries_are_spread_over_30_seconds() {
        for random in [0, 1, 29_999, 30_000, u64::MAX] {
            let later = spread(at(0), random);
            assert!(later >= at(0) && later < at(30), "{later}");
        }
    }
}
