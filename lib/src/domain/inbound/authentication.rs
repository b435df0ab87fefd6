//! How a sender is authenticated, as a config sets it: data, not code for each sender.

use std::collections::BTreeMap;

use ::hmac::Mac;
use http::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::Sha1;
use sha2::Sha256;

use crate::domain::shared::object_reader::{ObjectReader, Variant};

/// How far a signed time may be from ours, in seconds, if a config does not set it.
pub const TOLERANCE_SECONDS: u32 = 300;
const MAX_TOLERANCE_SECONDS: u32 = 86_400;
const MAX_HEADER_BYTES: usize = 128;
const MAX_PREFIX_CHARACTERS: usize = 64;

named! {
    /// The hash of an HMAC. SHA-1 is for senders that support nothing better, and used only if it is set.
    #[cfg_attr(feature = "schema", schemars(inline))]
    pub enum Algorithm {
        /// HMAC-SHA256.
        HmacSha256 = "hmac-sha256",
        /// HMAC-SHA1.
        HmacSha1 = "hmac-sha1",
    }
}

impl Algorithm {
    /// The HMAC (RFC 2104) of a text, given in parts, under a key.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "an HMAC takes a key of any length, so this cannot fail"
    )]
    pub fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::HmacSha256 => {
                let mac = ::hmac::Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
                parts.iter().fold(mac, Mac::chain_update).finalize().into_bytes().to_vec()
            }
            Self::HmacSha1 => {
                let mac = ::hmac::Hmac::<Sha1>::new_from_slice(key).expect("a key of any length");
                parts.iter().fold(mac, Mac::chain_update).finalize().into_bytes().to_vec()
            }
        }
    }
}

named! {
    /// The encoding of a signature. Default: hex.
    #[cfg_attr(feature = "schema", schemars(inline))]
    #[derive(Default)]
    pub enum Encoding {
        /// Hexadecimal.
        #[default]
        Hex = "hex",
        /// Base64 with its padding.
        Base64 = "base64",
    }
}

named! {
    /// What a signature covers. Default: the raw body.
    #[cfg_attr(feature = "schema", schemars(inline))]
    #[derive(Default)]
    pub enum Signed {
        /// The raw body.
        #[default]
        Body = "body",
        /// The time, a dot, and the raw body. The time is in the signature's header as `timestamp=` or `t=`, in
        /// seconds since 1970.
        TimestampAndBody = "timestamp.body",
    }
}

/// A signature in a header: a single value, or a comma-separated list in which entries with the prefix count.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hmac {
    /// The name of the header.
    pub header: String,
    /// The hash of the HMAC.
    pub algorithm: Algorithm,
    /// What precedes the signature in the header, as in `sha256=` or `v1=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// What the signature covers.
    #[serde(default)]
    pub signed: Signed,
    /// How many seconds the signed time may differ from the service's. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub tolerance_seconds: Option<u32>,
}

/// How the sender authenticates, instead of by its provider's preset.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Authentication {
    /// By the token in the address alone.
    None,
    /// The secret itself, in a header.
    Token {
        /// The name of the header.
        header: String,
        /// What precedes the secret in the header, as in `Bearer `.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
    /// `Authorization: Basic` (RFC 7617). The secret is `user:password`.
    Basic,
    /// An HMAC in a header.
    Hmac(Hmac),
    /// Standard Webhooks (standardwebhooks.com), version 1.
    StandardWebhooks,
    /// An HTTP signature (draft-cavage-http-signatures) over `Date` and `Digest`, as Drone makes it.
    #[serde(rename_all = "camelCase")]
    HttpSignature {
        /// How many seconds the signed `Date` may differ from the service's time. Default: 300.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
        tolerance_seconds: Option<u32>,
    },
    /// A signed OpenID Connect token as bearer token.
    Oidc {
        /// The issuer, which signs the token.
        issuer: String,
        /// The audience that the token must name.
        audience: String,
        /// Claims that the token must have; at least one.
        claims: BTreeMap<String, Value>,
    },
}

const KINDS: [Variant<Authentication>; 7] = [
    ("none", |_| Some(Authentication::None)),
    ("token", token),
    ("basic", |_| Some(Authentication::Basic)),
    ("hmac", |fields| hmac(fields).map(Authentication::Hmac)),
    ("standardWebhooks", |_| Some(Authentication::StandardWebhooks)),
    ("httpSignature", |fields| {
        Some(Authentication::HttpSignature { tolerance_seconds: tolerance_seconds(fields) })
    }),
    ("oidc", oidc),
];

impl Authentication {
    /// Reads the member `authentication`: an object with a `type`, or only the name of a type that needs
    /// nothing else.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        match fields.value("authentication").and_then(Value::as_str) {
            None => fields.object("authentication", |fields| fields.kind("type", &KINDS)),
            Some("none") => Some(Self::None),
            Some("basic") => Some(Self::Basic),
            Some("standardWebhooks") => Some(Self::StandardWebhooks),
            Some("httpSignature") => Some(Self::HttpSignature { tolerance_seconds: None }),
            Some(_) => {
                fields.wrong("authentication", "must be an object with a type and what the type needs");
                None
            }
        }
    }
}

fn token(fields: &mut ObjectReader<'_>) -> Option<Authentication> {
    let header = header(fields);
    let prefix = prefix(fields);
    Some(Authentication::Token { header: header?, prefix })
}

fn header(fields: &mut ObjectReader<'_>) -> Option<String> {
    fields.require("header");
    fields.parsed("header", header_name)
}

/// Parses the name of a header.
///
/// # Errors
/// What is wrong with it.
pub fn header_name(name: &str) -> Result<String, String> {
    if name.len() > MAX_HEADER_BYTES || name.parse::<HeaderName>().is_err() {
        return Err("is not a header name".to_owned());
    }
    Ok(name.to_owned())
}

fn prefix(fields: &mut ObjectReader<'_>) -> Option<String> {
    let prefix = fields.text("prefix", MAX_PREFIX_CHARACTERS)?;
    let plain = |byte| (b' '..=b'~').contains(&byte) && byte != b',';
    if prefix.bytes().all(plain) {
        return Some(prefix);
    }
    fields.wrong("prefix", "must be printable ASCII without a comma");
    None
}

fn hmac(fields: &mut ObjectReader<'_>) -> Option<Hmac> {
    let header = header(fields);
    fields.require("algorithm");
    let algorithm = fields.one_of("algorithm", &Algorithm::ALL);
    let prefix = prefix(fields);
    let encoding = fields.one_of_or("encoding", &Encoding::ALL, Encoding::default());
    let signed = fields.one_of_or("signed", &Signed::ALL, Signed::default());
    let tolerance_seconds = tolerance_seconds(fields);
    if tolerance_seconds.is_some() && signed == Signed::Body {
        fields
            .wrong("toleranceSeconds", "needs signed to be timestamp.body, for a bare body carries no time");
    }
    Some(Hmac { header: header?, algorithm: algorithm?, prefix, encoding, signed, tolerance_seconds })
}

fn tolerance_seconds(fields: &mut ObjectReader<'_>) -> Option<u32> {
    let seconds = fields.integer("toleranceSeconds", 1, MAX_TOLERANCE_SECONDS.into())?;
    u32::try_from(seconds).ok()
}

fn oidc(fields: &mut ObjectReader<'_>) -> Option<Authentication> {
    let issuer = fields.required_text("issuer", 2048);
    let audience = fields.required_text("audience", 2048);
    fields.require("claims");
    let claims = fields.members("claims")?;
    if claims.is_empty() {
        fields.wrong("claims", "must have at least one claim");
    }
    let claims = claims.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Some(Authentication::Oidc { issuer, audience, claims })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(authentication: &Value) -> Result<Authentication, Vec<String>> {
        let body = json!({ "authentication": authentication });
        let mut fields = ObjectReader::of(&body);
        let read = Authentication::parse(&mut fields);
        match fields.finish() {
            Ok(()) => Ok(read.unwrap()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn each_kind_is_written_as_it_is_read() {
        for written in [
            json!({"type": "none"}),
            json!({"type": "basic"}),
            json!({"type": "standardWebhooks"}),
            json!({"type": "httpSignature"}),
            json!({"type": "httpSignature", "toleranceSeconds": 60}),
            json!({"type": "token", "header": "Authorization", "prefix": "Bearer "}),
            json!({"type": "hmac", "header": "X-Sig", "algorithm": "hmac-sha1", "encoding": "hex",
                "signed": "body"}),
            json!({"type": "hmac", "header": "X-Sig", "algorithm": "hmac-sha256", "prefix": "v1=",
                "encoding": "base64", "signed": "timestamp.body", "toleranceSeconds": 60}),
        ] {
            let read = read(&written).expect("accepted");
            assert_eq!(serde_json::to_value(&read).unwrap(), written);
            assert_eq!(serde_json::from_value::<Authentication>(written).unwrap(), read);
        }
    }

    #[test]
    fn a_type_that_needs_nothing_else_may_be_a_name() {
        assert_eq!(read(&json!("none")), Ok(Authentication::None));
        assert_eq!(read(&json!("standardWebhooks")), Ok(Authentication::StandardWebhooks));
        assert_eq!(read(&json!("hmac")), Err(vec!["authentication".to_owned()]));
        assert_eq!(read(&json!(1)), Err(vec!["authentication".to_owned()]));
    }

    #[test]
    fn every_mistake_is_named() {
        let said = json!({"type": "hmac", "header": "a b", "algorithm": "md5", "prefix": "a,b",
            "encoding": "octal", "signed": "half", "toleranceSeconds": 0, "colour": "red"});
        let mut mistakes = read(&said).unwrap_err();
        mistakes.sort();
        let members = ["algorithm", "colour", "encoding", "header", "prefix", "signed", "toleranceSeconds"];
        assert_eq!(mistakes, members.map(|member| format!("authentication.{member}")));
    }

    #[test]
    fn a_tolerance_needs_a_signed_time() {
        let said =
            json!({"type": "hmac", "header": "X-Sig", "algorithm": "hmac-sha256", "toleranceSeconds": 60});
        assert_eq!(read(&said), Err(vec!["authentication.toleranceSeconds".to_owned()]));
    }

    #[test]
    fn oidc_needs_an_issuer_an_audience_and_a_claim() {
        let good = json!({"type": "oidc", "issuer": "https://accounts.example.com", "audience": "stella",
            "claims": {"email": "push@example.com"}});
        assert!(read(&good).is_ok());
        let mistakes = read(&json!({"type": "oidc", "claims": {}})).unwrap_err();
        for member in ["issuer", "audience", "claims"] {
            assert!(mistakes.contains(&format!("authentication.{member}")), "{mistakes:?}");
        }
    }
}
