//! Counts per hour.

use chrono::{DateTime, Duration, Utc};

use super::{Item, Table, keys};
use crate::domain::shared::counts::{Counts, RETENTION_DAYS, SHOWN_HOURS};
use crate::domain::shared::time::hour;
use crate::error::Error;

/// The attribute with the time at which something was last counted.
const LAST_AT: &str = "lastAt";

/// The hour and the counts of an item. `None` if it is another kind of item.
#[must_use]
pub fn read_hour(item: &Item) -> Option<(DateTime<Utc>, Counts)> {
    let at = item.get("sk")?.as_s().ok()?.strip_prefix("HOUR#")?;
    let at = DateTime::parse_from_rfc3339(at).ok()?.with_timezone(&Utc);
    let mut counts = Counts::default();
    for (name, value) in item.iter().filter(|(name, _)| *name != "expiresAt") {
        if let Some(count) = value.as_n().ok().and_then(|text| text.parse().ok()) {
            counts.add(name, count);
        }
    }
    Some((at, counts))
}

/// When something was last counted in the hour of an item, if that is stored.
#[must_use]
pub fn read_last(item: &Item) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(item.get(LAST_AT)?.as_s().ok()?).ok()?;
    Some(at.with_timezone(&Utc))
}

impl Table {
    /// Adds to a partition's counts of the hour of `at`.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn count(&self, partition: &str, at: DateTime<Utc>, counts: &Counts) -> Result<(), Error> {
        self.count_last(partition, at, counts, None).await
    }

    /// As [`Self::count`]; also stores when something was last counted, if that is given.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn count_last(
        &self,
        partition: &str,
        at: DateTime<Utc>,
        counts: &Counts,
        last_at: Option<DateTime<Utc>>,
    ) -> Result<(), Error> {
        let at = hour(at);
        let expires = at.checked_add_signed(Duration::days(RETENTION_DAYS)).unwrap_or(at).timestamp();
        let last_at = last_at.map(|last_at| (LAST_AT, last_at));
        self.add(&keys::hour(partition, at), counts.iter(), last_at, expires).await
    }

    /// The items with the counts of the last 24 hours, oldest first, and the items whose sort keys follow
    /// them.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn last_day(&self, partition: &str, now: DateTime<Utc>) -> Result<Vec<Item>, Error> {
        self.last_hours(partition, SHOWN_HOURS, now).await
    }

    /// As [`Self::last_day`], with the counts of this many hours, the present one included.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn last_hours(
        &self,
        partition: &str,
        hours: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<Item>, Error> {
        let hours = hours.saturating_sub(1);
        let from = hour(now.checked_sub_signed(Duration::hours(hours)).unwrap_or(now));
        self.range(partition, &keys::hour(partition, from).sk, "\u{10ffff}").await
    }
}
