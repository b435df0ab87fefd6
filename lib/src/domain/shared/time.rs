//! Times on the wire, and the hours that counts belong to.

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound as _, Utc};
use serde::{Serialize, Serializer};

/// A time on the wire: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time in an answer, written as [`timestamp`] writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub DateTime<Utc>);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&timestamp(self.0))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time", "description": "RFC 3339, UTC, with milliseconds.",
        })
    }
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
