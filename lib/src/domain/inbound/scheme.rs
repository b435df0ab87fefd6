//! What a request must prove to a config: its own words, or else its sender's preset.

use std::collections::BTreeMap;

use serde_json::Value;

use super::authentication::{Algorithm, Authentication, Encoding, Hmac, Signed, TOLERANCE_SECONDS};
use super::provider::{Provider, WebhookType};

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
        /// For whom.
        audience: String,
        /// What the token must say.
        claims: BTreeMap<String, Value>,
    },
}

impl Scheme {
    /// The scheme of a config. `signatureHeader` and `signatureAlgorithm` override the sender's preset and
    /// mean hex over the raw body, with or without the algorithm's usual prefix; a config never has them
    /// beside `authentication`.
    #[must_use]
    pub fn of(
        provider: Provider,
        webhook_type: WebhookType,
        authentication: Option<&Authentication>,
        signature_header: Option<&str>,
        signature_algorithm: Option<Algorithm>,
    ) -> Self {
        let said = authentication.cloned().unwrap_or_else(|| preset(provider, webhook_type));
        if authentication.is_some() {
            return said.into();
        }
        if signature_header.is_none() && signature_algorithm.is_none() {
            return match (provider, other(provider, webhook_type)) {
                (Provider::Gitea, _) => forge(GITEA_HEADERS),
                (Provider::Forgejo, _) => forge(FORGEJO_HEADERS),
                (_, Some((first, second))) => Self::Either(Box::new(first.into()), Box::new(second.into())),
                (_, None) => said.into(),
            };
        }
        let preset_header =
            if let Authentication::Hmac(hmac) = &said { Some(hmac.header.as_str()) } else { None };
        let Some(header) = signature_header.or(preset_header) else { return said.into() };
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

    /// The headers that carry the proof, which no log may show.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Token { header, .. } | Self::Hmac { header, .. } => vec![header],
            Self::Basic | Self::Oidc { .. } => vec!["authorization"],
            Self::StandardWebhooks => vec!["webhook-signature"],
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

/// The headers in which a forge puts one and the same signature, beside `X-Hub-Signature-256`; of relatives
/// and older versions not all are there.
const GITEA_HEADERS: &[&str] = &["X-Gitea-Signature", "X-Gogs-Signature"];
const FORGEJO_HEADERS: &[&str] = &["X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature"];

/// The first of these headers that is there must prove the request. What it signs is the JSON text, in a form
/// too.
fn forge(headers: &[&str]) -> Scheme {
    let one = |header: &str| Scheme::Hmac {
        header: header.to_owned(),
        algorithm: Algorithm::HmacSha256,
        prefix: Prefix::Optional("sha256="),
        encoding: Encoding::Hex,
        covers: Covers::JsonText,
    };
    let either = |rest, header: &&str| Scheme::Either(Box::new(one(header)), Box::new(rest));
    headers.iter().rev().fold(one("X-Hub-Signature-256"), either)
}

/// The two ways of senders that have two, and whose settings say which: the signature first.
fn other(provider: Provider, webhook_type: WebhookType) -> Option<(Authentication, Authentication)> {
    let token = |header: &str| Authentication::Token { header: header.to_owned(), prefix: None };
    let second = match provider {
        Provider::Artifactory => token("X-JFrog-Event-Auth"),
        Provider::Buildkite => token("X-Buildkite-Token"),
        Provider::GitlabCi => return Some((Authentication::StandardWebhooks, token("X-Gitlab-Token"))),
        Provider::Auto if webhook_type == WebhookType::GitlabWebhook => {
            return Some((Authentication::StandardWebhooks, token("X-Gitlab-Token")));
        }
        _ => return None,
    };
    Some((preset(provider, webhook_type), second))
}

/// How a sender proves itself when its config does not say. Where the sender can neither sign nor send a
/// header, that is the URL token.
#[must_use]
pub fn preset(provider: Provider, webhook_type: WebhookType) -> Authentication {
    let token = |header: &str| Authentication::Token { header: header.to_owned(), prefix: None };
    let sign = |header: &str, prefix: Option<&str>| Hmac {
        header: header.to_owned(),
        algorithm: Algorithm::HmacSha256,
        prefix: prefix.map(str::to_owned),
        encoding: Encoding::Hex,
        signed: Signed::Body,
        tolerance_seconds: None,
    };
    let github = || Authentication::Hmac(sign("X-Hub-Signature-256", Some("sha256=")));
    match provider {
        Provider::Auto => match webhook_type {
            WebhookType::GithubApp => github(),
            WebhookType::GitlabWebhook => token("X-Gitlab-Token"),
            WebhookType::RegistryPush | WebhookType::CiPipeline | WebhookType::Generic => {
                Authentication::None
            }
        },
        // Google's push subscriptions sign an OpenID Connect token, for which there is no preset:
        // audience and account are the tenant's.
        Provider::Dockerhub
        | Provider::Quay
        | Provider::Gar
        | Provider::Jenkins
        | Provider::Tekton
        | Provider::Cdevents
        | Provider::Generic => Authentication::None,
        // The configured value as it is: these senders add no scheme of their own.
        Provider::Harbor | Provider::Acr | Provider::Distribution => token("Authorization"),
        // An API key of an EventBridge connection.
        Provider::Ecr => token("X-Api-Key"),
        Provider::GitlabCi => token("X-Gitlab-Token"),
        Provider::AzureDevops => Authentication::Basic,
        Provider::Ghcr | Provider::GithubActions => github(),
        Provider::Artifactory => Authentication::Hmac(sign("X-JFrog-Event-Auth", None)),
        Provider::Nexus => Authentication::Hmac(Hmac {
            algorithm: Algorithm::HmacSha1,
            ..sign("X-Nexus-Webhook-Signature", None)
        }),
        Provider::Gitea => Authentication::Hmac(sign("X-Gitea-Signature", None)),
        Provider::Forgejo => Authentication::Hmac(sign("X-Forgejo-Signature", None)),
        Provider::Circleci => Authentication::Hmac(sign("circleci-signature", Some("v1="))),
        Provider::Buildkite => Authentication::Hmac(Hmac {
            signed: Signed::TimestampAndBody,
            ..sign("X-Buildkite-Signature", Some("signature="))
        }),
        // Its header has no -256, and it is SHA-256 all the same.
        Provider::Bitbucket => Authentication::Hmac(sign("X-Hub-Signature", Some("sha256="))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: Provider, header: Option<&str>, algorithm: Option<Algorithm>) -> Scheme {
        Scheme::of(provider, WebhookType::RegistryPush, None, header, algorithm)
    }

    #[test]
    fn a_sender_that_cannot_sign_needs_the_url_token() {
        for provider in [Provider::Auto, Provider::Dockerhub, Provider::Quay, Provider::Jenkins] {
            assert!(of(provider, None, None).needs_url_token(), "{provider:?}");
        }
        let jenkins = Some(&Authentication::Basic);
        let scheme = Scheme::of(Provider::Jenkins, WebhookType::CiPipeline, jenkins, None, None);
        assert_eq!(scheme, Scheme::Basic);
    }

    #[test]
    fn an_override_means_hex_over_the_raw_body() {
        let Scheme::Hmac { header, algorithm, prefix, encoding, covers } =
            of(Provider::Dockerhub, Some("X-Signature"), None)
        else {
            panic!("not a signature");
        };
        assert_eq!((header.as_str(), algorithm), ("X-Signature", Algorithm::HmacSha256));
        assert_eq!((prefix, encoding, covers), (Prefix::Optional("sha256="), Encoding::Hex, Covers::Body));
    }

    #[test]
    fn an_algorithm_alone_keeps_the_presets_header() {
        let Scheme::Hmac { header, algorithm, prefix, .. } =
            of(Provider::Bitbucket, None, Some(Algorithm::HmacSha1))
        else {
            panic!("not a signature");
        };
        assert_eq!((header.as_str(), algorithm), ("X-Hub-Signature", Algorithm::HmacSha1));
        assert_eq!(prefix, Prefix::Optional("sha1="));
    }

    #[test]
    fn no_preset_but_nexus_uses_sha1() {
        for (name, provider) in Provider::ALL {
            for (_, webhook_type) in WebhookType::ALL {
                if let Authentication::Hmac(hmac) = preset(provider, webhook_type) {
                    let expected = provider == Provider::Nexus;
                    assert_eq!(hmac.algorithm == Algorithm::HmacSha1, expected, "{name}");
                }
            }
        }
    }
}
