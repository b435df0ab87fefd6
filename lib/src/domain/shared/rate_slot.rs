//! The turns of deliveries to a subscription that wants no more than so many a second.

use chrono::{DateTime, Duration, Utc};

/// A turn that is no further off is waited for on the spot; others come up that much before their time, which
/// is what queues and batches take.
const LEAD_SECONDS: i64 = 5;
/// By how much a turn can be missed before another is needed: with it, the average over any ten seconds is
/// within a tenth of the rate.
const LATE_MS: i64 = 900;

/// What is to be done about a turn now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// It is now.
    Now,
    /// It is so near that it is waited for.
    Soon,
    /// Come up again at this moment, which is somewhat before it.
    Later(DateTime<Utc>),
    /// It was missed.
    Missed,
}

/// How a turn stands.
#[must_use]
pub fn standing(turn: DateTime<Utc>, now: DateTime<Utc>) -> SlotState {
    let left = turn.signed_duration_since(now);
    if left < Duration::milliseconds(LATE_MS.saturating_neg()) {
        SlotState::Missed
    } else if left <= Duration::zero() {
        SlotState::Now
    } else if left <= Duration::seconds(LEAD_SECONDS) {
        SlotState::Soon
    } else {
        SlotState::Later(turn.checked_sub_signed(Duration::seconds(LEAD_SECONDS)).unwrap_or(turn))
    }
}

/// Microseconds from one turn to the next.
#[must_use]
pub fn interval_micros(per_second: u32) -> i64 {
    1_000_000_i64.checked_div(per_second.into()).unwrap_or(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_waited_for_comes_up_later_or_was_missed() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let after = |ms| now.checked_add_signed(Duration::milliseconds(ms)).unwrap();
        for (ms, expected) in [
            (-901, SlotState::Missed),
            (-900, SlotState::Now),
            (0, SlotState::Now),
            (1, SlotState::Soon),
            (5_000, SlotState::Soon),
            (5_001, SlotState::Later(after(1))),
            (65_000, SlotState::Later(after(60_000))),
        ] {
            assert_eq!(standing(after(ms), now), expected, "{ms}");
        }
        assert_eq!(interval_micros(4), 250_000);
    }
}
