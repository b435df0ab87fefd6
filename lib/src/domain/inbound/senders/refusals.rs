//! Whatever differs from a genuine request in one thing is refused: for every sender's preset, and for the
//! captured signatures.

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

/// A request that proves itself.
#[derive(Clone)]
pub(super) struct Genuine {
    pub(super) scheme: Scheme,
    pub(super) secret: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Seconds since 1970, when it comes in.
    pub(super) at: i64,
    /// Whether its proof is one of the body, and not the secret itself.
    pub(super) covers_body: bool,
    /// Whether its proof is one of the time.
    pub(super) covers_time: bool,
}

impl Genuine {
    pub(super) fn passes(&self) -> bool {
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

    /// The same with no header that it does not need; of several that say the same, the last remains.
    fn bare(mut self) -> Self {
        for name in self.headers.keys().cloned().collect::<Vec<_>>() {
            let without = self.with(|request| drop(request.headers.remove(&name)));
            if without.passes() {
                self = without;
            }
        }
        self
    }

    /// Asserts that it is taken, and that nothing is which differs from it in one thing.
    pub(super) fn refuses_all_else(&self, name: &str) {
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

/// What proves itself by a scheme: one request for each of its ways, none where the scheme takes no secret.
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
fn every_preset_takes_what_is_genuine_and_nothing_else() {
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
fn every_scheme_takes_what_is_genuine_and_nothing_else() {
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
