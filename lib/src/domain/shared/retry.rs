//! Retry policies: how often and after how long a failed attempt is repeated, and what a `Retry-After`
//! changes.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::domain::shared::object_reader::ObjectReader;

/// The longest wait that a policy or a receiver's `Retry-After` may ask for: 12 hours, in seconds.
pub const MAX_DELAY_SECONDS: u32 = 43_200;
/// The most retries that a policy may ask for.
pub const MAX_RETRIES: u32 = 20;

named! {
    /// How the delay grows from one attempt to the next.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum Backoff {
        /// Doubles: 1, 2, 4, 8, … times `backoffSeconds`.
        Exponential = "exponential",
        /// Grows by the same step: 1, 2, 3, 4, … times `backoffSeconds`.
        Linear = "linear",
        /// Stays at `backoffSeconds`.
        Fixed = "fixed",
    }
}

/// How often and after how long a failed attempt is repeated.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryPolicy {
    /// How many attempts may follow the first one.
    #[cfg_attr(feature = "schema", schemars(range(max = 20)))]
    pub max_retries: u32,
    /// How the delay grows.
    pub backoff_type: Backoff,
    /// The delay before the second attempt, in seconds. Up to a fifth is added at random.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 43_200)))]
    pub backoff_seconds: u32,
    /// The longest delay, in seconds, without what is added at random.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 43_200)))]
    pub max_backoff_seconds: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff_type: Backoff::Exponential,
            backoff_seconds: 10,
            max_backoff_seconds: 3_600,
        }
    }
}

impl RetryPolicy {
    /// Reads a policy. Absent members have their defaults. For `fields.object("retryPolicy",
    /// RetryPolicy::parse)`.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let default = Self::default();
        let mut number = |name, min: u32, max: u32, default: u32| {
            u32::try_from(fields.integer_or(name, min.into(), max.into(), default.into())).unwrap_or(default)
        };
        Some(Self {
            max_retries: number("maxRetries", 0, MAX_RETRIES, default.max_retries),
            backoff_seconds: number("backoffSeconds", 1, MAX_DELAY_SECONDS, default.backoff_seconds),
            max_backoff_seconds: number(
                "maxBackoffSeconds",
                1,
                MAX_DELAY_SECONDS,
                default.max_backoff_seconds,
            ),
            backoff_type: fields.one_of_or("backoffType", &Backoff::ALL, default.backoff_type),
        })
    }

    /// Whether attempt number `attempt`, counted from 1, may be made.
    #[must_use]
    pub fn allows_attempt(&self, attempt: u32) -> bool {
        attempt <= self.max_retries.saturating_add(1)
    }

    /// The delay before attempt `next_attempt`, which is 2 or more: the first is not delayed.
    ///
    /// `random` is a uniformly random number, for the jitter: it adds 0 to 20 % and never shortens the delay.
    /// A `Retry-After` (RFC 9110, 10.2.3) can lengthen the delay, to [`MAX_DELAY_SECONDS`] at most, and never
    /// shortens it.
    ///
    /// ```
    /// use chrono::Duration;
    /// use stella::domain::shared::retry::RetryPolicy;
    ///
    /// let policy = RetryPolicy::default(); // exponential, from 10 seconds
    /// let delay = |next, random, retry_after| policy.delay_before(next, random, retry_after);
    ///
    /// assert_eq!(delay(2, 0, None), Duration::seconds(10));
    /// assert_eq!(delay(4, 0, None), Duration::seconds(40));
    /// assert!(delay(2, u64::MAX, None) <= Duration::seconds(12));
    /// assert_eq!(delay(2, 0, Some(Duration::seconds(90))), Duration::seconds(90));
    /// assert_eq!(delay(2, 0, Some(Duration::seconds(1))), Duration::seconds(10));
    /// ```
    #[must_use]
    pub fn delay_before(&self, next_attempt: u32, random: u64, retry_after: Option<Duration>) -> Duration {
        let backoff = self.backoff_millis(next_attempt);
        // A fifth of the delay, times random / 2^64, in integers.
        let jitter = (u128::from(backoff / 5).saturating_mul(u128::from(random))) >> 64;
        let delay = backoff.saturating_add(u64::try_from(jitter).unwrap_or(0));
        let delay = Duration::milliseconds(i64::try_from(delay).unwrap_or(i64::MAX));
        let asked = retry_after.unwrap_or_default().min(Duration::seconds(MAX_DELAY_SECONDS.into()));
        delay.max(asked)
    }

    fn backoff_millis(&self, next_attempt: u32) -> u64 {
        let failed = next_attempt.saturating_sub(1).max(1);
        let factor = match self.backoff_type {
            Backoff::Exponential => 2_u64.saturating_pow(failed.saturating_sub(1)),
            Backoff::Linear => u64::from(failed),
            Backoff::Fixed => 1,
        };
        let seconds = u64::from(self.backoff_seconds).saturating_mul(factor);
        seconds.min(u64::from(self.max_backoff_seconds)).saturating_mul(1_000)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn policy(backoff_type: Backoff) -> RetryPolicy {
        RetryPolicy { backoff_type, ..RetryPolicy::default() }
    }

    fn seconds(policy: RetryPolicy, attempts: std::ops::RangeInclusive<u32>) -> Vec<i64> {
        attempts.map(|next| policy.delay_before(next, 0, None).num_seconds()).collect()
    }

    fn read(body: &serde_json::Value) -> Result<RetryPolicy, Vec<String>> {
        let mut fields = ObjectReader::of(body);
        let policy = fields.object("retryPolicy", RetryPolicy::parse);
        match fields.finish() {
            Ok(()) => Ok(policy.unwrap()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn exponential_doubles_linear_adds_fixed_stays() {
        assert_eq!(seconds(policy(Backoff::Exponential), 2..=6), [10, 20, 40, 80, 160]);
        assert_eq!(seconds(policy(Backoff::Linear), 2..=6), [10, 20, 30, 40, 50]);
        assert_eq!(seconds(policy(Backoff::Fixed), 2..=6), [10, 10, 10, 10, 10]);
    }

    #[test]
    fn a_delay_is_capped_before_jitter() {
        let policy = policy(Backoff::Exponential);
        assert_eq!(policy.delay_before(21, 0, None).num_seconds(), 3_600);
        assert!(policy.delay_before(21, u64::MAX, None) <= Duration::seconds(4_320));
    }

    #[test]
    fn retry_after_lengthens_to_twelve_hours_and_never_shortens() {
        let policy = policy(Backoff::Fixed);
        let after = |seconds| policy.delay_before(2, 0, Some(Duration::seconds(seconds))).num_seconds();
        assert_eq!(after(120), 120);
        assert_eq!(after(1), 10);
        assert_eq!(after(1_000_000), 43_200);
        assert_eq!(after(-5), 10);
    }

    #[test]
    fn three_retries_are_four_attempts() {
        let policy = RetryPolicy::default();
        assert!(policy.allows_attempt(4));
        assert!(!policy.allows_attempt(5));
    }

    #[test]
    fn absent_members_have_their_defaults() {
        assert_eq!(read(&json!({"retryPolicy": {}})), Ok(RetryPolicy::default()));
        let three = json!({"maxRetries": 3, "backoffType": "exponential", "backoffSeconds": 10});
        assert_eq!(read(&json!({"retryPolicy": three})), Ok(RetryPolicy::default()));
        assert_eq!(serde_json::from_str::<RetryPolicy>("{}").unwrap(), RetryPolicy::default());
    }

    #[test]
    fn every_mistake_is_reported() {
        let body = json!({"retryPolicy": {"maxRetries": 21, "backoffType": "random", "backoffSeconds": 0,
            "maxBackoffSeconds": 43_201, "extra": 1}});
        let mut mistakes = read(&body).unwrap_err();
        mistakes.sort();
        let members = ["backoffSeconds", "backoffType", "extra", "maxBackoffSeconds", "maxRetries"];
        assert_eq!(mistakes, members.map(|member| format!("retryPolicy.{member}")));
    }

    #[test]
    fn a_policy_is_written_as_it_is_read() {
        let written = serde_json::to_value(RetryPolicy::default()).unwrap();
        let expected = json!({"maxRetries": 3, "backoffType": "exponential", "backoffSeconds": 10,
            "maxBackoffSeconds": 3600});
        assert_eq!(written, expected);
    }

    proptest! {
        #[test]
        fn jitter_adds_at_most_a_fifth(
            seconds in 1..=43_200_u32, max in 1..=43_200_u32, next in 2..=21_u32, random: u64, kind in 0..3_usize
        ) {
            let backoff_type = [Backoff::Exponential, Backoff::Linear, Backoff::Fixed][kind];
            let policy = RetryPolicy { max_retries: 20, backoff_type, backoff_seconds: seconds, max_backoff_seconds: max };
            let least = policy.delay_before(next, 0, None);
            let delay = policy.delay_before(next, random, None);
            prop_assert!(delay >= least);
            prop_assert!(delay.num_milliseconds() * 5 <= least.num_milliseconds() * 6);
            prop_assert!(least <= Duration::seconds(max.into()));
        }

        #[test]
        fn delays_never_shrink_from_attempt_to_attempt(seconds in 1..=43_200_u32, next in 2..1_000_u32) {
            for backoff_type in [Backoff::Exponential, Backoff::Linear, Backoff::Fixed] {
                let policy = RetryPolicy { backoff_type, backoff_seconds: seconds, ..RetryPolicy::default() };
                prop_assert!(policy.delay_before(next + 1, 0, None) >= policy.delay_before(next, 0, None));
            }
        }

        #[test]
        fn retry_after_never_shortens(next in 2..=21_u32, random: u64, asked in 0..10_000_000_i64) {
            let policy = RetryPolicy::default();
            let asked = Duration::seconds(asked);
            let delay = policy.delay_before(next, random, Some(asked));
            prop_assert!(delay >= policy.delay_before(next, random, None));
            prop_assert!(delay >= asked.min(Duration::hours(12)));
            prop_assert!(delay <= Duration::hours(12));
        }
    }
}
