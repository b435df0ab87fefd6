//! Signature Version 4 (AWS, "Create a signed AWS API request") as SDKs use it for these services: in the
//! header, over the whole body, on the path `/` without a query.

use hmac::{Hmac, Mac as _};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256};

use super::refusal::Refused;

/// HMAC with SHA-256.
type HmacSha256 = Hmac<Sha256>;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a request's `Authorization`.
pub(super) struct Signature<'a> {
    /// The id of the access key.
    pub(super) access_key: &'a str,
    /// The signature.
    pub(super) bytes: Vec<u8>,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    time: &'a str,
}

impl<'a> Signature<'a> {
    /// Parses the `Authorization` of a request.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Refused> {
        let text = headers.get(AUTHORIZATION).ok_or(Refused::Missing)?;
        let text = text.to_str().map_err(|_| Refused::Incomplete)?;
        let parts = text.strip_prefix(ALGORITHM).ok_or(Refused::Incomplete)?;
        let part = |name: &str| {
            let mut parts = parts.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or(Refused::Incomplete)
        };
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = *scope.as_slice() else {
            return Err(Refused::Incomplete);
        };
        let signed_headers = part("SignedHeaders")?;
        if !signed_headers.split(';').any(|name| name == "host") {
            return Err(Refused::Incomplete);
        }
        let time = headers.get("x-amz-date").and_then(|time| time.to_str().ok());
        Ok(Self {
            access_key,
            bytes: hex::decode(part("Signature")?).map_err(|_| Refused::Incomplete)?,
            date,
            region,
            service,
            signed_headers,
            time: time.ok_or(Refused::Incomplete)?,
        })
    }

    /// The MAC that the signature must equal.
    pub(super) fn expected(&self, secret: &str, head: &Parts, body: &[u8]) -> Result<HmacSha256, Refused> {
        if head.uri.path() != "/" || head.uri.query().is_some() || !self.covers_amz_headers(&head.headers) {
            return Err(Refused::WrongSignature);
        }
        let mut canonical = format!("{}\n/\n\n", head.method);
        for name in self.signed_headers.split(';') {
            let value = canonical_value(&head.headers, name)?;
            canonical.extend([name, ":", &value, "\n"]);
        }
        let payload = hex::encode(Sha256::digest(body));
        canonical.extend(["\n", self.signed_headers, "\n", &payload]);
        let canonical = hex::encode(Sha256::digest(canonical));
        let Self { date, region, service, time, .. } = self;
        let to_sign = format!("{ALGORITHM}\n{time}\n{date}/{region}/{service}/aws4_request\n{canonical}");
        let parts = [date, region, service, "aws4_request"];
        let key =
            parts.iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()));
        Ok(mac(&key, to_sign.as_bytes()))
    }

    /// Whether all `X-Amz-` headers are signed: one of them names the operation.
    fn covers_amz_headers(&self, headers: &HeaderMap) -> bool {
        let is_signed =
            |name: &HeaderName| self.signed_headers.split(';').any(|signed| signed == name.as_str());
        headers.keys().all(|name| !name.as_str().starts_with("x-amz-") || is_signed(name))
    }
}

/// A header's values joined by commas, without leading, trailing and repeated blanks.
fn canonical_value(headers: &HeaderMap, name: &str) -> Result<String, Refused> {
    let one = |value: &http::HeaderValue| {
        let text = value.to_str().map_err(|_| Refused::WrongSignature)?;
        Ok(text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    };
    let values: Result<Vec<String>, Refused> = headers.get_all(name).iter().map(one).collect();
    values.map(|values| values.join(","))
}

/// The HMAC-SHA256 of a text.
pub(super) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    mac(key, text).finalize().into_bytes().to_vec()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn mac(key: &[u8], text: &[u8]) -> HmacSha256 {
    let mut mac = HmacSha256::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// `get-vanilla` and `post-vanilla` of AWS's test suite for version 4.
    #[test]
    fn the_examples_of_aws_are_verified() {
        for (method, signature) in [
            ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ] {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature={signature}"
            );
            let request = Request::builder()
                .method(method)
                .uri("/")
                .header("host", "example.amazonaws.com")
                .header("x-amz-date", "20150830T123600Z")
                .header("authorization", authorization);
            let (head, ()) = request.body(()).unwrap().into_parts();
            let read = Signature::read(&head.headers).unwrap();
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            assert!(read.expected(secret, &head, b"").unwrap().verify_slice(&read.bytes).is_ok(), "{method}");
            assert!(read.expected(secret, &head, b"x").unwrap().verify_slice(&read.bytes).is_err());
            assert!(read.expected("another", &head, b"").unwrap().verify_slice(&read.bytes).is_err());
        }
    }

    #[test]
    fn blanks_are_collapsed_and_values_joined() {
        let headers: HeaderMap = [("x-a", "  a   b "), ("x-a", "c")]
            .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        assert_eq!(canonical_value(&headers, "x-a").unwrap(), "a b,c");
        assert_eq!(canonical_value(&headers, "x-b").unwrap(), "");
    }
}
