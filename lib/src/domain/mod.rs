//! The rules of the product, pure: one noun a file.

pub mod address;
pub mod delivery;
pub mod event;
pub mod event_type;
pub mod fields;
pub mod filter;
pub mod headers;
pub mod ids;
pub mod outcome;
pub mod retry;
pub mod schema;
pub mod signature;
pub mod subscription;
pub mod target;
pub mod tenant;

use chrono::{DateTime, SecondsFormat, Utc};

/// A time on the wire: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
