//! A request that was authenticated. Only such a request can be parsed.

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

/// A request that was authenticated: the proof that its body may be parsed. Its headers are not signed.
/// [`verify`](super::verify::verify) creates it.
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl<'a> Verified<'a> {
    /// A request whose credentials were checked.
    pub(super) fn proven(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self { headers, body }
    }

    /// A request that was authenticated before it was queued or stored, or a preview, for which the caller
    /// was authenticated by an API key. Never for a request that has just been received.
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
