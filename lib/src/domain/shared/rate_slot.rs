//! Rate-limit slots: the times at which the deliveries to a subscription with `rateLimitPerSecond` may be
//! attempted.

use chrono::{DateTime, Duration, Utc};

/// A slot that is at most this far off, in seconds, is waited for in place. For a later slot, the delivery
/// comes up again this long before it, which allows for the delays of queues and batches.
const LEAD_SECONDS: i64 = 5;
/// How long after its time a slot can still be used, in milliseconds. With this bound, the average over any
/// ten seconds is within a tenth of the rate.
const LATE_MS: i64 = 900;

/// What to do about a slot now.
///
/// ```text
///  ── Later ──┼─────── Soon ───────┼──── Now ────┼── Missed ──▶ now
///       slot - 5 s                slot      slot + 0.9 s
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
    /// The slot is now: make the attempt.
    Now,
    /// The slot is at most 5 seconds off: wait for it.
    Soon,
    /// The slot is further off: come up again at this time, 5 seconds before it.
    Later(DateTime<Utc>),
    /// The slot can no longer be used: take another.
    Missed,
}

impl SlotState {
    /// What to do about `slot` at `now`.
    #[must_use]
    pub fn of(slot: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let left = slot.signed_duration_since(now);
        if left < Duration::milliseconds(LATE_MS.saturating_neg()) {
            Self::Missed
        } else if left <= Duration::zero() {
            Self::Now
        } else if left <= Duration::seconds(LEAD_SECONDS) {
            Self::Soon
        } else {
            Self::Later(slot.checked_sub_signed(Duration::seconds(LEAD_SECONDS)).unwrap_or(slot))
        }
    }
}

/// The interval between two slots, in microseconds.
#[must_use]
pub fn interval_micros(per_second: u32) -> i64 {
    1_000_000_i64.checked_div(per_second.into()).unwrap_or(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_now_soon_later_or_missed() {
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
            assert_eq!(SlotState::of(after(ms), now), expected, "{ms}");
        }
        assert_eq!(interval_micros(4), 250_000);
    }
}
