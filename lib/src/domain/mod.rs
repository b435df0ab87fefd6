//! The rules of the product, pure: one noun a file.

pub mod address;
pub mod authentication;
pub mod binding;
pub mod breaker;
pub mod change;
pub mod channel;
pub mod component;
pub mod decision;
pub mod delivery;
pub mod delivery_view;
pub mod event;
pub mod event_type;
pub mod expression;
pub mod fan_out;
pub mod fields;
pub mod filter;
pub mod filter_errors;
pub mod headers;
pub mod health;
pub mod ids;
pub mod integration;
pub mod lineage;
pub mod lookup;
pub mod mapping;
pub mod matching;
pub mod message;
pub mod normalised;
pub mod outcome;
pub mod overview;
pub mod own_address;
pub mod pace;
pub mod provider;
pub mod pull;
pub mod rate;
pub mod receipt;
pub mod recovery;
pub mod release;
pub mod release_name;
pub mod release_rate;
pub mod repository;
pub mod retry;
pub mod room;
pub mod schedule;
pub mod schema;
pub mod scheme;
pub mod selection;
pub mod session;
pub mod shape;
pub mod signature;
pub mod subscription;
pub mod target;
pub mod tenant;
pub mod tries;
pub mod trigger;
pub mod url_token;
pub mod version;
pub mod version_range;
pub mod webhook;

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound as _, Utc};
use sha2::{Digest as _, Sha256};

/// A time on the wire: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The hash by which a secret that we minted is known: lower-case hex SHA-256. Without salt, which 256 bits of
/// chance do not need.
#[must_use]
pub fn secret_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The hour that a moment lies in.
#[must_use]
pub fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    let into = at.timestamp().rem_euclid(3_600);
    at.trunc_subsecs(0).checked_sub_signed(Duration::seconds(into)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_on_the_hour() {
        let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!((hour("2026-03-01T12:34:56.789Z".parse().unwrap()), hour(noon)), (noon, noon));
    }
}
