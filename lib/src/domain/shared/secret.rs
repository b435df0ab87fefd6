//! How a secret that we generated is stored: as its hash.

use sha2::{Digest as _, Sha256};

/// The stored form of a secret that we generated: lower-case hex SHA-256. It has no salt, because the secret
/// has 256 random bits.
#[must_use]
pub fn secret_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
