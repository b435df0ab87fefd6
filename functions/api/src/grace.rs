//! The grace period: how long a replaced secret stays valid beside the new one.

use chrono::Duration;
use stella::domain::shared::object_reader::ObjectReader;

/// The longest grace period, in seconds: a week.
const MAX_SECONDS: u64 = 604_800;
/// The default, in seconds: a day.
const DEFAULT_SECONDS: u64 = 86_400;

/// Reads the member `gracePeriodSeconds`.
pub(crate) fn grace(fields: &mut ObjectReader<'_>) -> Option<Duration> {
    fields.describe("gracePeriodSeconds", "How long the previous one stays valid, in seconds.");
    let seconds = fields.integer_or("gracePeriodSeconds", 0, MAX_SECONDS, DEFAULT_SECONDS);
    i64::try_from(seconds).ok().and_then(Duration::try_seconds)
}
