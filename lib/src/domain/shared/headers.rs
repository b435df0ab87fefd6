//! HTTP headers: which ones a subscription may set, and which ones are redacted in logs.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::domain::shared::object_reader::ObjectReader;

const MAX_COUNT: usize = 20;
const MAX_NAME_BYTES: usize = 128;
const MAX_VALUE_BYTES: usize = 2_048;
const MAX_TOTAL_BYTES: usize = 8_192;

/// Names that a subscription may not set, in lower case: headers of the connection (RFC 9110, 7.6.1), of the
/// message's framing, and of proxies.
const REFUSED: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Prefixes of names that a subscription may not set: ours, those of Standard Webhooks, and those of AWS,
/// whose services take from such headers what a request asks for.
const REFUSED_PREFIXES: [&str; 4] = ["x-stella-", "webhook-", "x-amz-", "x-aws-"];

/// Words in a header's name that mark its value as a secret or a credential.
const SENSITIVE_WORDS: [&str; 20] = [
    "apikey",
    "assertion",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "hmac",
    "jwt",
    "key",
    "passwd",
    "password",
    "secret",
    "session",
    "sig",
    "signature",
    "signature256",
    "token",
];
/// Replaces sensitive values in logs.
pub const REDACTED: &str = "[redacted]";

/// The headers that a subscription adds to its requests, by name as written: at most 20, together at most 8
/// KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomHeaders(BTreeMap<String, String>);

impl CustomHeaders {
    /// Reads the member `headers` of a subscription. Each mistake is noted at `headers.<name>`.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let object = fields.members("headers")?;
        if object.len() > MAX_COUNT {
            fields.wrong("headers", format!("must have at most {MAX_COUNT} entries"));
            return None;
        }
        let mut headers = BTreeMap::new();
        let mut seen: Vec<String> = Vec::new();
        let mut bytes: usize = 0;
        for (name, value) in object {
            let mut wrong = |message: &str| fields.wrong(&format!("headers.{name}"), message);
            if let Err(message) = check_name(name) {
                wrong(message);
            } else if seen.contains(&name.to_ascii_lowercase()) {
                wrong("is there twice, in different case");
            }
            match value.as_str() {
                None => wrong("must be a string"),
                Some(text) => {
                    if let Err(message) = check_value(text) {
                        wrong(message);
                    }
                    bytes = bytes.saturating_add(name.len()).saturating_add(text.len());
                    headers.insert(name.clone(), text.to_owned());
                }
            }
            seen.push(name.to_ascii_lowercase());
        }
        if bytes > MAX_TOTAL_BYTES {
            fields.wrong("headers", format!("must have at most {MAX_TOTAL_BYTES} bytes together"));
        }
        Some(Self(headers))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers that are sent: without those that were stored before their names were refused.
    #[must_use]
    pub fn as_sent(&self) -> Self {
        let mut sent = self.clone();
        sent.0.retain(|name, _| check_name(name).is_ok());
        sent
    }

    /// The names, as written, and the values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is a header of this name, ignoring case.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.keys().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The headers with sensitive values redacted, for callers who may only read.
    #[must_use]
    pub fn redacted(&self) -> BTreeMap<String, String> {
        self.iter().map(|(name, value)| (name.to_owned(), redact(name, value).to_owned())).collect()
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > MAX_NAME_BYTES || name.parse::<HeaderName>().is_err() {
        return Err("is not a header name");
    }
    let lower = name.to_ascii_lowercase();
    if REFUSED.contains(&lower.as_str()) || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err("is set by the service or by the connection and may not be chosen");
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), &'static str> {
    if value == REDACTED {
        return Err("is what hides a value: give the value, or leave the member out");
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err("must have at most 2048 bytes");
    }
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    if !printable || HeaderValue::from_str(value).is_err() {
        return Err("must be printable ASCII without line breaks");
    }
    if value.trim_matches([' ', '\t']).len() != value.len() {
        return Err("must not begin or end with a blank");
    }
    Ok(())
}

/// Whether a header of this name may carry a secret, or something that could be replayed.
///
/// ```
/// use stella::domain::shared::headers::is_sensitive;
///
/// assert!(is_sensitive("X-Api-Key") && is_sensitive("x_auth_token"));
/// assert!(!is_sensitive("X-Author") && !is_sensitive("Idempotency-Key"));
/// ```
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.split(['-', '_', '.']).any(|word| SENSITIVE_WORDS.contains(&word)) && lower != "idempotency-key"
}

/// The value as a log may show it: [`REDACTED`] if the header is sensitive.
#[must_use]
pub fn redact<'a>(name: &str, value: &'a str) -> &'a str {
    if is_sensitive(name) { REDACTED } else { value }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(headers: &Value) -> Result<CustomHeaders, Vec<String>> {
        let body = json!({ "headers": headers });
        let mut fields = ObjectReader::of(&body);
        let headers = CustomHeaders::parse(&mut fields);
        match fields.finish() {
            Ok(()) => Ok(headers.unwrap_or_default()),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn ordinary_headers_and_content_type_and_user_agent_may_be_set() {
        let headers = json!({"X-Env": "prod", "Content-Type": "application/cloudevents+json", "user-agent": "x", "X-Empty": ""});
        let read = read(&headers).unwrap();
        assert!(read.contains("CONTENT-TYPE"));
        assert_eq!(serde_json::to_value(&read).unwrap(), headers);
    }

    #[test]
    fn reserved_headers_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Connection",
            "Keep-Alive",
            "Transfer-Encoding",
            "TE",
            "Trailer",
            "Upgrade",
            "Proxy-Authorization",
            "Expect",
            "X-Stella-Event",
            "x-stella-anything",
            "webhook-id",
            "Webhook-Signature",
            "X-Amz-Target",
            "x-amz-security-token",
            "X-Aws-Anything",
        ] {
            assert_eq!(read(&json!({ name: "x" })), Err(vec![format!("headers.{name}")]));
        }
    }

    #[test]
    fn stored_headers_that_are_refused_now_are_shown_but_not_sent() {
        let stored = json!({"X-Amz-Target": "DynamoDB_20120810.Scan", "X-Env": "prod"});
        let stored: CustomHeaders = serde_json::from_value(stored).unwrap();
        assert_eq!(stored.iter().count(), 2);
        assert_eq!(stored.as_sent().iter().collect::<Vec<_>>(), [("X-Env", "prod")]);
    }

    #[test]
    fn names_that_are_not_tokens_are_refused() {
        for name in ["", "a b", "a:b", "é", "a\r\nb", ":authority", "a\0"] {
            assert!(read(&json!({ name: "x" })).is_err(), "{name:?}");
        }
    }

    #[test]
    fn values_cannot_inject_a_header_line() {
        for value in ["a\r\nX: y", "a\nb", "a\0b", "é", " a", "a\t", "\u{7f}"] {
            assert!(read(&json!({ "X-A": value })).is_err(), "{value:?}");
        }
        assert!(read(&json!({ "X-A": 1 })).is_err());
    }

    #[test]
    fn every_mistake_is_reported() {
        let headers = json!({"Host": "x", "X-Ok": "x", "X-Bad": "a\nb", "x-ok": "y"});
        let mut mistakes = read(&headers).unwrap_err();
        mistakes.sort();
        assert_eq!(mistakes, ["headers.Host", "headers.X-Bad", "headers.x-ok"]);
    }

    #[test]
    fn number_and_size_are_limited() {
        let many = |count: usize| (0..count).map(|index| (format!("x-{index}"), json!("v"))).collect();
        assert!(read(&Value::Object(many(20))).is_ok());
        assert!(read(&Value::Object(many(21))).is_err());
        assert!(read(&json!({ "X-A": "v".repeat(2_048) })).is_ok());
        assert!(read(&json!({ "X-A": "v".repeat(2_049) })).is_err());
        let big = "v".repeat(2_000);
        assert!(read(&json!({ "a": big, "b": big, "c": big, "d": big, "e": big })).is_err());
    }

    #[test]
    fn logs_show_no_credentials() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "X-Gitlab-Token",
            "X-Hub-Signature-256",
            "webhook-signature",
            "x_auth_token",
            "X-Client-Secret",
            "apikey",
        ] {
            assert_eq!(redact(name, "v"), REDACTED, "{name}");
        }
        for name in
            ["Content-Type", "X-GitHub-Event", "X-Author", "webhook-id", "Keyboard", "Idempotency-Key"]
        {
            assert_eq!(redact(name, "v"), "v", "{name}");
        }
    }

    #[test]
    fn readers_see_sensitive_custom_headers_redacted() {
        let headers = read(&json!({"X-Api-Key": "s3cret", "X-Env": "prod"})).unwrap();
        let shown = serde_json::to_value(headers.redacted()).unwrap();
        assert_eq!(shown, json!({"X-Api-Key": "[redacted]", "X-Env": "prod"}));
    }
}
