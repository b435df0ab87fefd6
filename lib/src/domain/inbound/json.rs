//! The body as JSON: which media types are JSON, and how members are taken from it.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::domain::inbound::auth::verified::Verified;
use crate::error::{Code, Error, Kind};

/// The byte order mark in UTF-8. Some senders' serialisers write it, and a reader may ignore it (RFC 8259,
/// 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The most values that a body has: objects, lists and what they contain. Parsed, a small object takes more
/// than a hundred times its size in memory, so the size of a body alone does not limit what it takes.
const MAX_VALUES: usize = 250_000;

/// How much of a header that a sender sent is repeated in an answer, in characters.
const MAX_SHOWN: usize = 100;

/// The JSON of a body, and how it came.
pub(super) struct Document {
    /// The JSON.
    pub(super) value: Value,
    /// Whether it was the field of a form.
    pub(super) is_form: bool,
}

/// Parses the body. The parser limits the depth to 128 levels. If a member occurs twice, the last one counts.
pub(super) fn parse(verified: &Verified<'_>) -> Result<Document, Error> {
    let text = text_in(verified.headers(), verified.body())?;
    // Only the field of a form is decoded.
    let is_form = matches!(text, Cow::Owned(_));
    if text.len() > MAX_VALUES && values(&text) > MAX_VALUES {
        let text = format!("A body has at most {MAX_VALUES} JSON values");
        return Err(Error::new(Kind::TooLarge, Code::BodyTooLarge, text));
    }
    let value = serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text));
    let value = value.map_err(|error| {
        // The parser's message has a position, and not the content.
        Error::new(Kind::Invalid, Code::MalformedJson, "The body is not JSON").caused_by(error)
    })?;
    Ok(Document { value, is_form })
}

/// How many values a JSON text has, approximately: one for each comma and opening bracket that is not within a
/// string.
fn values(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut is_escaped) = (1_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

/// The JSON text in a body: the whole body, or the field `payload` of a form.
///
/// # Errors
/// `UnsupportedMediaType` if it is of another media type, or encoded; `Invalid` if it is a form with anything
/// else than this one field. A signature covers the body and not its media type. So a JSON text must never be
/// taken for a form too, whatever somebody put into it: it does not begin with `payload=`.
pub(super) fn text_in<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Error> {
    if let Some(coding) = content_coding(headers) {
        return Err(unsupported(format!("A body must be sent without Content-Encoding, not as {coding}")));
    }
    match media_type(headers) {
        MediaType::Json => Ok(Cow::Borrowed(body)),
        MediaType::Form => {
            let mut fields = form_urlencoded::parse(body);
            match (fields.next(), fields.next()) {
                (Some((name, text)), None) if name == "payload" => {
                    Ok(Cow::Owned(text.into_owned().into_bytes()))
                }
                _ => {
                    let text = format!(
                        "The body was sent as Content-Type: {FORM}, and is no form whose only field is payload. \
                         Send JSON as application/json"
                    );
                    Err(Error::new(Kind::Invalid, Code::MalformedJson, text))
                }
            }
        }
        MediaType::Other => Err(not_json(headers)),
    }
}

/// The body with texts in the place of numbers that lose their form when they are parsed: `1.10` becomes
/// `"1.10"`. Integers of 64 bits stay.
pub(super) fn with_numbers_as_written(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let text = text_in(headers, body).ok()?;
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

/// The error of a body that is not JSON by its `Content-Type`, or is a form of a sender that sends none.
pub(super) fn not_json(headers: &HeaderMap) -> Error {
    let sent = shown(headers.get(CONTENT_TYPE));
    unsupported(format!("The body must be sent as Content-Type: application/json, not as {sent}"))
}

fn unsupported(detail: String) -> Error {
    Error::new(Kind::UnsupportedMediaType, Code::UnsupportedMediaType, detail)
}

/// The content coding of a body, if it has one.
fn content_coding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_ENCODING)?;
    let is_identity = value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    (!is_identity && !value.is_empty()).then(|| shown(Some(value)))
}

/// The beginning of a header's value, for people.
fn shown(value: Option<&HeaderValue>) -> String {
    let text = value.map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    text.chars().take(MAX_SHOWN).collect()
}

/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

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
        FORM => MediaType::Form,
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
    use proptest::prelude::*;

    use super::*;

    fn outcome(headers: &[(&str, &str)], body: &[u8]) -> Result<Value, Error> {
        let named = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        let headers: HeaderMap = headers.iter().map(named).collect();
        parse(&Verified::was_verified_before(&headers, body)).map(|document| document.value)
    }

    fn read(content_type: Option<&str>, body: &[u8]) -> Result<Value, Code> {
        let headers = content_type.map(|value| ("content-type", value));
        outcome(headers.as_slice(), body).map_err(|error| error.code)
    }

    fn detail(name: &str, value: &str, body: &[u8]) -> (Code, String) {
        let error = outcome(&[(name, value)], body).expect_err("refused");
        (error.code, error.detail)
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
    fn the_content_type_that_was_sent_is_named() {
        let (code, text) = detail("content-type", "text/plain; charset=utf-8", b"{}");
        assert_eq!(code, Code::UnsupportedMediaType);
        assert!(text.ends_with("not as text/plain; charset=utf-8"), "{text}");
        let (code, text) = detail("content-type", FORM, br#"{"push_data": {}}"#);
        assert_eq!(code, Code::MalformedJson);
        assert!(text.contains("Content-Type: application/x-www-form-urlencoded"), "{text}");
        let (_, text) = detail("content-type", &"x".repeat(5_000), b"{}");
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn an_encoded_body_is_refused_by_the_name_of_its_coding() {
        for coding in ["gzip", "br", "GZIP", "gzip, identity"] {
            let (code, text) = detail("content-encoding", coding, b"{}");
            assert_eq!(code, Code::UnsupportedMediaType);
            assert!(text.ends_with(coding), "{text}");
        }
        for coding in ["identity", "Identity", ""] {
            assert_eq!(outcome(&[("content-encoding", coding)], b"{}").unwrap(), serde_json::json!({}));
        }
    }

    #[test]
    fn a_form_has_its_json_in_its_only_field() {
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(read(form, b"payload=%7B%22a%22%3A1%7D"), Ok(serde_json::json!({"a": 1})));
        for other in [
            b"payload=%7B%7D&other=x".as_slice(),
            b"other=x&payload=%7B%7D",
            b"payload=%7B%7D&payload=%7B%7D",
            b"other=%7B%7D",
            b"payload",
            b"",
            b"{}",
        ] {
            assert_eq!(read(form, other), Err(Code::MalformedJson));
        }
    }

    proptest! {
        /// A person who can only write a text within a JSON body cannot make the body a form too.
        #[test]
        fn a_json_text_is_no_form(title: String) {
            let title = format!("{title}&payload=%7B%22ref%22%3A%22refs%2Ftags%2Fv9%22%7D&x=");
            for body in [serde_json::json!({"title": title}), serde_json::json!([title])] {
                prop_assert!(read(Some(FORM), body.to_string().as_bytes()).is_err());
            }
        }
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
    fn a_body_has_a_limited_number_of_values() {
        let objects = |count: usize| format!("[{}]", vec![r#"{"":0}"#; count].join(","));
        assert!(read(None, objects(MAX_VALUES / 2 - 1).as_bytes()).is_ok());
        assert_eq!(read(None, objects(MAX_VALUES / 2 + 1).as_bytes()), Err(Code::BodyTooLarge));
        let text = serde_json::json!(r#"\"[{,"#.repeat(MAX_VALUES)).to_string();
        assert!(read(None, text.as_bytes()).is_ok(), "punctuation in a string");
    }

    #[test]
    fn of_a_repeated_member_the_last_counts() {
        assert_eq!(read(None, br#"{"a":1,"a":2}"#), Ok(serde_json::json!({"a": 2})));
    }
}
