//! The body as JSON: which media types are JSON, and how members are taken from it.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::domain::inbound::auth::verified::Verified;
use crate::error::{Code, Error, Kind};

/// The byte order mark in UTF-8. Some senders' serialisers write it, and a reader may ignore it (RFC 8259,
/// 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses the body. The parser limits the depth to 128 levels. If a member occurs twice, the last one counts.
pub(super) fn parse(verified: &Verified<'_>) -> Result<Value, Error> {
    let Some(text) = text_in(verified.headers(), verified.body()) else {
        return Err(Error::new(
            Kind::UnsupportedMediaType,
            Code::UnsupportedMediaType,
            "The body must be JSON, or a form with JSON in its field payload",
        ));
    };
    serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text)).map_err(|error| {
        // The parser's message has a position, and not the content.
        Error::new(Kind::Invalid, Code::MalformedJson, "The body is not JSON").caused_by(error)
    })
}

/// The JSON text in a body: the whole body, or the field `payload` of a form. `None` for another media type.
pub(super) fn text_in<'b>(headers: &HeaderMap, body: &'b [u8]) -> Option<Cow<'b, [u8]>> {
    match media_type(headers) {
        MediaType::Json => Some(Cow::Borrowed(body)),
        MediaType::Form => {
            let payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload");
            Some(Cow::Owned(payload.map(|(_, text)| text.into_owned().into_bytes()).unwrap_or_default()))
        }
        MediaType::Other => None,
    }
}

/// The body with texts in the place of numbers that lose their form when they are parsed: `1.10` becomes
/// `"1.10"`. Integers of 64 bits stay.
pub(super) fn with_numbers_as_written(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let text = text_in(headers, body)?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let mut quoted = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let is_number = first.is_ascii_digit() || *first == b'-';
        let length = if *first == b'"' { string_length(rest) } else { number_length(rest).max(1) };
        let (token, after) = rest.split_at_checked(length)?;
        if is_number && !is_integer(token) {
            quoted.extend([b"\"".as_slice(), token, b"\""].concat());
        } else {
            quoted.extend(token);
        }
        rest = after;
    }
    serde_json::from_slice(&quoted).ok()
}

/// The length of the string that a text begins with, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end.saturating_add(2))
}

/// The length of the number that a text begins with, or 0.
fn number_length(text: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let begins = text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    if begins { text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len()) } else { 0 }
}

fn is_integer(token: &[u8]) -> bool {
    let text = std::str::from_utf8(token).unwrap_or_default();
    text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok()
}

enum MediaType {
    Json,
    /// `payload=<JSON>`, which GitHub and others offer.
    Form,
    Other,
}

/// The media type. Default: JSON.
fn media_type(headers: &HeaderMap) -> MediaType {
    let Some(value) = headers.get(CONTENT_TYPE) else { return MediaType::Json };
    let Ok(value) = value.to_str() else { return MediaType::Other };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" => MediaType::Json,
        "application/x-www-form-urlencoded" => MediaType::Form,
        other if other.ends_with("+json") => MediaType::Json,
        _ => MediaType::Other,
    }
}

/// The text at a JSON Pointer (RFC 6901), trimmed. An empty text is absent.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The URL of a page at a JSON Pointer. Schemes other than `http` and `https` are absent.
pub(super) fn url(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).filter(|url| is_web(url)).map(str::to_owned)
}

/// Whether a URL is for browsers, and not `javascript:`.
pub(super) fn is_web(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: Option<&str>, body: &[u8]) -> Result<Value, Code> {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
        }
        parse(&Verified::was_verified_before(&headers, body)).map_err(|error| error.code)
    }

    #[test]
    fn every_media_type_of_json_is_read() {
        for content_type in [
            None,
            Some(""),
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/cloudevents+json"),
            Some("application/vnd.docker.distribution.events.v2+json"),
        ] {
            assert_eq!(read(content_type, b"{}"), Ok(serde_json::json!({})), "{content_type:?}");
        }
        assert_eq!(read(None, b"\xef\xbb\xbf{}"), Ok(serde_json::json!({})));
    }

    #[test]
    fn other_media_types_are_refused() {
        for content_type in ["text/plain", "application/xml", "multipart/form-data", "json"] {
            assert_eq!(read(Some(content_type), b"{}"), Err(Code::UnsupportedMediaType), "{content_type}");
        }
    }

    #[test]
    fn a_form_has_its_json_in_a_field() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(read(form, b"payload=%7B%22a%22%3A1%7D&other=x"), Ok(serde_json::json!({"a": 1})));
        assert_eq!(read(form, b"other=%7B%7D"), Err(Code::MalformedJson));
    }

    #[test]
    fn bodies_that_are_not_json_are_malformed() {
        let deep = "[".repeat(100_000);
        for body in [b"".as_slice(), b" ", b"{", b"push", b"{} {}", b"\xff", b"1e999", deep.as_bytes()] {
            assert_eq!(read(None, body), Err(Code::MalformedJson));
        }
    }

    #[test]
    fn numbers_that_would_lose_their_form_are_read_as_texts() {
        let read = |text: &str| with_numbers_as_written(&HeaderMap::new(), text.as_bytes());
        for (text, expected) in [
            (
                r#"{"tag":1.10,"run":12345678901234567890123}"#,
                r#"{"tag":"1.10","run":"12345678901234567890123"}"#,
            ),
            ("[1,-2,18446744073709551615,true,null]", "[1,-2,18446744073709551615,true,null]"),
            ("[1e3, -0.50]", r#"["1e3","-0.50"]"#),
            (r#"{"1.5":"\\\"2.50","a":"\\"}"#, r#"{"1.5":"\\\"2.50","a":"\\"}"#),
            ("1.0", r#""1.0""#),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn of_a_repeated_member_the_last_counts() {
        assert_eq!(read(None, br#"{"a":1,"a":2}"#), Ok(serde_json::json!({"a": 2})));
    }
}
