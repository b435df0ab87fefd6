//! Requests that a config refused: what is counted of them, and what callers see.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Serialize;

use super::receipt::RETENTION_DAYS;
use super::scheme::Scheme;
use crate::domain::shared::counts::Counts;
use crate::domain::shared::time::Timestamp;

/// Counter: did not authenticate.
const UNAUTHENTICATED: &str = "rejected";
/// Counter: those of [`UNAUTHENTICATED`] without credentials.
const WITHOUT_CREDENTIALS: &str = "withoutCredentials";
/// Counter: too large.
const TOO_LARGE: &str = "tooLarge";
/// Counter: authenticated, and refused afterwards.
const AUTHENTICATED: &str = "authenticated";

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has neither the headers nor the URL token by which its config authenticates.
    NoCredentials,
    /// It has them, and they are not valid.
    WrongCredentials,
    /// Its body is too large.
    TooLarge,
    /// It was authenticated, and refused afterwards: its body is not JSON, for example.
    Authenticated,
}

impl Refusal {
    /// Why a request did not authenticate.
    #[must_use]
    pub fn unauthenticated(scheme: &Scheme, headers: &HeaderMap, url_token: Option<&str>) -> Self {
        let has_credentials = if scheme.needs_url_token() {
            url_token.is_some()
        } else {
            scheme.headers().iter().any(|name| headers.contains_key(*name))
        };
        if has_credentials { Self::WrongCredentials } else { Self::NoCredentials }
    }

    /// What it adds to the counts of its hour.
    #[must_use]
    pub fn counts(self) -> Counts {
        let names: &[&str] = match self {
            Self::NoCredentials => &[UNAUTHENTICATED, WITHOUT_CREDENTIALS],
            Self::WrongCredentials => &[UNAUTHENTICATED],
            Self::TooLarge => &[TOO_LARGE],
            Self::Authenticated => &[AUTHENTICATED],
        };
        let mut counts = Counts::default();
        for name in names {
            counts.add(name, 1);
        }
        counts
    }

    /// Whether callers see when it happened.
    #[must_use]
    pub fn is_shown(self) -> bool {
        self != Self::Authenticated
    }
}

/// The requests that a config refused in a period, approximately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejections {
    counts: Counts,
    last_at: Option<DateTime<Utc>>,
}

impl Rejections {
    /// Adds those of an hour.
    pub fn add_hour(&mut self, counts: &Counts, last_at: Option<DateTime<Utc>>) {
        self.counts.add_all(counts);
        self.last_at = self.last_at.max(last_at);
    }

    /// How many did not authenticate.
    #[must_use]
    pub fn unauthenticated(&self) -> u64 {
        self.counts.of(UNAUTHENTICATED)
    }

    /// How many authenticated, and were refused afterwards.
    #[must_use]
    pub fn authenticated(&self) -> u64 {
        self.counts.of(AUTHENTICATED)
    }

    /// As callers see them.
    #[must_use]
    pub fn view(&self) -> RejectionsView {
        RejectionsView {
            unauthenticated: self.unauthenticated(),
            too_large: self.counts.of(TOO_LARGE),
            last_at: self.last_at.map(Timestamp),
        }
    }

    /// Why these requests probably did not authenticate, for the owner of a config that has no receipt. A
    /// sender never sees it.
    #[must_use]
    pub fn authentication_hint(&self, scheme: &Scheme) -> String {
        let (missing, wrong) = credentials(scheme);
        let without = self.counts.of(WITHOUT_CREDENTIALS);
        let reason = match (without > 0, self.unauthenticated() > without) {
            (true, false) => missing,
            (true, true) => format!("Some of them: {missing} The others: {wrong}"),
            (false, _) => wrong,
        };
        format!("No request was accepted in the last {RETENTION_DAYS} days. {reason}")
    }
}

/// What a scheme's missing credentials and its wrong ones probably mean.
fn credentials(scheme: &Scheme) -> (String, String) {
    let headers = scheme.headers().join(" or ");
    let wrong = match scheme {
        Scheme::UrlToken => {
            return (
                "The address was called without its token: paste the whole URL into the sender.".to_owned(),
                "The token in the address is not valid: rotate it, and paste the new URL into the sender."
                    .to_owned(),
            );
        }
        Scheme::Oidc { .. } => {
            "The token in the header authorization is not valid: compare issuer, audience and claims."
                .to_owned()
        }
        Scheme::Basic => {
            "The header authorization does not match: enter the same user and password on both sides."
                .to_owned()
        }
        Scheme::Token { .. }
        | Scheme::Hmac { .. }
        | Scheme::StandardWebhooks
        | Scheme::HttpSignature { .. }
        | Scheme::Either(..) => {
            format!("The header {headers} does not match: enter the same secret on both sides.")
        }
    };
    let missing =
        format!("The header {headers} is missing: enter the secret in the sender, or change authentication.");
    (missing, wrong)
}

/// Requests that a webhook config refused in the last 8 days, approximately: they are counted in memory, and written
/// at most every ten seconds.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Rejections"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectionsView {
    /// How many did not authenticate (401).
    pub unauthenticated: u64,
    /// How many had a body of more than 4 MiB (413).
    pub too_large: u64,
    /// When a request was last refused for one of these reasons. Absent if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::inbound::provider::Provider;
    use crate::domain::inbound::webhook_type::WebhookType;

    fn scheme(provider: &str) -> Scheme {
        Scheme::of(Provider::of(provider).unwrap(), WebhookType::Generic, None, None, None)
    }

    fn of(refusals: &[Refusal]) -> Rejections {
        let mut all = Rejections::default();
        for (hour, refusal) in (1_i64..).zip(refusals) {
            let at =
                refusal.is_shown().then(|| DateTime::from_timestamp(hour.saturating_mul(3_600), 0).unwrap());
            all.add_hour(&refusal.counts(), at);
        }
        all
    }

    #[test]
    fn callers_see_what_was_refused_and_when_last() {
        use Refusal::{Authenticated, NoCredentials, TooLarge, WrongCredentials};
        let rejections = of(&[NoCredentials, WrongCredentials, TooLarge, Authenticated]);
        assert_eq!(
            json!(rejections.view()),
            json!({"unauthenticated": 2, "tooLarge": 1, "lastAt": "1970-01-01T03:00:00.000Z"})
        );
        assert_eq!(json!(of(&[]).view()), json!({"unauthenticated": 0, "tooLarge": 0}));
    }

    #[test]
    fn credentials_are_missing_without_the_schemes_headers_or_url_token() {
        let mut headers = HeaderMap::new();
        let why =
            |scheme: &Scheme, headers: &HeaderMap, token| Refusal::unauthenticated(scheme, headers, token);
        assert_eq!(why(&scheme("harbor"), &headers, Some("t")), Refusal::NoCredentials);
        assert_eq!(why(&scheme("dockerhub"), &headers, None), Refusal::NoCredentials);
        assert_eq!(why(&scheme("dockerhub"), &headers, Some("t")), Refusal::WrongCredentials);
        headers.insert("authorization", "x".parse().unwrap());
        assert_eq!(why(&scheme("harbor"), &headers, None), Refusal::WrongCredentials);
    }

    #[test]
    fn the_hint_says_whether_the_credentials_are_missing_or_wrong() {
        let (none, wrong) = (Refusal::NoCredentials, Refusal::WrongCredentials);
        for (refusals, provider, words) in [
            (vec![none], "harbor", vec!["Authorization is missing"]),
            (
                vec![wrong, Refusal::TooLarge],
                "ghcr",
                vec!["X-Hub-Signature-256 does not match", "same secret"],
            ),
            (vec![none, wrong], "ghcr", vec!["is missing", "does not match"]),
            (vec![none], "dockerhub", vec!["without its token"]),
            (vec![wrong], "dockerhub", vec!["rotate it"]),
        ] {
            let hint = of(&refusals).authentication_hint(&scheme(provider));
            for word in words {
                assert!(hint.contains(word), "{provider}: {hint}");
            }
        }
        let (issuer, audience) = ("https://accounts.example.com".to_owned(), "stella".to_owned());
        let oidc = Scheme::Oidc { issuer, audience, claims: std::collections::BTreeMap::new() };
        let hint = of(&[wrong]).authentication_hint(&oidc);
        assert!(hint.contains("issuer, audience and claims"), "{hint}");
    }
}
