//! Randomness: random bytes are drawn here only. Rules take them as arguments.

/// Random bytes from a cryptographically secure generator, for secrets and ids.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
