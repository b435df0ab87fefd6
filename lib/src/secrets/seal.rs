//! Sealing: AES-256-GCM, bound to the item in which the sealed text is stored.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::error::Error;

/// A key that seals. It has no `Display`, and its `Debug` is empty.
#[derive(Clone)]
pub struct SealKey(Aes256Gcm);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// The master key, which wraps data keys. It is derived from the master secret's text by HMAC-SHA256.
    #[must_use]
    pub fn of_master_secret(secret: &str) -> Self {
        Self::of_bytes(&derive(secret))
    }

    /// The key with these bytes, which must be random.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(bytes.into()))
    }

    /// Seals a text for one place. It opens with the same place only.
    ///
    /// # Errors
    /// `Fault` if the text is too long for the cipher, which no text of ours is.
    pub fn seal(&self, plain: &[u8], place: &str, nonce: [u8; 12]) -> Result<String, Error> {
        let sealed = self
            .0
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad: place.as_bytes() })
            .map_err(|_| Error::fault("A secret cannot be sealed"))?;
        Ok(STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a text that was sealed for this place.
    ///
    /// # Errors
    /// `Fault` if it was sealed with another key or for another place, or was changed.
    pub fn open(&self, sealed: &str, place: &str) -> Result<Vec<u8>, Error> {
        let wrong = || Error::fault("A sealed secret does not open");
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_at_checked(12).ok_or_else(wrong)?;
        self.0
            .decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: place.as_bytes() })
            .map_err(|_| wrong())
    }
}

#[expect(clippy::expect_used, reason = "an HMAC takes a key of any length, so this cannot fail")]
fn derive(secret: &str) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as hmac::Mac>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(b"stella keyring v1");
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_with_its_key_and_place_only() {
        let key = SealKey::of_bytes(&[1; 32]);
        let sealed = key.seal(b"hush", "TENANT#1/SUBSCRIPTION#1", [2; 12]).expect("sealed");
        assert_eq!(key.open(&sealed, "TENANT#1/SUBSCRIPTION#1").expect("opened"), b"hush");
        assert!(key.open(&sealed, "TENANT#1/SUBSCRIPTION#2").is_err());
        assert!(SealKey::of_bytes(&[3; 32]).open(&sealed, "TENANT#1/SUBSCRIPTION#1").is_err());
        assert!(key.open("AAAA", "TENANT#1/SUBSCRIPTION#1").is_err());
    }
}
