//! Identifiers: one type each, so that none is taken for another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A version 7 UUID: 48 bits of milliseconds, then chance. Sorts by time.
fn v7(now: DateTime<Utc>, chance: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(millis(now), &chance).into_uuid()
}

fn millis(time: DateTime<Utc>) -> u64 {
    u64::try_from(time.timestamp_millis()).unwrap_or(0)
}

/// The milliseconds since 1970 that the first 48 bits of a minted id tell.
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

        impl $name {
            /// A new id that sorts by `now`.
            #[must_use]
            pub fn mint(now: DateTime<Utc>, chance: [u8; 10]) -> Self {
                Self(v7(now, chance))
            }

            /// The moment the id was minted, to the millisecond.
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
    /// Whose a thing is. Every stored thing has one.
    TenantId
);
id!(
    /// An API key's public half.
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
    /// What one inbound request left behind.
    ReceiptId
);
id!(
    /// Many deliveries that are sent again.
    RecoveryId
);
