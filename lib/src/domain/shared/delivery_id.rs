//! The id of a delivery, derived from its event and its subscription.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ids::{EventId, SubscriptionId};

/// The number of partitions that a subscription's deliveries are spread over.
pub const SHARDS: u8 = 4;

/// The id of a delivery: a version 8 UUID (RFC 9562, 5.8), derived from event and subscription. So a repeated
/// fan-out of the same event means the same delivery, and the id alone tells the place of the row.
///
/// ```text
///  bits  48              4    2      10    2    6     32      24
///       ┌───────────────┬────┬──────┬─────┬────┬─────┬───────┬─────┐
///       │ event's time  │ 8  │shard │hash │var.│hash │handle │hash │
///       └───────────────┴────┴──────┴─────┴────┴─────┴───────┴─────┘
/// ```
///
/// The time, in milliseconds since 1970, is that of the [`EventId`], so ids sort by their events' times. The
/// hash is SHA-256 of both ids.
///
/// ```
/// use stella::domain::shared::delivery_id::{DeliveryId, SHARDS};
/// use stella::domain::shared::ids::{EventId, SubscriptionId};
///
/// let event: EventId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
/// let subscription: SubscriptionId = "01890a5d-ac96-7ab2-80e2-4536629c90de".parse().unwrap();
/// let id = DeliveryId::derive(event, subscription, 0xc0ff_ee00);
///
/// assert_eq!(id, DeliveryId::derive(event, subscription, 0xc0ff_ee00));
/// assert_eq!(id.handle(), 0xc0ff_ee00);
/// assert!(id.shard() < SHARDS);
/// assert!(id.to_string().starts_with("01890a5d-ac96-8"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

id_schema!(DeliveryId);

impl DeliveryId {
    /// The id of the delivery of `event` to `subscription`, whose handle is `handle`.
    #[must_use]
    pub fn derive(event: EventId, subscription: SubscriptionId, handle: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(event.uuid().as_bytes());
        hash.update(subscription.uuid().as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let [h0, h1, h2, h3, h4, h5, ..] = hash;
        let [t0, t1, t2, t3, t4, t5, ..] = *event.uuid().as_bytes();
        let [a, b, c, d] = handle.to_be_bytes();
        // 12 bits after the version: shard (2), hash (10). 62 bits after the variant: hash (6) to fill
        // the variant's byte, handle (32), hash (24).
        let bytes = [t0, t1, t2, t3, t4, t5, h0 & 0x0f, h1, h2 & 0x3f, a, b, c, d, h3, h4, h5];
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The partition of the subscription's deliveries that has the row: 0 to [`SHARDS`] - 1.
    #[must_use]
    pub fn shard(self) -> u8 {
        let [_, _, _, _, _, _, byte, ..] = *self.0.as_bytes();
        (byte >> 2) & 0b11
    }

    /// The subscription's handle: a number that is unique within the tenant.
    #[must_use]
    pub fn handle(self) -> u32 {
        let [_, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.0.as_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl std::fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl std::str::FromStr for DeliveryId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_has_its_handle_and_is_always_the_same(event: u128, subscription: u128, handle: u32) {
            let event = EventId::from(Uuid::from_u128(event));
            let subscription = SubscriptionId::from(Uuid::from_u128(subscription));
            let id = DeliveryId::derive(event, subscription, handle);
            prop_assert_eq!(id, DeliveryId::derive(event, subscription, handle));
            prop_assert_eq!(id.handle(), handle);
            prop_assert!(id.shard() < SHARDS);
            prop_assert_eq!(id.0.get_version_num(), 8);
            prop_assert_eq!(id.0.as_u128() >> 80, event.uuid().as_u128() >> 80);
        }
    }
}
