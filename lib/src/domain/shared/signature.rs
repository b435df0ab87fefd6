//! How a request to a subscriber is signed, and what a signing secret may be.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The prefix of a secret in base64, by [Standard Webhooks](https://www.standardwebhooks.com).
const PREFIX: &str = "whsec_";
const MAX_BYTES: usize = 512;

/// The secret that signs a subscription's requests. [`expose`](Self::expose) is the only way to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    /// The key of the Standard Webhooks signature.
    standard_key: Vec<u8>,
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

impl SigningSecret {
    /// A secret that a caller chose. After the prefix `whsec_` it must be base64 with padding, because that
    /// is what receivers' libraries decode.
    ///
    /// # Errors
    /// What is wrong with it, without the secret itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.len() > MAX_BYTES {
            return Err(format!("must have at most {MAX_BYTES} bytes"));
        }
        let standard_key = match text.strip_prefix(PREFIX) {
            None => text.as_bytes().to_vec(),
            Some(encoded) => STANDARD
                .decode(encoded)
                .ok()
                .filter(|key| !key.is_empty())
                .ok_or("must be base64 (with its padding) after whsec_")?,
        };
        Ok(Self { text: text.to_owned(), standard_key })
    }

    /// A new secret from random bytes.
    #[must_use]
    pub fn mint(random: [u8; 32]) -> Self {
        Self { text: format!("{PREFIX}{}", STANDARD.encode(random)), standard_key: random.to_vec() }
    }

    /// The text of the secret: to seal it, and to show it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// `X-Stella-Signature`: lower-case hex HMAC-SHA256 of the body. The key is the whole text of the secret
    /// in UTF-8, with its prefix.
    #[must_use]
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex::encode(hmac_sha256(self.text.as_bytes(), &[body]))
    }

    /// One entry of `webhook-signature`, by [Standard Webhooks](https://www.standardwebhooks.com): `v1,` and
    /// the base64 HMAC-SHA256 of `id.timestamp.body`. The time is in seconds since 1970.
    #[must_use]
    pub fn sign_standard(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp_seconds}.");
        let mac = hmac_sha256(&self.standard_key, &[head.as_bytes(), body]);
        format!("v1,{}", STANDARD.encode(mac))
    }
}

/// The headers that sign one attempt, made at `at`. During a rotation `previous` signs, too:
/// `webhook-signature` has both signatures, the new one first, and `X-Stella-Signature-Previous` is added.
#[must_use]
pub fn headers(
    current: &SigningSecret,
    previous: Option<&SigningSecret>,
    id: &str,
    at: DateTime<Utc>,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let seconds = at.timestamp();
    let mut standard = current.sign_standard(id, seconds, body);
    let mut headers = vec![("X-Stella-Signature", current.sign_body(body))];
    if let Some(previous) = previous {
        standard.push(' ');
        standard.push_str(&previous.sign_standard(id, seconds, body));
        headers.push(("X-Stella-Signature-Previous", previous.sign_body(body)));
    }
    headers.push(("webhook-id", id.to_owned()));
    headers.push(("webhook-timestamp", seconds.to_string()));
    headers.push(("webhook-signature", standard));
    headers
}

#[expect(clippy::expect_used, reason = "an HMAC takes a key of any length, so this cannot fail")]
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"d1","event":"deployment.completed"}"#;
    const ID: &str = "0192aaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee";

    /// The headers that a receiver gets. The reference library reads the clock, so the signature is of now.
    fn received(headers: &[(&'static str, String)]) -> http::HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[expect(clippy::disallowed_methods, reason = "the reference library reads the wall clock itself")]
    fn now() -> DateTime<Utc> {
        Utc::now()
    }

    #[test]
    fn the_plain_signature_is_hex_hmac_under_the_whole_text() {
        // openssl dgst -sha256 -hmac key
        let secret = SigningSecret::parse("key").unwrap();
        assert_eq!(
            secret.sign_body(b"The quick brown fox jumps over the lazy dog"),
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }

    #[test]
    fn the_plain_signature_of_a_minted_secret_uses_its_prefix_too() {
        let minted = SigningSecret::mint([7; 32]);
        let expected = hex::encode(hmac_sha256(minted.expose().as_bytes(), &[BODY]));
        assert_eq!(minted.sign_body(BODY), expected);
    }

    #[test]
    fn standard_webhooks_own_library_accepts_a_minted_secret() {
        let secret = SigningSecret::mint([9; 32]);
        let headers = headers(&secret, None, ID, now(), BODY);
        let receiver = standardwebhooks::Webhook::new(secret.expose()).unwrap();
        receiver.verify(BODY, &received(&headers)).unwrap();
        assert!(receiver.verify(b"something else", &received(&headers)).is_err());
    }

    #[test]
    fn standard_webhooks_own_library_accepts_a_chosen_text_as_bytes() {
        let secret = SigningSecret::parse("my-secret-key").unwrap();
        let headers = headers(&secret, None, ID, now(), BODY);
        let receiver = standardwebhooks::Webhook::from_bytes(b"my-secret-key".to_vec()).unwrap();
        receiver.verify(BODY, &received(&headers)).unwrap();
    }

    #[test]
    fn while_rotating_both_secrets_verify() {
        let (new, old) = (SigningSecret::mint([1; 32]), SigningSecret::mint([2; 32]));
        let headers = headers(&new, Some(&old), ID, now(), BODY);
        for secret in [&new, &old] {
            let receiver = standardwebhooks::Webhook::new(secret.expose()).unwrap();
            receiver.verify(BODY, &received(&headers)).unwrap();
        }
        let value = |name| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.clone());
        assert_eq!(value("X-Stella-Signature"), Some(new.sign_body(BODY)));
        assert_eq!(value("X-Stella-Signature-Previous"), Some(old.sign_body(BODY)));
    }

    #[test]
    fn a_prefixed_secret_must_be_base64() {
        for bad in ["whsec_", "whsec_***", "whsec_YWJj ", "whsec_YWI", "whsec_my-secret"] {
            assert!(SigningSecret::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(SigningSecret::parse("whsec_YWJj").unwrap().standard_key, b"abc");
    }

    #[test]
    fn empty_and_huge_secrets_are_refused() {
        assert!(SigningSecret::parse("").is_err());
        assert!(SigningSecret::parse("  ").is_err());
        assert!(SigningSecret::parse(&"x".repeat(513)).is_err());
        assert!(SigningSecret::parse("x").is_ok());
    }

    #[test]
    fn a_minted_secret_parses_to_itself() {
        let minted = SigningSecret::mint([255; 32]);
        assert_eq!(SigningSecret::parse(minted.expose()).unwrap(), minted);
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = SigningSecret::parse("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(..)");
        let mistake = SigningSecret::parse("whsec_hunter2!").unwrap_err();
        assert!(!mistake.contains("hunter2"));
    }
}
