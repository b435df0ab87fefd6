//! `OpenID` Connect tokens of machines: a JWT (RFC 7519) in JWS compact form (RFC 7515), checked with the JWK
//! set (RFC 7517) of its issuer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::Value;

/// How far the clock of an issuer may be from ours, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// The maximum length of a token, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The claims that a config requires of a token.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The issuer: the claim `iss`.
    pub issuer: &'a str,
    /// The audience: the claim `aud`.
    pub audience: &'a str,
    /// Further claims, at least one.
    pub claims: &'a BTreeMap<String, Value>,
}

/// A token that is parsed, and not verified yet.
pub struct Token<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    header: Header,
    claims: Value,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// The keys of an issuer: a JWK set.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Keys {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kid: Option<String>,
    #[serde(default)]
    kty: String,
    #[serde(default)]
    crv: String,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Whether there is a key of this id. Any key will do if `kid` is `None`.
    #[must_use]
    pub fn has(&self, kid: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.is(kid))
    }
}

impl Key {
    /// A token without a key id may be signed with any key.
    fn is(&self, kid: Option<&str>) -> bool {
        kid.is_none_or(|kid| self.kid.as_deref() == Some(kid))
    }

    fn verifies(&self, algorithm: &str, message: &[u8], signed: &[u8]) -> bool {
        match (self.kty.as_str(), algorithm) {
            ("RSA", "RS256") => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA256, message, signed),
            ("RSA", "RS384") => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA384, message, signed),
            ("RSA", "RS512") => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA512, message, signed),
            ("EC", "ES256") if self.crv == "P-256" => {
                self.curve(&signature::ECDSA_P256_SHA256_FIXED, message, signed)
            }
            ("EC", "ES384") if self.crv == "P-384" => {
                self.curve(&signature::ECDSA_P384_SHA384_FIXED, message, signed)
            }
            // Among others `none`, and HMAC with a public key as its secret (RFC 8725, 2.1).
            _ => false,
        }
    }

    fn rsa(&self, algorithm: &'static signature::RsaParameters, message: &[u8], signed: &[u8]) -> bool {
        let (Some(n), Some(e)) = (decoded(self.n.as_ref()), decoded(self.e.as_ref())) else { return false };
        RsaPublicKeyComponents { n, e }.verify(algorithm, message, signed).is_ok()
    }

    fn curve(&self, algorithm: &'static dyn VerificationAlgorithm, message: &[u8], signed: &[u8]) -> bool {
        let (Some(x), Some(y)) = (decoded(self.x.as_ref()), decoded(self.y.as_ref())) else { return false };
        // An uncompressed point (SEC 1, 2.3.3).
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        UnparsedPublicKey::new(algorithm, point).verify(message, signed).is_ok()
    }
}

fn decoded(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

impl<'a> Token<'a> {
    /// Parses a token. `None` if it is malformed.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.').filter(|_| text.len() <= MAX_BYTES)?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            signed,
            signature: json(signature)?,
            header: serde_json::from_slice(&json(header)?).ok()?,
            claims: serde_json::from_slice(&json(claims)?).ok()?,
        })
    }

    /// The id of the key that signed it: the header `kid`.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The claims, if the token is signed by a key of the issuer, is for the audience, and is valid now
    /// (`exp` and `nbf`, with a leeway of 60 seconds).
    #[must_use]
    pub fn claims(&self, issuer: &str, audience: &str, keys: &Keys, now: DateTime<Utc>) -> Option<&Value> {
        let is_signed = keys
            .keys
            .iter()
            .filter(|key| key.is(self.kid()))
            .any(|key| key.verifies(&self.header.alg, self.signed.as_bytes(), &self.signature));
        let says = |name: &str, value: &str| is_or_has(self.claims.get(name), &Value::from(value));
        (is_signed && self.is_timely(now) && says("iss", issuer) && says("aud", audience))
            .then_some(&self.claims)
    }

    /// Whether the token is signed by a key of the issuer, is valid now, and has every claim that is
    /// `wanted`. False if no further claim is wanted.
    #[must_use]
    pub fn proves(&self, wanted: Wanted<'_>, keys: &Keys, now: DateTime<Utc>) -> bool {
        let says =
            |claims: &Value| wanted.claims.iter().all(|(name, value)| is_or_has(claims.get(name), value));
        !wanted.claims.is_empty() && self.claims(wanted.issuer, wanted.audience, keys, now).is_some_and(says)
    }

    fn is_timely(&self, now: DateTime<Utc>) -> bool {
        let at = |name: &str| self.claims.get(name).map(|time| time.as_f64().unwrap_or(f64::NAN));
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
        let (now, leeway) = (now.timestamp() as f64, LEEWAY_SECONDS as f64);
        at("exp").is_some_and(|end| now < end + leeway) && at("nbf").is_none_or(|start| start - leeway <= now)
    }
}

/// Whether a claim is a value, or a list that has it.
fn is_or_has(claim: Option<&Value>, value: &Value) -> bool {
    match claim {
        Some(Value::Array(list)) => list.contains(value),
        Some(claim) => claim == value,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_704_067_200;

    struct Issuer(EcdsaKeyPair);

    impl Issuer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
            Self(pair)
        }

        fn keys(&self) -> Keys {
            let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
            let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let key = json!({"kid": "k1", "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)});
            serde_json::from_value(json!({"keys": [key]})).unwrap()
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn good() -> Value {
        json!({"iss": "https://issuer.example.com", "aud": "stella", "exp": NOW + 300,
            "email": "pusher@example.com", "email_verified": true})
    }

    fn proves(issuer: &Issuer, header: &Value, claims: &Value) -> bool {
        let token = issuer.token(header, claims);
        let claims = BTreeMap::from([("email".to_owned(), json!("pusher@example.com"))]);
        let wanted = Wanted { issuer: "https://issuer.example.com", audience: "stella", claims: &claims };
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        Token::read(&token).is_some_and(|token| token.proves(wanted, &issuer.keys(), now))
    }

    #[test]
    fn a_token_with_the_wanted_claims_passes() {
        let issuer = Issuer::new();
        let header = json!({"alg": "ES256", "kid": "k1"});
        assert!(proves(&issuer, &header, &good()));
        let mut several = good();
        several["aud"] = json!(["other", "stella"]);
        assert!(proves(&issuer, &header, &several));
    }

    #[test]
    fn another_claim_time_key_or_algorithm_does_not_pass() {
        let issuer = Issuer::new();
        let header = json!({"alg": "ES256", "kid": "k1"});
        for (name, value) in [
            ("iss", json!("https://evil.example.com")),
            ("aud", json!("others")),
            ("email", json!("somebody@example.com")),
            ("email", Value::Null),
            ("exp", json!(NOW - 61)),
            ("exp", json!("soon")),
            ("nbf", json!(NOW + 61)),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            assert!(!proves(&issuer, &header, &claims), "{name} {value}");
        }
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256", "kid": "k1"}),
            json!({"alg": "ES256", "kid": "k2"}),
        ] {
            assert!(!proves(&issuer, &header, &good()), "{header}");
        }
        let stranger = Issuer::new().token(&header, &good());
        let token = Token::read(&stranger).unwrap();
        let claims = BTreeMap::from([("email".to_owned(), json!("pusher@example.com"))]);
        let wanted = Wanted { issuer: "https://issuer.example.com", audience: "stella", claims: &claims };
        assert!(!token.proves(wanted, &issuer.keys(), DateTime::from_timestamp(NOW, 0).unwrap()));
    }

    #[test]
    fn malformed_tokens_are_refused() {
        for text in ["", "a", "a.b", "a.b.c", "e30.e30.", "....", &"x".repeat(20_000)] {
            assert!(Token::read(text).is_none_or(|token| token.kid().is_none()), "{text}");
        }
    }
}
