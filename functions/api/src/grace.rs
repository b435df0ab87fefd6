//! How long what was replaced stays valid beside what replaces it.

use chrono::Duration;
use stella::domain::shared::object_reader::ObjectReader;

/// The most seconds.
const MAX_SECONDS: u64 = 604_800;
/// The seconds where nothing is said.
const SECONDS: u64 = 86_400;

/// Reads the member `gracePeriodSeconds`.
pub(crate) fn grace(fields: &mut ObjectReader<'_>) -> Option<Duration> {
    let seconds = fields.integer("gracePeriodSeconds", 0, MAX_SECONDS).unwrap_or(SECONDS);
    i64::try_from(seconds).ok().and_then(Duration::try_seconds)
}
