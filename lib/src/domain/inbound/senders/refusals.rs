//! A request that differs from a genuine one in one thing is refused: for every sender's preset, and for the
//! examples that senders publish.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::domain::inbound::auth::verify::{Live, Request, verify};
use crate::domain::inbound::authentication::{Algorithm, Authentication, TOLERANCE_SECONDS};
use crate::domain::inbound::provider::Provider;
use crate::domain::inbound::scheme::{Covers, Prefix, Scheme};
use crate::domain::inbound::webhook_type::WebhookType;
use crate::domain::shared::signature::SigningSecret;

/// An authentic request.
#[derive(Clone)]
pub(super) struct Genuine {
    scheme: Scheme,
    secret: String,
    headers: HeaderMap,
    body: Vec<u8>,
    /// When it comes in, in seconds since 1970.
    at: i64,
    /// Whether it proves the body, and not only knowledge of the secret.
    covers_body: bool,
    /// Whether it proves the time.
    covers_time: bool,
}

impl Genuine {
    fn passes(&self) -> bool {
        let request = Request { headers: &self.headers, body: &self.body, url_token: None };
        let secrets = [self.secret.as_str()];
        let live = Live { secrets: &secrets, ..Live::default() };
        verify(&self.scheme, request, live, DateTime::from_timestamp(self.at, 0).unwrap()).is_ok()
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    /// The same without headers that it does not need. Of several that are enough, the last remains.
    fn bare(mut self) -> Self {
        for name in self.headers.keys().cloned().collect::<Vec<_>>() {
            let without = self.with(|request| drop(request.headers.remove(&name)));
            if without.passes() {
                self = without;
            }
        }
        self
    }

    /// Asserts that it is accepted, and that each request which differs from it in one thing is refused.
    fn refuses_all_else(&self, name: &str) {
        assert!(self.passes(), "{name}");
        let bare = self.clone().bare();
        let refused = |what: &str, change: &dyn Fn(&mut Self)| {
            assert!(!bare.with(change).passes(), "{name}: {what}");
        };
        refused("another key", &|request| request.secret.push('x'));
        refused("an empty key", &|request| request.secret.clear());
        if self.covers_body {
            refused("a body with more", &|request| request.body.push(b' '));
            refused("an empty body", &|request| request.body.clear());
            for at in 0..bare.body.len() {
                refused("a changed byte", &|request| request.body[at] ^= 1);
            }
        }
        if self.covers_time {
            let too_much = i64::from(TOLERANCE_SECONDS).saturating_add(1);
            for at in [self.at.saturating_add(too_much), self.at.saturating_sub(too_much)] {
                refused("another time", &|request| request.at = at);
            }
        }
        for (header, value) in &bare.headers {
            let say = |text: &[u8]| HeaderValue::from_bytes(text).unwrap();
            refused("no header", &|request| drop(request.headers.remove(header)));
            refused("an empty header", &|request| drop(request.headers.insert(header, say(b""))));
            refused("the header twice", &|request| {
                request.headers.append(header, value.clone());
            });
            refused("a header beside it", &|request| {
                request.headers.append(header, say(b"x"));
            });
            let text = value.as_bytes();
            // A list may be cut behind the entry that counts.
            let is_list = text.starts_with(b"v1,") && text.contains(&b' ');
            let cuts = if is_list { text.len() / 2 } else { text.len() };
            for length in 1..cuts {
                refused("a short header", &|request| {
                    drop(request.headers.insert(header, say(&text[..length])));
                });
            }
        }
    }
}

const SECRET: &str = "it's a:secret";
const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;
const AT: i64 = 1_704_067_200;

fn mac(algorithm: Algorithm, text: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::HmacSha256 => Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())
            .unwrap()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .to_vec(),
        Algorithm::HmacSha1 => Hmac::<Sha1>::new_from_slice(SECRET.as_bytes())
            .unwrap()
            .chain_update(text)
            .finalize()
            .into_bytes()
            .to_vec(),
    }
}

fn headers(said: &[(&str, String)]) -> HeaderMap {
    said.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

/// Authentic requests of a scheme: one for each of its ways, none if the scheme takes no secret.
pub(super) fn genuine(scheme: &Scheme, whole: &Scheme) -> Vec<Genuine> {
    let request = |said: &[(&str, String)], covers_body, covers_time| Genuine {
        scheme: whole.clone(),
        secret: SECRET.to_owned(),
        headers: headers(said),
        body: BODY.to_vec(),
        at: AT,
        covers_body,
        covers_time,
    };
    match scheme {
        Scheme::UrlToken | Scheme::Oidc { .. } => Vec::new(),
        Scheme::Either(first, second) => [genuine(first, whole), genuine(second, whole)].concat(),
        Scheme::Token { header, prefix } => {
            let value = format!("{}{SECRET}", prefix.as_deref().unwrap_or_default());
            vec![request(&[(header, value)], false, false)]
        }
        Scheme::Basic => {
            let value = format!("Basic {}", STANDARD.encode(SECRET));
            vec![request(&[("authorization", value)], false, false)]
        }
        Scheme::Hmac { header, algorithm, prefix, encoding: _, covers } => {
            let prefix = match prefix {
                Prefix::Absent => "",
                Prefix::Required(prefix) => prefix,
                Prefix::Optional(prefix) => prefix,
            };
            let is_timed = matches!(covers, Covers::TimeAndBody { .. });
            let time = if is_timed { format!("timestamp={AT},") } else { String::new() };
            let head = if is_timed { format!("{AT}.") } else { String::new() };
            let signature = hex::encode(mac(*algorithm, &[head.as_bytes(), BODY].concat()));
            vec![request(&[(header, format!("{time}{prefix}{signature}"))], true, is_timed)]
        }
        Scheme::StandardWebhooks => {
            let signature = SigningSecret::parse(SECRET).unwrap().sign_standard("msg_1", AT, BODY);
            let said = [
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", AT.to_string()),
                ("webhook-signature", signature),
            ];
            vec![request(&said, true, true)]
        }
        Scheme::HttpSignature { .. } => {
            let date = "Mon, 01 Jan 2024 00:00:00 GMT".to_owned();
            let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(BODY)));
            let signed = format!("date: {date}\ndigest: {digest}");
            let signature = STANDARD.encode(mac(Algorithm::HmacSha256, signed.as_bytes()));
            let signature =
                format!(r#"keyId="k",algorithm="hmac-sha256",signature="{signature}",headers="date digest""#);
            vec![request(&[("date", date), ("digest", digest), ("signature", signature)], true, true)]
        }
    }
}

#[test]
fn every_preset_accepts_genuine_requests_only() {
    for (name, provider) in Provider::all() {
        for (_, webhook_type) in WebhookType::ALL {
            let scheme = Scheme::of(provider, webhook_type, None, None, None);
            for request in genuine(&scheme, &scheme) {
                request.refuses_all_else(name);
            }
        }
    }
}

#[test]
fn every_scheme_accepts_genuine_requests_only() {
    let http_signature = Authentication::HttpSignature { tolerance_seconds: None };
    for said in [Authentication::Basic, Authentication::StandardWebhooks, http_signature] {
        let scheme = Scheme::from(said);
        for request in genuine(&scheme, &scheme) {
            request.refuses_all_else(&format!("{scheme:?}"));
        }
    }
}

#[test]
fn an_http_signature_that_leaves_out_the_body_or_the_time_proves_nothing() {
    let scheme = Scheme::from(Authentication::HttpSignature { tolerance_seconds: None });
    let whole = genuine(&scheme, &scheme).remove(0);
    for (names, signed) in [
        ("date", "date: Mon, 01 Jan 2024 00:00:00 GMT".to_owned()),
        ("digest", format!("digest: SHA-256={}", STANDARD.encode(Sha256::digest(BODY)))),
        ("", String::new()),
    ] {
        let signature = STANDARD.encode(mac(Algorithm::HmacSha256, signed.as_bytes()));
        let value = format!(r#"signature="{signature}",headers="{names}""#);
        let partial = whole.with(|request| drop(request.headers.insert("signature", value.parse().unwrap())));
        assert!(!partial.passes(), "{names}");
    }
}

#[test]
fn a_forge_signs_the_json_text_of_a_form() {
    let form = |text: &[u8]| {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", std::str::from_utf8(text).unwrap())
            .finish();
        body.into_bytes()
    };
    for provider in [Provider::of("gitea").unwrap(), Provider::of("forgejo").unwrap()] {
        let scheme = Scheme::of(provider, WebhookType::CiPipeline, None, None, None);
        for request in genuine(&scheme, &scheme) {
            let as_form = request.with(|request| {
                let kind = "application/x-www-form-urlencoded".parse().unwrap();
                request.headers.insert(http::header::CONTENT_TYPE, kind);
                request.body = form(BODY);
            });
            assert!(as_form.passes());
            assert!(!as_form.with(|request| request.body = form(b"{}")).passes());
            assert!(!as_form.with(|request| request.body = BODY.to_vec()).passes());
        }
    }
}

/// Signatures that senders publish as examples: in the documentation of GitHub and CircleCI, and in the tests
/// of the Standard Webhooks library.
#[test]
fn published_signatures_are_accepted_and_their_forgeries_refused() {
    let standard = r#"{"email":"test@example.com","username":"test_user"}"#;
    let standard_key = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let standard_signature = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    let several = format!("v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ= {standard_signature} v1a,AAAA");
    let of_standard = |signature: &str| {
        headers(&[
            ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk".to_owned()),
            ("webhook-timestamp", "1649367553".to_owned()),
            ("webhook-signature", signature.to_owned()),
        ])
    };
    let preset = |name: &str| Scheme::of(Provider::of(name).unwrap(), WebhookType::Generic, None, None, None);
    let standard_webhooks = || Scheme::from(Authentication::StandardWebhooks);
    let github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let circleci = |signature: &str| headers(&[("circleci-signature", format!("v1={signature}"))]);
    for (scheme, secret, body, headers) in [
        (
            preset("ghcr"),
            "It's a Secret to Everybody",
            "Hello, World!",
            headers(&[("X-Hub-Signature-256", github.to_owned())]),
        ),
        (
            preset("circleci"),
            "secret",
            "hello world",
            circleci("734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
        ),
        (
            preset("circleci"),
            "another-secret",
            "lalala",
            circleci("daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"),
        ),
        (
            preset("circleci"),
            "hunter123",
            "an-important-request-payload",
            circleci("9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa"),
        ),
        (standard_webhooks(), standard_key, standard, of_standard(standard_signature)),
        (standard_webhooks(), standard_key, standard, of_standard(&several)),
    ] {
        let covers_time = scheme == Scheme::StandardWebhooks;
        let name = format!("{scheme:?} {body}");
        let at = if covers_time { 1_649_367_553 } else { AT };
        let (secret, body) = (secret.to_owned(), body.as_bytes().to_vec());
        let genuine = Genuine { scheme, secret, headers, body, at, covers_body: true, covers_time };
        genuine.refuses_all_else(&name);
    }
}

/// What Gitea sends without a secret.
#[test]
fn empty_signatures_are_refused() {
    let said = [("X-Gitea-Signature", ""), ("X-Hub-Signature", "sha1="), ("X-Hub-Signature-256", "sha256=")];
    let request = Genuine {
        scheme: Scheme::of(Provider::of("gitea").unwrap(), WebhookType::CiPipeline, None, None, None),
        secret: String::new(),
        headers: headers(&said.map(|(name, value)| (name, value.to_owned()))),
        body: BODY.to_vec(),
        at: AT,
        covers_body: true,
        covers_time: false,
    };
    assert!(!request.passes());
    assert!(!request.with(|request| request.secret.push_str(SECRET)).passes());
}
