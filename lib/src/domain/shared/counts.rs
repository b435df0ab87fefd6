//! Counts of an hour by name.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many hours success rates and response times cover.
pub const SHOWN_HOURS: i64 = 24;
/// How long an hour's counts are kept, in days.
pub const RETENTION_DAYS: i64 = 8;

/// Upper bounds of the response-time classes, in milliseconds. A response time counts in the first class
/// whose bound it does not exceed, and in the last one if it exceeds all.
const BOUNDS_MS: [u64; 15] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000];

/// Response times of attempts, in milliseconds: upper bounds of the classes that they are counted in. `null`
/// without attempts.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ResponseTimes {
    /// Half of the attempts took no longer.
    pub p50: Option<u64>,
    /// 99 percent of the attempts took no longer.
    pub p99: Option<u64>,
}

/// Counts of an hour, by the name they are stored under: of attempts `successes`, `failures`, and `ms<bound>`
/// for response times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts an attempt, with its response time in milliseconds.
    pub fn note(&mut self, success: bool, response_time_ms: u64) {
        let bound = BOUNDS_MS.iter().find(|bound| response_time_ms <= **bound).unwrap_or(&30_000);
        self.add(if success { "successes" } else { "failures" }, 1);
        self.add(&format!("ms{bound}"), 1);
    }

    /// Adds `count` to the count of this name.
    pub fn add(&mut self, name: &str, count: u64) {
        let sum = self.0.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(count);
    }

    /// Adds all counts of `others`.
    pub fn add_all(&mut self, others: &Self) {
        for (name, count) in &others.0 {
            self.add(name, *count);
        }
    }

    /// All counts with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    /// The count of this name. Default: 0.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The number of counted attempts.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.of("successes").saturating_add(self.of("failures"))
    }

    /// The share of attempts that succeeded: 0 to 1, with four decimals. `None` without attempts.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        rate(self.of("successes"), self.attempts())
    }

    /// The count `part` as a share of the count `all`, with four decimals. `None` if `all` is 0.
    #[must_use]
    pub fn rate(&self, part: &str, all: &str) -> Option<f64> {
        rate(self.of(part), self.of(all))
    }

    /// Response times as callers see them.
    #[must_use]
    pub fn response_times(&self) -> ResponseTimes {
        ResponseTimes { p50: self.percentile(50), p99: self.percentile(99) }
    }

    /// The response time that `percent` of the attempts did not exceed: the bound of its class, in
    /// milliseconds.
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

/// `part` as a share of `all`, with four decimals. `None` if `all` is 0.
fn rate(part: u64, all: u64) -> Option<f64> {
    let rate = part.saturating_mul(10_000).checked_div(all)?;
    Some(f64::from(u32::try_from(rate).unwrap_or(10_000)) / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_the_counts_of_both() {
        let (mut one, mut other, mut both) = (Counts::default(), Counts::default(), Counts::default());
        one.note(true, 3);
        other.note(false, 3);
        both.note(true, 3);
        both.note(false, 3);
        one.add_all(&other);
        assert_eq!(one, both);
    }
}
