//! Identifiers: one type for each kind of thing, so that the compiler refuses one in place of another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A version 7 UUID (RFC 9562, 5.7): 48 bits of milliseconds since 1970, then random bits. Sorts by time.
fn v7(now: DateTime<Utc>, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(millis(now), &random).into_uuid()
}

fn millis(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp_millis()).unwrap_or(0)
}

/// The time in the first 48 bits of a version 7 UUID.
fn time_of(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        id_schema!($name);

        impl $name {
            /// A new id of the time `now`, by which it sorts.
            #[must_use]
            pub fn mint(now: DateTime<Utc>, random: [u8; 10]) -> Self {
                Self(v7(now, random))
            }

            /// The time at which the id was generated, to the millisecond.
            #[must_use]
            pub fn time(self) -> DateTime<Utc> {
                time_of(self.0)
            }

            /// The bare UUID.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id!(
    /// A tenant. Every stored thing belongs to one.
    TenantId
);
id!(
    /// An API key: the public part of its text.
    ApiKeyId
);
id!(
    /// A webhook config.
    ConfigId
);
id!(
    /// A component.
    ComponentId
);
id!(
    /// A trigger of a component.
    TriggerId
);
id!(
    /// A release.
    ReleaseId
);
id!(
    /// A domain event.
    EventId
);
id!(
    /// A webhook subscription.
    SubscriptionId
);
id!(
    /// A receipt: the stored record of an inbound request.
    ReceiptId
);
id!(
    /// A recovery: many deliveries that are sent again.
    RecoveryId
);
