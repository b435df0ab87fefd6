//! The id in a sender's URL: random, with a keyed checksum, so that junk costs no read.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::{Builder, Uuid};

/// Bytes of chance; the checksum takes the other four.
const CHANCE_BYTES: usize = 12;
/// What else the permanent key may be used for must not give the same checksum.
const PURPOSE: &[u8] = b"stella integration id\0";

/// Which webhook config a sender calls. A version 8 UUID (RFC 9562): 90 bits of chance, then 32 bits of
/// HMAC-SHA256 under the permanent integration key. It is an address and not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntegrationId(Uuid);

impl IntegrationId {
    /// A new id. `key` is permanent: under another one every address given out is refused.
    #[must_use]
    pub fn mint(chance: [u8; CHANCE_BYTES], key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes.split_at_mut(CHANCE_BYTES).0.copy_from_slice(&chance);
        // Version and variant lie in the first twelve bytes, and the checksum covers them.
        let mut bytes = Builder::from_custom_bytes(bytes).into_uuid().into_bytes();
        let (head, tail) = bytes.split_at_mut(CHANCE_BYTES);
        tail.copy_from_slice(&checksum(head, key));
        Self(Uuid::from_bytes(bytes))
    }

    /// Whether this id was minted under `key`; of ids made up one in four thousand million passes.
    /// Compares in constant time. An empty key vouches for nothing.
    #[must_use]
    pub fn is_genuine(&self, key: &[u8]) -> bool {
        let (head, tail) = self.0.as_bytes().split_at(CHANCE_BYTES);
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
        // Addresses pasted into senders must stay good for ever.
        assert_eq!(IntegrationId::mint([7; 12], KEY).to_string(), "07070707-0707-8707-8707-0707dbe3aa0d");
    }

    #[test]
    fn an_empty_key_vouches_for_nothing() {
        assert!(!IntegrationId::mint([1; 12], b"").is_genuine(b""));
    }

    proptest! {
        #[test]
        fn a_minted_id_is_genuine_and_under_its_own_key_only(chance: [u8; 12], other in "[a-z]{1,20}") {
            let id = IntegrationId::mint(chance, KEY);
            prop_assert!(id.is_genuine(KEY));
            prop_assert!(!id.is_genuine(other.as_bytes()));
        }

        #[test]
        fn a_changed_bit_is_noticed(chance: [u8; 12], bit in 0..128_u32) {
            let id = IntegrationId::mint(chance, KEY);
            let changed = IntegrationId::from(Uuid::from_u128(id.uuid().as_u128() ^ (1 << bit)));
            prop_assert!(!changed.is_genuine(KEY));
        }
    }
}
