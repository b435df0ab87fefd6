//! Hops: how often an event came back in through a webhook config. A push with hops creates a release, whose
//! event has the same hops, and each delivery of that event sends one more, in a signed header. The limit
//! [`MAX_HOPS`] ends loops of subscriptions and webhook configs.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The header: the number of hops, a dot, and 32 hex digits of an HMAC.
pub const HEADER: &str = "X-Stella-Lineage";

/// The most hops of a push. A push with more is received, and creates nothing.
pub const MAX_HOPS: u32 = 3;

/// The receipt's reason for a push with more hops than [`MAX_HOPS`].
pub const TOO_MANY_HOPS: &str = "Too many hops";

/// The length of the HMAC in the header, in bytes.
const MAC_BYTES: usize = 16;
/// Separates this key from others that are derived from the master secret.
const PURPOSE: &[u8] = b"stella lineage v1";

/// A deployment's key for signing hops. It has no `Display` and a blank `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct LineageKey([u8; 32]);

impl fmt::Debug for LineageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineageKey")
    }
}

impl LineageKey {
    /// The key derived from the text of the master secret.
    #[must_use]
    pub fn of_master_secret(secret: &str) -> Self {
        Self(mac(secret.as_bytes(), PURPOSE).finalize().into_bytes().into())
    }

    /// The header's value for a delivery of an event with `hops` hops: `hops` + 1, signed.
    #[must_use]
    pub fn sign(&self, hops: u32) -> String {
        let hops = hops.saturating_add(1).to_string();
        let signature = mac(&self.0, hops.as_bytes()).finalize().into_bytes();
        format!("{hops}.{}", hex::encode(signature.get(..MAC_BYTES).unwrap_or_default()))
    }

    /// The number of hops in a header's value, if this key signed it. The signature is compared in constant
    /// time.
    #[must_use]
    pub fn read(&self, value: &str) -> Option<u32> {
        let (hops, signature) = parts(value)?;
        mac(&self.0, hops.as_bytes()).verify_truncated_left(&signature).ok()?;
        hops.parse().ok()
    }
}

/// Whether a header's value looks like one that some deployment signed.
#[must_use]
pub fn is_well_formed(value: &str) -> bool {
    parts(value).is_some()
}

fn parts(value: &str) -> Option<(&str, Vec<u8>)> {
    let (hops, signature) = value.split_once('.')?;
    let signature = hex::decode(signature).ok().filter(|signature| signature.len() == MAC_BYTES)?;
    let is_number = (1..=10).contains(&hops.len()) && hops.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((hops, signature))
}

#[expect(clippy::expect_used, reason = "an HMAC takes a key of any length, so this cannot fail")]
fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac
}

/// Whether there are no hops. Most events have none, so the number is then not stored.
#[must_use]
pub fn is_none(hops: &u32) -> bool {
    *hops == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_delivery_has_one_hop_more_than_its_event() {
        let key = LineageKey::of_master_secret("master");
        for hops in [0, 1, 3, 4, u32::MAX - 1] {
            assert_eq!(key.read(&key.sign(hops)), Some(hops + 1));
        }
        assert_eq!(key.read(&key.sign(u32::MAX)), Some(u32::MAX));
    }

    #[test]
    fn a_header_that_another_deployment_signed_or_somebody_changed_is_ignored() {
        let key = LineageKey::of_master_secret("master");
        let signed = key.sign(2);
        let (_, signature) = signed.split_once('.').unwrap();
        for value in [
            LineageKey::of_master_secret("another").sign(2),
            format!("2.{signature}"),
            format!("03.{signature}"),
            format!("+3.{signature}"),
            format!("3.{}", &signature[2..]),
            format!("3.{signature}00"),
            "3.".to_owned(),
            "3".to_owned(),
            String::new(),
        ] {
            assert_eq!(key.read(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn only_a_signed_header_has_hops(text in ".{0,60}") {
            prop_assert_eq!(LineageKey::of_master_secret("master").read(&text), None);
        }
    }
}
