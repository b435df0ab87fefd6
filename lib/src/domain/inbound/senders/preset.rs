//! How a sender authenticates if its config does not say.

use crate::domain::inbound::authentication::{Algorithm, Authentication, Encoding, Hmac, Signed};

/// One way to authenticate, as static data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// The URL token: the sender can neither sign nor send a header.
    UrlToken,
    /// The secret as it is, in this header.
    Token(&'static str),
    /// `Authorization: Basic`.
    Basic,
    /// A hex HMAC in a header.
    Hmac {
        /// The header's name.
        header: &'static str,
        /// The hash.
        algorithm: Algorithm,
        /// What stands before the signature, as in `sha256=`.
        prefix: Option<&'static str>,
        /// What the signature covers.
        signed: Signed,
    },
    /// A hex HMAC-SHA256 in this header, with or without `sha256=`. It covers the JSON text; of a form, that
    /// in its field `payload`.
    JsonTextHmac(&'static str),
    /// standardwebhooks.com, version 1.
    StandardWebhooks,
}

impl Preset {
    /// A hex HMAC-SHA256 of the raw body.
    pub(super) const fn hmac_sha256(header: &'static str, prefix: Option<&'static str>) -> Self {
        Self::Hmac { header, algorithm: Algorithm::HmacSha256, prefix, signed: Signed::Body }
    }

    /// The way as a config writes it. What only a preset can say is left out.
    #[must_use]
    pub fn authentication(self) -> Authentication {
        match self {
            Self::UrlToken => Authentication::None,
            Self::Token(header) => Authentication::Token { header: header.to_owned(), prefix: None },
            Self::Basic => Authentication::Basic,
            Self::Hmac { header, algorithm, prefix, signed } => Authentication::Hmac(Hmac {
                header: header.to_owned(),
                algorithm,
                prefix: prefix.map(str::to_owned),
                encoding: Encoding::Hex,
                signed,
                tolerance_seconds: None,
            }),
            Self::JsonTextHmac(header) => Self::hmac_sha256(header, None).authentication(),
            Self::StandardWebhooks => Authentication::StandardWebhooks,
        }
    }

    /// The header of the HMAC, if it is one.
    pub(in crate::domain::inbound) fn hmac_header(self) -> Option<&'static str> {
        match self {
            Self::Hmac { header, .. } | Self::JsonTextHmac(header) => Some(header),
            Self::UrlToken | Self::Token(_) | Self::Basic | Self::StandardWebhooks => None,
        }
    }

    /// Whether it proves the body, and not only knowledge of the secret.
    pub(in crate::domain::inbound) fn is_signature(self) -> bool {
        match self {
            Self::Hmac { .. } | Self::JsonTextHmac(_) | Self::StandardWebhooks => true,
            Self::UrlToken | Self::Token(_) | Self::Basic => false,
        }
    }
}
