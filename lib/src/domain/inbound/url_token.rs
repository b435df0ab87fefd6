//! The token in a sender's URL: what a sender that cannot sign proves itself by.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::shared::secret::secret_hash;

/// 256 bits of chance as 43 characters that need no escaping in a path or a query.
/// It is shown once, and only its hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlToken(String);

impl fmt::Debug for UrlToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlToken(..)")
    }
}

impl UrlToken {
    /// A new token.
    #[must_use]
    pub fn mint(chance: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(chance))
    }

    /// The text, for the one time that it is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored.
    #[must_use]
    pub fn hash(&self) -> String {
        secret_hash(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_into_a_path_and_shows_itself_nowhere_else() {
        let token = UrlToken::mint([0xfb; 32]);
        assert_eq!(token.expose().len(), 43);
        assert!(token.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(format!("{token:?}"), "UrlToken(..)");
        assert_eq!(token.hash(), secret_hash(token.expose()));
    }
}
