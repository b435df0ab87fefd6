//! Rate limits: token buckets.

use std::hash::Hash;

use chrono::{DateTime, Duration, Utc};

use super::bounded_map::BoundedMap;
use crate::error::Error;

/// How many buckets are kept. When this number is reached, all are dropped, and each key has a full bucket
/// again.
const MAX_REMEMBERED: usize = 10_000;

/// Token buckets of one rate, one for each key.
#[derive(Debug)]
pub struct Buckets<K: Eq + Hash> {
    per_second: u32,
    all: BoundedMap<K, Bucket>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Full buckets that gain `per_second` tokens a second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second, all: BoundedMap::new(MAX_REMEMBERED) }
    }

    /// Takes one token from the bucket of `key`.
    ///
    /// # Errors
    /// `Limited`, with `detail` and the seconds to wait.
    pub fn take(&mut self, key: K, detail: &'static str, now: DateTime<Utc>) -> Result<(), Error> {
        let bucket = self.all.get_or_insert_with(key, || Bucket::full(self.per_second, now));
        bucket.take(self.per_second, now).map_err(|seconds| Error::limited(detail, seconds))
    }
}

/// A token bucket, as it was at the last take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Thousandths of a token.
    filled: i64,
    at: DateTime<Utc>,
}

/// The capacity of a bucket, in seconds of its rate.
const BURST_SECONDS: i64 = 2;

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(per_second: u32, now: DateTime<Utc>) -> Self {
        Self { filled: capacity(per_second), at: now }
    }

    /// Takes one token, if there is one.
    ///
    /// # Errors
    /// The seconds until there is a token again, at least 1.
    pub fn take(&mut self, per_second: u32, now: DateTime<Utc>) -> Result<(), u32> {
        let passed = now.signed_duration_since(self.at).max(Duration::zero()).num_milliseconds();
        // One token a second is a thousandth of a token a millisecond.
        let gained = passed.saturating_mul(per_second.into());
        self.filled = self.filled.saturating_add(gained).min(capacity(per_second));
        self.at = self.at.max(now);
        if self.filled >= 1_000 {
            self.filled = self.filled.saturating_sub(1_000);
            return Ok(());
        }
        let missing = 1_000_i64.saturating_sub(self.filled);
        let seconds = missing.checked_div(i64::from(per_second.max(1)).saturating_mul(1_000)).unwrap_or(0);
        Err(u32::try_from(seconds.saturating_add(1)).unwrap_or(u32::MAX))
    }
}

fn capacity(per_second: u32) -> i64 {
    i64::from(per_second).saturating_mul(1_000).saturating_mul(BURST_SECONDS).max(1_000)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_burst_of_two_seconds_passes_and_then_the_rate() {
        let mut bucket = Bucket::full(5, noon());
        let taken = (0..20).filter(|_| bucket.take(5, noon()).is_ok()).count();
        assert_eq!(taken, 10);
        assert_eq!(bucket.take(5, noon()), Err(1));
        assert_eq!(bucket.take(5, noon() + Duration::milliseconds(200)), Ok(()));
        assert_eq!(bucket.take(5, noon() + Duration::milliseconds(399)), Err(1));
    }

    proptest! {
        #[test]
        fn over_any_time_no_more_than_burst_and_rate_pass(
            per_second in 1..1_000_u32, steps in prop::collection::vec(0..50_i64, 1..400)
        ) {
            let mut bucket = Bucket::full(per_second, noon());
            let (mut now, mut passed) = (noon(), 0_i64);
            for step in steps {
                now += Duration::milliseconds(step);
                passed += i64::from(bucket.take(per_second, now).is_ok());
            }
            let elapsed = (now - noon()).num_milliseconds();
            prop_assert!(passed * 1_000 <= capacity(per_second) + elapsed * i64::from(per_second));
        }
    }
}
