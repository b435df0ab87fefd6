//! Redacts what a receipt shows of a request.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::HeaderMap;
use regex::bytes::Regex;

use crate::domain::inbound::scheme::Scheme;
use crate::domain::shared::headers::{REDACTED, redact};

/// The names of members that have secrets. Some senders, such as old versions of Gitea, post the webhook's
/// own secret.
const SECRET_NAMES: &str = "[a-z_]*(?:secret|password|token)|passwd|api_?key|private_key|authorization";

/// Patterns of secrets in a body, each with its replacement: a member of a JSON text, the same escaped in a
/// form, and a field of a form or a URL. A test proves that all of them compile.
static SECRETS: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    let names = SECRET_NAMES;
    let escaped = "(?:%5c(?:%..|.)|%[0134-9a-f][^%]|%2[013-9a-f]|[^%&])*?";
    let patterns = [
        (format!(r#"("(?:{names})"\s*:\s*)"(?:[^"\\]|\\.?)*(?:"|$)"#), format!("$1\"{REDACTED}\"")),
        (
            format!(r"(%22(?:{names})%22(?:\+|%20)*(?::|%3a)(?:\+|%20)*)%22{escaped}(?:%22|&|$)"),
            format!("$1%22{REDACTED}%22"),
        ),
        (format!(r#"((?:^|[&?])(?:{names})=)[^&"\s]+"#), format!("$1{REDACTED}")),
    ];
    let compile =
        |(pattern, shown): (String, String)| Some((Regex::new(&format!("(?is-u){pattern}")).ok()?, shown));
    patterns.into_iter().filter_map(compile).collect()
});

/// A body with its secrets redacted. The text is searched, because a body may be cut or not be JSON at all.
#[must_use]
pub fn body(body: &[u8]) -> Vec<u8> {
    SECRETS
        .iter()
        .fold(body.to_vec(), |text, (secret, shown)| secret.replace_all(&text, shown.as_bytes()).into_owned())
}

/// Headers by lower-case name, with several values joined by commas, and with secrets redacted: the values of
/// [sensitive names](crate::domain::shared::headers::is_sensitive), of the headers that the scheme checks,
/// and all values that contain the URL token, because proxies copy addresses into headers.
#[must_use]
pub fn headers(headers: &HeaderMap, scheme: &Scheme, url_token: Option<&str>) -> BTreeMap<String, String> {
    let url_token = url_token.filter(|token| !token.is_empty());
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let is_credential = scheme.headers().iter().any(|header| header.eq_ignore_ascii_case(name.as_str()));
        let has_token = url_token.is_some_and(|token| text.contains(token));
        let text = if is_credential || has_token { REDACTED } else { redact(name.as_str(), &text) };
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
    fn neither_credentials_nor_url_token_are_shown() {
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
    fn members_named_as_secrets_are_redacted_and_nothing_else() {
        let shown = |text: &str| String::from_utf8(body(text.as_bytes())).unwrap();
        for (posted, expected) in [
            (r#"{"secret":"12\"345","ref":"a"}"#, r#"{"secret":"[redacted]","ref":"a"}"#),
            (r#"{"a": {"accessToken" : "x"}}"#, r#"{"a": {"accessToken" : "[redacted]"}}"#),
            (r#"{"hook":{"password":"cut he\"#, r#"{"hook":{"password":"[redacted]""#),
        ] {
            assert_eq!(shown(posted), expected);
        }
        for (posted, expected) in [
            (
                "payload=%7B%22secret%22%3A%22a%5C%22b%3D%22%2C%22ref%22%3A%22x%22%7D&a=1",
                "payload=%7B%22secret%22%3A%22[redacted]%22%2C%22ref%22%3A%22x%22%7D&a=1",
            ),
            ("token=abc&text=x", "token=[redacted]&text=x"),
            (
                r#"{"url":"https://a/?access_token=abc&b=1"}"#,
                r#"{"url":"https://a/?access_token=[redacted]&b=1"}"#,
            ),
        ] {
            assert_eq!(shown(posted), expected);
        }
        assert_eq!(SECRETS.len(), 3);
        for text in
            [r#"{"key":"my","secrets":"3","secret":null,"title":"the secret: \"x\""}"#, "payload=secret", ""]
        {
            assert_eq!(shown(text), text);
        }
        assert_eq!(body(b"\xff\xfe"), b"\xff\xfe");
    }
}
