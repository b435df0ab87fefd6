//! How many hops an event has come: from a push through its release's event to a delivery, and back in. Each
//! delivery tells it in a signed header, so that a loop of subscriptions and webhook configs ends by itself.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The header: the number of hops, a dot, and 32 hex digits of an HMAC.
pub const HEADER: &str = "X-Stella-Lineage";

/// A push that has come further is received and makes nothing.
pub const MAX_HOPS: u32 = 3;

/// What the receipt says of such a push.
pub const TOO_MANY_HOPS: &str = "Too many hops";

/// How much of the HMAC is sent, in bytes.
const MAC_BYTES: usize = 16;
/// What else the master secret is used for must not give the same key.
const PURPOSE: &[u8] = b"stella lineage v1";

/// The key of a deployment that signs numbers of hops. It has no `Display` and a blank `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct LineageKey([u8; 32]);

impl fmt::Debug for LineageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineageKey")
    }
}

impl LineageKey {
    /// The key that comes of the master secret's text.
    #[must_use]
    pub fn of_master_secret(secret: &str) -> Self {
        Self(mac(secret.as_bytes(), PURPOSE).finalize().into_bytes().into())
    }

    /// The header's value for a delivery of an event that has come so many hops: one more.
    #[must_use]
    pub fn sign(&self, hops: u32) -> String {
        let hops = hops.saturating_add(1).to_string();
        let signature = mac(&self.0, hops.as_bytes()).finalize().into_bytes();
        format!("{hops}.{}", hex::encode(signature.get(..MAC_BYTES).unwrap_or_default()))
    }

    /// The number of hops in a header's value, if this key signed it. The signature is compared in constant time.
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

/// Whether an event comes of nothing that was delivered: what most do, and what is not written.
#[must_use]
pub fn is_none(hops: &u32) -> bool {
    *hops == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_delivery_has_come_one_hop_further_than_its_event() {
        let key = LineageKey::of_master_secret("master");
        for hops in [0, 1, 3, 4, u32::MAX - 1] {
            assert_eq!(key.read(&key.sign(hops)), Some(hops + 1));
        }
        assert_eq!(key.read(&key.sign(u32::MAX)), Some(u32::MAX));
    }

    #[test]
    fn what_another_deployment_signed_or_somebody_changed_tells_nothing() {
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
        fn no_text_but_a_signed_one_tells_hops(text in ".{0,60}") {
            prop_assert_eq!(LineageKey::of_master_secret("master").read(&text), None);
        }
    }
}
