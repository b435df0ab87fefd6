//! The body as JSON: which media types are, and how members are taken from it.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::domain::inbound::auth::verified::Verified;
use crate::error::{Code, Error, Kind};

/// Some senders' serialisers put it first, and RFC 8259 lets a reader ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body. Its depth is limited to 128 by the parser; of a member that is there twice the last counts.
pub(super) fn parse(verified: &Verified<'_>) -> Result<Value, Error> {
    let Some(text) = text_in(verified.headers(), verified.body()) else {
        return Err(Error::new(
            Kind::UnsupportedMediaType,
            Code::UnsupportedMediaType,
            "The body must be JSON, or a form with JSON in its field payload",
        ));
    };
    serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text)).map_err(|error| {
        // The parser's own text names a place and not the content.
        Error::new(Kind::Invalid, Code::MalformedJson, "The body is not JSON").caused_by(error)
    })
}

/// The JSON text in a body: all of it, or a form's field `payload`. None where the body is neither.
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

enum MediaType {
    Json,
    /// GitHub and others offer it: `payload=<JSON>`.
    Form,
    Other,
}

/// What the body is said to be; where nothing is said, it is JSON.
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

/// The text at a JSON pointer, without blanks around it; an empty one is absent.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The address for people at a JSON pointer; anything but `http` and `https` is absent.
pub(super) fn url(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).filter(|url| is_web(url)).map(str::to_owned)
}

/// Whether an address is one for browsers, and no `javascript:`.
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
    fn json_by_any_of_its_names_is_read() {
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
    fn other_media_types_are_not_ours() {
        for content_type in ["text/plain", "application/xml", "multipart/form-data", "json"] {
            assert_eq!(read(Some(content_type), b"{}"), Err(Code::UnsupportedMediaType), "{content_type}");
        }
    }

    #[test]
    fn a_form_carries_its_json_in_a_field() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(read(form, b"payload=%7B%22a%22%3A1%7D&other=x"), Ok(serde_json::json!({"a": 1})));
        assert_eq!(read(form, b"other=%7B%7D"), Err(Code::MalformedJson));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = "[".repeat(100_000);
        for body in [b"".as_slice(), b" ", b"{", b"push", b"{} {}", b"\xff", b"1e999", deep.as_bytes()] {
            assert_eq!(read(None, body), Err(Code::MalformedJson));
        }
    }

    #[test]
    fn a_member_that_is_there_twice_counts_once() {
        assert_eq!(read(None, br#"{"a":1,"a":2}"#), Ok(serde_json::json!({"a": 2})));
    }
}
