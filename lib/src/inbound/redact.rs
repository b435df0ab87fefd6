//! What of a request the log may show.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::HeaderMap;
use regex::bytes::Regex;

use crate::domain::headers::{REDACTED, redact};
use crate::domain::scheme::Scheme;

/// A member of a JSON text that is named as a secret, up to its value, and the value. Some senders, old
/// Gitea for one, post the webhook's own secret. A test proves that it can be compiled.
static SECRET_MEMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = "[a-z_]*(?:secret|password|token)|passwd|api_?key|private_key|authorization";
    Regex::new(&format!(r#"(?is-u)("(?:{name})"\s*:\s*)"(?:[^"\\]|\\.?)*(?:"|$)"#)).ok()
});

/// A body with its secrets blanked. Text, not a tree, is searched: a body may be cut, or no JSON at all.
#[must_use]
pub fn body(body: &[u8]) -> Vec<u8> {
    let blank = format!("$1\"{REDACTED}\"");
    SECRET_MEMBER
        .as_ref()
        .map(|secret| secret.replace_all(body, blank.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// Headers by lower-case name, several values joined by commas, with secrets blanked: what sounds like
/// one, the header that carries the scheme's proof whatever its name, and every value with the URL token
/// in it, since proxies copy addresses into headers.
#[must_use]
pub fn headers(headers: &HeaderMap, scheme: &Scheme, url_token: Option<&str>) -> BTreeMap<String, String> {
    let url_token = url_token.filter(|token| !token.is_empty());
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let proves = scheme.headers().iter().any(|header| header.eq_ignore_ascii_case(name.as_str()));
        let leaks = url_token.is_some_and(|token| text.contains(token));
        let text = if proves || leaks { REDACTED } else { redact(name.as_str(), &text) };
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|earlier| {
                earlier.push_str(", ");
                earlier.push_str(text);
            })
            .or_insert_with(|| text.to_owned());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_proof_nor_url_token_is_shown() {
        let mut request = HeaderMap::new();
        for (name, value) in [
            ("x-github-event", "push"),
            ("x-hub-signature-256", "sha256=abc"),
            ("x-proof", "hunter2"),
            ("x-original-uri", "/api/v1/webhooks/registry/id/tokentext"),
            ("accept", "a"),
            ("accept", "b"),
        ] {
            request.append(name, value.parse().unwrap());
        }
        let scheme = Scheme::Token { header: "X-Proof".to_owned(), prefix: None };
        let shown = headers(&request, &scheme, Some("tokentext"));
        assert_eq!(shown["x-github-event"], "push");
        assert_eq!(shown["accept"], "a, b");
        for name in ["x-hub-signature-256", "x-proof", "x-original-uri"] {
            assert_eq!(shown[name], REDACTED, "{name}");
        }
    }

    #[test]
    fn members_named_as_secrets_are_blanked_and_nothing_else_is() {
        let shown = |text: &str| String::from_utf8(body(text.as_bytes())).unwrap();
        for (posted, expected) in [
            (r#"{"secret":"12\"345","ref":"a"}"#, r#"{"secret":"[redacted]","ref":"a"}"#),
            (r#"{"a": {"accessToken" : "x"}}"#, r#"{"a": {"accessToken" : "[redacted]"}}"#),
            (r#"{"hook":{"password":"cut he\"#, r#"{"hook":{"password":"[redacted]""#),
        ] {
            assert_eq!(shown(posted), expected);
        }
        for text in
            [r#"{"key":"my","secrets":"3","secret":null,"title":"the secret: \"x\""}"#, "payload=secret", ""]
        {
            assert_eq!(shown(text), text);
        }
        assert_eq!(body(b"\xff\xfe"), b"\xff\xfe");
    }
}
