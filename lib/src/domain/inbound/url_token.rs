//! The token in a sender's URL, for senders that can neither sign nor send a header.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::shared::secret::secret_hash;

/// 256 random bits as 43 characters (base64url, RFC 4648, 5), which need no escaping in a path or a query.
/// The token is shown once, and only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlToken(String);

impl fmt::Debug for UrlToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlToken(..)")
    }
}

impl UrlToken {
    /// A new token of random bytes.
    #[must_use]
    pub fn mint(random: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random))
    }

    /// The text, to show it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The hash, which is stored.
    #[must_use]
    pub fn hash(&self) -> String {
        secret_hash(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_into_a_path_and_is_not_in_debug_output() {
        let token = UrlToken::mint([0xfb; 32]);
        assert_eq!(token.expose().len(), 43);
        assert!(token.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(format!("{token:?}"), "UrlToken(..)");
        assert_eq!(token.hash(), secret_hash(token.expose()));
    }
}
