//! What of a request's headers the log may show.

use std::collections::BTreeMap;

use http::HeaderMap;

use crate::domain::headers::{REDACTED, redact};
use crate::domain::scheme::Scheme;

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
}
