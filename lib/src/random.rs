//! Chance: the one place where random bytes are drawn. Rules take them as arguments.

/// Random bytes, fit for secrets and ids.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
