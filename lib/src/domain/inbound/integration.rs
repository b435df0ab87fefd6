//! The id in a sender's URL. It has a keyed checksum, so that made-up ids are refused without a read.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::{Builder, Uuid};

/// The number of random bytes. The other four are the checksum.
const RANDOM_BYTES: usize = 12;
/// Another use of the same key must not give the same checksum.
const PURPOSE: &[u8] = b"stella integration id\0";

/// The id in the address of a webhook config: a version 8 UUID (RFC 9562, 5.8) of 90 random bits, and 32 bits
/// of an HMAC-SHA256 of these under the permanent integration key. It is an address and not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntegrationId(Uuid);

id_schema!(IntegrationId);

impl IntegrationId {
    /// A new id of random bytes. `key` is permanent: under another key every existing address is refused.
    #[must_use]
    pub fn mint(random: [u8; RANDOM_BYTES], key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes.split_at_mut(RANDOM_BYTES).0.copy_from_slice(&random);
        // Version and variant are in the first twelve bytes, which the checksum covers.
        let mut bytes = Builder::from_custom_bytes(bytes).into_uuid().into_bytes();
        let (head, tail) = bytes.split_at_mut(RANDOM_BYTES);
        tail.copy_from_slice(&checksum(head, key));
        Self(Uuid::from_bytes(bytes))
    }

    /// Whether the id was minted under `key`. Of made-up ids, one in 4 × 10⁹ passes. Compares in constant
    /// time. Under an empty key, no id passes.
    #[must_use]
    pub fn is_genuine(&self, key: &[u8]) -> bool {
        let (head, tail) = self.0.as_bytes().split_at(RANDOM_BYTES);
        !key.is_empty() && bool::from(checksum(head, key).ct_eq(tail))
    }

    /// The bare UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

#[expect(clippy::expect_used, reason = "an HMAC takes a key of any length, so this cannot fail")]
fn checksum(head: &[u8], key: &[u8]) -> [u8; 4] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(PURPOSE);
    mac.update(head);
    let [a, b, c, d, ..] = <[u8; 32]>::from(mac.finalize().into_bytes());
    [a, b, c, d]
}

impl From<Uuid> for IntegrationId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for IntegrationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &[u8] = b"the permanent key";

    #[test]
    fn an_id_is_a_version_8_uuid_and_reads_back() {
        let id = IntegrationId::mint([0xff; 12], KEY);
        assert_eq!(id.uuid().get_version_num(), 8);
        assert_eq!(id.uuid().get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.to_string().parse::<IntegrationId>().unwrap(), id);
        assert_eq!(serde_json::to_value(id).unwrap(), serde_json::json!(id.to_string()));
    }

    #[test]
    fn the_checksum_never_changes() {
        // Addresses that are configured in senders must stay valid.
        assert_eq!(IntegrationId::mint([7; 12], KEY).to_string(), "07070707-0707-8707-8707-0707dbe3aa0d");
    }

    #[test]
    fn under_an_empty_key_no_id_is_genuine() {
        assert!(!IntegrationId::mint([1; 12], b"").is_genuine(b""));
    }

    proptest! {
        #[test]
        fn a_minted_id_is_genuine_only_under_its_own_key(random: [u8; 12], other in "[a-z]{1,20}") {
            let id = IntegrationId::mint(random, KEY);
            prop_assert!(id.is_genuine(KEY));
            prop_assert!(!id.is_genuine(other.as_bytes()));
        }

        #[test]
        fn an_id_with_a_changed_bit_is_not_genuine(random: [u8; 12], bit in 0..128_u32) {
            let id = IntegrationId::mint(random, KEY);
            let changed = IntegrationId::from(Uuid::from_u128(id.uuid().as_u128() ^ (1 << bit)));
            prop_assert!(!changed.is_genuine(KEY));
        }
    }
}
