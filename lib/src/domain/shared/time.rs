//! Times on the wire, and the hours that counts belong to.

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound as _, Utc};

/// A time on the wire: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The start of the hour that a time is in.
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
