//! How a request must authenticate: as its config says, or else by its sender's preset.

use std::collections::BTreeMap;

use serde_json::Value;

use super::authentication::{Algorithm, Authentication, Encoding, Signed, TOLERANCE_SECONDS};
use super::provider::Provider;
use super::senders::preset::Preset;
use super::webhook_type::WebhookType;

/// What stands before a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// Nothing: the header's value is the signature.
    Absent,
    /// This, in one entry of the header's list or more.
    Required(String),
    /// This, or nothing.
    Optional(&'static str),
}

/// What a signature covers, with what that takes to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// The raw body.
    Body,
    /// The JSON text, which a form carries in its field `payload`.
    JsonText,
    /// A time near ours, and the raw body.
    TimeAndBody {
        /// Seconds that the time may differ from ours, both ways.
        tolerance_seconds: u32,
    },
}

/// What a request must prove.
#[derive(Debug, Clone, PartialEq)]
pub enum Scheme {
    /// That it knows the URL token.
    UrlToken,
    /// That it knows the secret, by saying it in a header.
    Token {
        /// The header's name.
        header: String,
        /// What stands before the secret.
        prefix: Option<String>,
    },
    /// That it knows user and password.
    Basic,
    /// That it knows the secret, by a signature in a header.
    Hmac {
        /// The header's name.
        header: String,
        /// The hash.
        algorithm: Algorithm,
        /// What stands before the signature.
        prefix: Prefix,
        /// How it is written.
        encoding: Encoding,
        /// What it covers.
        covers: Covers,
    },
    /// That it knows the secret, by standardwebhooks.com, version 1.
    StandardWebhooks,
    /// That it knows the secret, by an HTTP signature (draft-cavage) over `Date` and `Digest`.
    HttpSignature {
        /// Seconds that the date may differ from ours, both ways.
        tolerance_seconds: u32,
    },
    /// One of two. Where the first one's header is there, and is not the second's too, only the first counts.
    Either(Box<Scheme>, Box<Scheme>),
    /// That an issuer vouches for it.
    Oidc {
        /// Who signs.
        issuer: String,
        /// The audience that the token must have.
        audience: String,
        /// What the token must say.
        claims: BTreeMap<String, Value>,
    },
}

impl Scheme {
    /// The scheme of a config: its `authentication`, or else its sender's preset.
    ///
    /// `signatureHeader` and `signatureAlgorithm` override the preset: a hex HMAC of the raw body, with or
    /// without the algorithm's usual prefix. A config never has them beside `authentication`.
    #[must_use]
    pub fn of(
        provider: Provider,
        webhook_type: WebhookType,
        authentication: Option<&Authentication>,
        signature_header: Option<&str>,
        signature_algorithm: Option<Algorithm>,
    ) -> Self {
        if let Some(authentication) = authentication {
            return authentication.clone().into();
        }
        let sender = provider.sender(webhook_type);
        let preset = sender.map_or(Preset::UrlToken, |sender| sender.authentication);
        if signature_header.is_none() && signature_algorithm.is_none() {
            return Self::of_presets(preset, sender.map_or(&[], |sender| sender.alternatives));
        }
        let Some(header) = signature_header.or(preset.hmac_header()) else { return preset.into() };
        let algorithm = signature_algorithm.unwrap_or(Algorithm::HmacSha256);
        Self::Hmac {
            header: header.to_owned(),
            algorithm,
            prefix: Prefix::Optional(match algorithm {
                Algorithm::HmacSha256 => "sha256=",
                Algorithm::HmacSha1 => "sha1=",
            }),
            encoding: Encoding::Hex,
            covers: Covers::Body,
        }
    }

    /// Any of these ways. Signatures come first: a request that has one is not accepted by its token.
    fn of_presets(usual: Preset, alternatives: &[Preset]) -> Self {
        let ways = || std::iter::once(usual).chain(alternatives.iter().copied());
        let signatures = ways().filter(|preset| preset.is_signature());
        let ordered: Vec<Preset> = signatures.chain(ways().filter(|preset| !preset.is_signature())).collect();
        let either = |rest, first| Self::Either(Box::new(first), Box::new(rest));
        ordered.into_iter().rev().map(Self::from).reduce(either).unwrap_or(Self::UrlToken)
    }

    /// Whether there is nothing to prove but the URL token.
    #[must_use]
    pub fn needs_url_token(&self) -> bool {
        *self == Self::UrlToken
    }

    /// Whether a secret must be there to prove anything by.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        match self {
            Self::Token { .. }
            | Self::Basic
            | Self::Hmac { .. }
            | Self::StandardWebhooks
            | Self::HttpSignature { .. } => true,
            Self::Either(first, second) => first.needs_secret() || second.needs_secret(),
            Self::UrlToken | Self::Oidc { .. } => false,
        }
    }

    /// Whether the proof covers a time near ours, so that a request that was seen is of no use later.
    #[must_use]
    pub fn signs_time(&self) -> bool {
        match self {
            Self::Hmac { covers: Covers::TimeAndBody { .. }, .. }
            | Self::StandardWebhooks
            | Self::HttpSignature { .. } => true,
            Self::Either(first, second) => first.signs_time() && second.signs_time(),
            Self::Hmac { covers: Covers::Body | Covers::JsonText, .. }
            | Self::UrlToken
            | Self::Token { .. }
            | Self::Basic
            | Self::Oidc { .. } => false,
        }
    }

    /// The headers that carry the proof, which no log may show.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Token { header, .. } | Self::Hmac { header, .. } => vec![header],
            Self::Basic | Self::Oidc { .. } => vec!["authorization"],
            Self::StandardWebhooks => vec!["webhook-signature", "svix-signature"],
            Self::HttpSignature { .. } => vec!["signature"],
            Self::Either(first, second) => [first.headers(), second.headers()].concat(),
            Self::UrlToken => Vec::new(),
        }
    }
}

impl From<Authentication> for Scheme {
    fn from(said: Authentication) -> Self {
        match said {
            Authentication::None => Self::UrlToken,
            Authentication::Token { header, prefix } => Self::Token { header, prefix },
            Authentication::Basic => Self::Basic,
            Authentication::Hmac(hmac) => Self::Hmac {
                header: hmac.header,
                algorithm: hmac.algorithm,
                prefix: hmac.prefix.map_or(Prefix::Absent, Prefix::Required),
                encoding: hmac.encoding,
                covers: match hmac.signed {
                    Signed::Body => Covers::Body,
                    Signed::TimestampAndBody => Covers::TimeAndBody {
                        tolerance_seconds: hmac.tolerance_seconds.unwrap_or(TOLERANCE_SECONDS),
                    },
                },
            },
            Authentication::StandardWebhooks => Self::StandardWebhooks,
            Authentication::HttpSignature { tolerance_seconds } => {
                Self::HttpSignature { tolerance_seconds: tolerance_seconds.unwrap_or(TOLERANCE_SECONDS) }
            }
            Authentication::Oidc { issuer, audience, claims } => Self::Oidc { issuer, audience, claims },
        }
    }
}

impl From<Preset> for Scheme {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::JsonTextHmac(header) => Self::Hmac {
                header: header.to_owned(),
                algorithm: Algorithm::HmacSha256,
                prefix: Prefix::Optional("sha256="),
                encoding: Encoding::Hex,
                covers: Covers::JsonText,
            },
            Preset::UrlToken
            | Preset::Token(_)
            | Preset::Basic
            | Preset::Hmac { .. }
            | Preset::StandardWebhooks => preset.authentication().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::senders::SENDERS;

    fn named(name: &str) -> Provider {
        Provider::of(name).unwrap()
    }

    fn of(provider: Provider, header: Option<&str>, algorithm: Option<Algorithm>) -> Scheme {
        Scheme::of(provider, WebhookType::RegistryPush, None, header, algorithm)
    }

    #[test]
    fn a_sender_that_cannot_sign_needs_the_url_token() {
        for provider in ["auto", "dockerhub", "quay", "jenkins"] {
            assert!(of(named(provider), None, None).needs_url_token(), "{provider}");
        }
        let jenkins = Some(&Authentication::Basic);
        let scheme = Scheme::of(named("jenkins"), WebhookType::CiPipeline, jenkins, None, None);
        assert_eq!(scheme, Scheme::Basic);
    }

    #[test]
    fn an_override_means_hex_over_the_raw_body() {
        let Scheme::Hmac { header, algorithm, prefix, encoding, covers } =
            of(named("dockerhub"), Some("X-Signature"), None)
        else {
            panic!("not a signature");
        };
        assert_eq!((header.as_str(), algorithm), ("X-Signature", Algorithm::HmacSha256));
        assert_eq!((prefix, encoding, covers), (Prefix::Optional("sha256="), Encoding::Hex, Covers::Body));
    }

    #[test]
    fn an_algorithm_alone_keeps_the_presets_header() {
        let Scheme::Hmac { header, algorithm, prefix, .. } =
            of(named("bitbucket"), None, Some(Algorithm::HmacSha1))
        else {
            panic!("not a signature");
        };
        assert_eq!((header.as_str(), algorithm), ("X-Hub-Signature", Algorithm::HmacSha1));
        assert_eq!(prefix, Prefix::Optional("sha1="));
    }

    #[test]
    fn no_preset_but_nexus_uses_sha1() {
        for sender in SENDERS {
            if let Authentication::Hmac(hmac) = sender.authentication.authentication() {
                assert_eq!(hmac.algorithm == Algorithm::HmacSha1, sender.name == "nexus", "{sender:?}");
            }
        }
    }

    #[test]
    fn a_sender_with_several_ways_signs_first() {
        let headers = |name: &str, webhook_type| {
            let scheme = Scheme::of(named(name), webhook_type, None, None, None);
            scheme.headers().join(" ")
        };
        let gitlab = headers("auto", WebhookType::GitlabWebhook);
        assert_eq!(gitlab, "webhook-signature svix-signature X-Gitlab-Token");
        assert_eq!(headers("gitlab-ci", WebhookType::CiPipeline), gitlab);
        let buildkite = headers("buildkite", WebhookType::CiPipeline);
        assert_eq!(buildkite, "X-Buildkite-Signature X-Buildkite-Token");
        let artifactory = headers("artifactory", WebhookType::RegistryPush);
        assert_eq!(artifactory, "X-JFrog-Event-Auth X-JFrog-Event-Auth");
        let forgejo = "X-Forgejo-Signature X-Gitea-Signature X-Gogs-Signature X-Hub-Signature-256";
        assert_eq!(headers("forgejo", WebhookType::RegistryPush), forgejo);
        assert_eq!(headers("gitea", WebhookType::RegistryPush), forgejo.split_once(' ').unwrap().1);
    }
}
