//! Reads headers that have credentials.

use chrono::{DateTime, Utc};
use http::HeaderMap;

/// The maximum number of signatures in one header. Further ones are not checked.
pub(super) const MAX_SIGNATURES: usize = 8;

/// The only value of a header. Of two values, two programs could read different ones, so there must be one.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.as_bytes();
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

/// The part after a prefix, whose case does not matter.
pub(super) fn after_prefix<'a>(value: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

/// The time in a header, in seconds since 1970, if it is within the tolerance of ours.
pub(super) fn timely(written: &[u8], tolerance_seconds: u32, now: DateTime<Utc>) -> Option<i64> {
    if written.is_empty() || !written.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds: i64 = std::str::from_utf8(written).ok()?.parse().ok()?;
    (seconds.abs_diff(now.timestamp()) <= u64::from(tolerance_seconds)).then_some(seconds)
}
