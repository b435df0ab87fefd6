//! A request that was authenticated: only such a one can be read.

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

/// A request that proved where it comes from. Its headers are not what was signed; its body is.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl<'a> Verified<'a> {
    /// A request whose proof was checked.
    pub(super) fn proven(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self { headers, body }
    }

    /// For a request that was verified before it was put on a queue or into the log, and for a preview,
    /// where the caller's API key stands for it. Never for what has just come in.
    #[must_use]
    pub fn was_verified_before(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self { headers, body }
    }

    /// The request's headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The request's body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Lower-case hex SHA-256 of the body.
    #[must_use]
    pub fn body_hash(&self) -> String {
        hex::encode(Sha256::digest(self.body))
    }
}

impl std::fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified(..)")
    }
}
