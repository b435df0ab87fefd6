//! Questions about the shape of a body, by which a sender recognises its own.

use serde_json::Value;

use crate::domain::inbound::json;

/// Whether there is anything at a JSON pointer.
pub(super) fn has(body: &Value, pointer: &str) -> bool {
    body.pointer(pointer).is_some()
}

/// Whether there is this text at a JSON pointer.
pub(super) fn is(body: &Value, pointer: &str, text: &str) -> bool {
    json::text(body, pointer) == Some(text)
}

/// Whether there is a text at a JSON pointer that begins with this one.
pub(super) fn begins(body: &Value, pointer: &str, start: &str) -> bool {
    json::text(body, pointer).is_some_and(|text| text.starts_with(start))
}
