//! How a secret that we minted is stored: as its hash.

use sha2::{Digest as _, Sha256};

/// The hash by which a secret that we minted is known: lower-case hex SHA-256. Without salt, which 256 bits of
/// chance do not need.
#[must_use]
pub fn secret_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
