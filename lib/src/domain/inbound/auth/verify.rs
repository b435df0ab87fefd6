//! Authenticates a request by the scheme of its config.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use subtle::{Choice, ConstantTimeEq as _};

use super::header::{MAX_SIGNATURES, after_prefix, single, timely};
use super::http_signature;
use super::oidc::{Keys, Token, Wanted};
use super::signature_header::Written;
use super::verified::Verified;
use crate::domain::inbound::authentication::{Algorithm, TOLERANCE_SECONDS};
use crate::domain::inbound::json;
use crate::domain::inbound::scheme::{Covers, Scheme};
use crate::domain::shared::secret::secret_hash;
use crate::domain::shared::signature::SigningSecret;
use crate::error::{Code, Error, Kind};

/// How the headers of Standard Webhooks began before it was a standard. Some senders still use these names.
const OLDER_PREFIX: &str = "svix";

/// A request, as it was received.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// The URL token, from the path or from `?token=`.
    pub url_token: Option<&'a str>,
}

/// The credentials that are valid now: two of each during a rotation. A blank secret is never valid.
#[derive(Clone, Copy, Default)]
pub struct Live<'a> {
    /// The secrets that the sender signs with or sends.
    pub secrets: &'a [&'a str],
    /// The hashes of the URL tokens, by [`secret_hash`].
    pub url_token_hashes: &'a [&'a str],
    /// The keys of the scheme's issuer, if it has one.
    pub issuers_keys: Option<&'a Keys>,
}

impl std::fmt::Debug for Live<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live(..)")
    }
}

/// The request is not authenticated. The reason is not disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The request could not be authenticated")]
pub struct Unverified;

impl From<Unverified> for Error {
    fn from(unverified: Unverified) -> Self {
        Self::new(Kind::Unauthenticated, Code::Unauthenticated, unverified.to_string())
    }
}

/// Authenticates a request by `scheme`, over the raw body. Compares in constant time.
///
/// ```
/// use http::HeaderMap;
/// use stella::domain::inbound::auth::verify::{Live, Request, verify};
/// use stella::domain::inbound::scheme::Scheme;
///
/// let scheme = Scheme::Token { header: "X-Gitlab-Token".to_owned(), prefix: None };
/// let mut headers = HeaderMap::new();
/// headers.insert("x-gitlab-token", "s3cret".parse().unwrap());
/// let request = Request { headers: &headers, body: b"{}", url_token: None };
/// let now = "2026-01-09T10:30:00Z".parse().unwrap();
///
/// let live = |secrets| Live { secrets, ..Live::default() };
/// assert!(verify(&scheme, request, live(&["s3cret"]), now).is_ok());
/// assert!(verify(&scheme, request, live(&["new", "s3cret"]), now).is_ok(), "while a secret is rotated");
/// assert!(verify(&scheme, request, live(&["other"]), now).is_err());
/// ```
///
/// # Errors
/// If the credentials are absent, ambiguous or wrong, without saying which.
pub fn verify<'a>(
    scheme: &Scheme,
    request: Request<'a>,
    live: Live<'_>,
    now: DateTime<Utc>,
) -> Result<Verified<'a>, Unverified> {
    let headers = request.headers;
    if let Scheme::Either(first, second) = scheme {
        let has_header = |scheme: &Scheme| scheme.headers().iter().any(|name| headers.contains_key(*name));
        let first_only = has_header(first) && first.headers() != second.headers();
        let proven = verify(first, request, live, now);
        return if first_only { proven } else { proven.or_else(|_| verify(second, request, live, now)) };
    }
    let proven = match scheme {
        Scheme::UrlToken => request.url_token.map(|token| is_live_url_token(token, live)),
        Scheme::Token { header, prefix } => token(headers, header, prefix.as_deref(), live),
        Scheme::Basic => basic(headers, live),
        Scheme::Hmac { header, algorithm, prefix, encoding, covers } => {
            let written = Written { prefix, encoding: *encoding, covers: *covers };
            single(headers, header).and_then(|value| signed(&written, value, *algorithm, request, live, now))
        }
        Scheme::HttpSignature { tolerance_seconds } => {
            http_signature::read(headers, request.body, *tolerance_seconds, now).map(|offer| {
                let signs =
                    |secret: &str| Algorithm::HmacSha256.mac(secret.as_bytes(), &[offer.signed.as_bytes()]);
                any_secret(live, |secret| signs(secret).ct_eq(&offer.signature))
            })
        }
        Scheme::StandardWebhooks => standard_webhooks(request, live, now),
        Scheme::Oidc { issuer, audience, claims } => {
            let wanted = Wanted { issuer, audience, claims };
            let token = bearer(headers).and_then(Token::read);
            token
                .zip(live.issuers_keys)
                .map(|(token, keys)| Choice::from(u8::from(token.proves(wanted, keys, now))))
        }
        // Both alternatives are tried above.
        Scheme::Either(..) => None,
    };
    if proven.is_some_and(bool::from) { Ok(Verified::proven(headers, request.body)) } else { Err(Unverified) }
}

/// The token of `Authorization: Bearer`.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let token = after_prefix(single(headers, "authorization")?, "Bearer ")?;
    std::str::from_utf8(token).ok()
}

/// Whether any valid secret passes. All are tried, so that the time does not tell which one did.
fn any_secret(live: Live<'_>, mut passes: impl FnMut(&str) -> Choice) -> Choice {
    let usable = live.secrets.iter().filter(|secret| !secret.trim().is_empty());
    usable.fold(Choice::from(0), |proven, secret| proven | passes(secret))
}

fn is_live_url_token(token: &str, live: Live<'_>) -> Choice {
    let hash = secret_hash(token);
    let same = |known: &&str| hash.as_bytes().ct_eq(known.as_bytes());
    live.url_token_hashes.iter().fold(Choice::from(0), |proven, known| proven | same(known))
}

fn token(headers: &HeaderMap, header: &str, prefix: Option<&str>, live: Live<'_>) -> Option<Choice> {
    let sent = after_prefix(single(headers, header)?, prefix.unwrap_or_default())?;
    Some(any_secret(live, |secret| secret.as_bytes().ct_eq(sent)))
}

fn signed(
    written: &Written<'_>,
    value: &[u8],
    algorithm: Algorithm,
    request: Request<'_>,
    live: Live<'_>,
    now: DateTime<Utc>,
) -> Option<Choice> {
    let offer = written.read(value, now)?;
    let text = match written.covers {
        Covers::Body | Covers::TimeAndBody { .. } => Cow::Borrowed(request.body),
        Covers::JsonText => json::text_in(request.headers, request.body).ok()?,
    };
    let head = offer.time.unwrap_or_default();
    let dot: &[u8] = if offer.time.is_some() { b"." } else { b"" };
    Some(any_secret(live, |secret| {
        is_among(&algorithm.mac(secret.as_bytes(), &[head, dot, &text]), &offer.signatures)
    }))
}

/// Basic authentication (RFC 7617). `user:password` is compared as a whole, so that the password may have
/// colons.
fn basic(headers: &HeaderMap, live: Live<'_>) -> Option<Choice> {
    let encoded = after_prefix(single(headers, "authorization")?, "Basic ")?;
    let sent = STANDARD.decode(encoded.trim_ascii()).ok()?;
    Some(any_secret(live, |secret| secret.as_bytes().ct_eq(&sent)))
}

fn standard_webhooks(request: Request<'_>, live: Live<'_>, now: DateTime<Utc>) -> Option<Choice> {
    let headers = request.headers;
    let prefix = if headers.contains_key("webhook-signature") { "webhook" } else { OLDER_PREFIX };
    let text = |name: &str| std::str::from_utf8(single(headers, &format!("{prefix}-{name}"))?).ok();
    let id = text("id")?;
    let written = text("timestamp")?;
    let seconds = timely(written.as_bytes(), TOLERANCE_SECONDS, now)?;
    // With a dot in the id, or another spelling of the time, the signed text could be split into other parts.
    if id.contains('.') || seconds.to_string() != written {
        return None;
    }
    let entries = text("signature")?.split(' ').filter_map(|entry| entry.strip_prefix("v1,"));
    let offered: Vec<Vec<u8>> =
        entries.take(MAX_SIGNATURES).filter_map(|entry| STANDARD.decode(entry).ok()).collect();
    Some(any_secret(live, |secret| {
        let Ok(secret) = SigningSecret::parse(secret) else { return Choice::from(0) };
        let signed = secret.sign_standard(id, seconds, request.body);
        let expected = signed.strip_prefix("v1,").and_then(|signed| STANDARD.decode(signed).ok());
        is_among(&expected.unwrap_or_default(), &offered)
    }))
}

fn is_among(expected: &[u8], offered: &[Vec<u8>]) -> Choice {
    let usable = Choice::from(u8::from(!expected.is_empty()));
    usable & offered.iter().fold(Choice::from(0), |found, offered| found | expected.ct_eq(offered))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
