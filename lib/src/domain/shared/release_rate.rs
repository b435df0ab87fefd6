//! The limit of releases a minute of one component.
//!
//! Releases take slots, which are numbered through all minutes: with 10 a minute, minute 7 since 1970 has the
//! slots 70 to 79. If the slots of this minute are taken, a release gets one of a later minute, in the order
//! of arrival.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::ComponentId;

const MINUTE_SECONDS: i64 = 60;
/// How long after its time a slot can be used, in seconds. After that another one is taken.
const LATE_SECONDS: i64 = 60;

/// A slot in a later minute, kept by the queued request that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The component whose releases the slot is for.
    pub component_id: ComponentId,
    /// The time of the slot.
    pub at: DateTime<Utc>,
}

impl Turn {
    /// Whether the slot allows releases of `component` now.
    #[must_use]
    pub fn allows(&self, component: ComponentId, now: DateTime<Utc>) -> bool {
        let late = now.signed_duration_since(self.at).num_seconds();
        self.component_id == component && (0..=LATE_SECONDS).contains(&late)
    }
}

/// The minute of a time, counted from 1970.
#[must_use]
pub fn minute(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(MINUTE_SECONDS)
}

/// The number of the first slot in the minute of `now`.
#[must_use]
pub fn first_slot(now: DateTime<Utc>, per_minute: u32) -> i64 {
    minute(now).saturating_mul(per_minute.into())
}

/// The time of a slot, if it is in a later minute than `now`. `None`: the release can be made now.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use stella::domain::shared::release_rate::{first_slot, later};
///
/// let now: DateTime<Utc> = "2026-03-01T12:00:59Z".parse().unwrap();
/// let first = first_slot(now, 3);
/// assert_eq!(later(first + 2, 3, now), None);
/// assert_eq!(later(first + 4, 3, now), "2026-03-01T12:01:20Z".parse().ok());
/// ```
#[must_use]
pub fn later(slot: i64, per_minute: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let per_minute = i64::from(per_minute.max(1));
    let (of_minute, index) = (slot.div_euclid(per_minute), slot.rem_euclid(per_minute));
    // Slots are spread over their minute, in whole seconds, because queues delay by whole seconds.
    let second = index.saturating_mul(MINUTE_SECONDS).div_euclid(per_minute);
    let time = DateTime::from_timestamp(of_minute.saturating_mul(MINUTE_SECONDS).saturating_add(second), 0);
    time.filter(|_| of_minute > minute(now))
}

/// How many releases a minute an environment makes without taking slots in the table. This saves ordinary
/// pushes another write. An environment that makes more takes a slot for each, also for those it has made
/// already.
#[must_use]
pub fn unasked(per_minute: u32) -> u32 {
    per_minute.div_euclid(60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    #[test]
    fn slots_of_later_minutes_are_spread_over_their_minute() {
        let now = at("2026-03-01T12:00:59.999Z");
        let first = first_slot(now, 3);
        let times: Vec<_> = (0..8).map(|number| later(first + number, 3, now)).collect();
        let expected = ["12:01:00", "12:01:20", "12:01:40", "12:02:00", "12:02:20"];
        assert_eq!(times[..3], [None, None, None]);
        let later: Vec<_> =
            times[3..].iter().flatten().map(|time| time.format("%H:%M:%S").to_string()).collect();
        assert_eq!(later, expected);
    }

    #[test]
    fn a_slot_is_for_one_component_and_a_minute_long() {
        let component = ComponentId::from(Uuid::from_u128(1));
        let turn = Turn { component_id: component, at: at("2026-03-01T12:01:00Z") };
        assert!(turn.allows(component, at("2026-03-01T12:01:00Z")));
        assert!(turn.allows(component, at("2026-03-01T12:02:00Z")));
        assert!(!turn.allows(component, at("2026-03-01T12:00:59Z")));
        assert!(!turn.allows(component, at("2026-03-01T12:02:01Z")));
        assert!(!turn.allows(Uuid::from_u128(2).into(), at("2026-03-01T12:01:00Z")));
    }

    #[test]
    fn a_sixtieth_of_the_limit_is_made_without_taking_slots() {
        assert_eq!((unasked(600), unasked(60), unasked(3)), (10, 1, 0));
    }

    proptest! {
        #[test]
        fn slots_are_in_the_order_of_their_times(per_minute in 1_u32..10_000, number in 0_i64..50_000) {
            let now = at("2026-03-01T12:00:00Z");
            let slot = first_slot(now, per_minute).saturating_add(number);
            let (this, next) = (later(slot, per_minute, now), later(slot.saturating_add(1), per_minute, now));
            prop_assert!(this <= next);
            prop_assert_eq!(this.is_none(), number < i64::from(per_minute));
            if let Some(this) = this {
                prop_assert_eq!(minute(this), minute(now).saturating_add(number.div_euclid(i64::from(per_minute))));
            }
        }
    }
}
