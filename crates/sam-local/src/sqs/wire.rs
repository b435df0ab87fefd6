//! Errors, digests, names and limits of SQS on the wire (AWS JSON 1.0, query-compatible).

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};
use crate::json::text;

/// The largest message and the largest batch, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// The account id of a stack.
pub(super) const ACCOUNT: &str = "000000000000";

/// An error: its shape's name, its code in the query protocol, which some SDKs read, and its message.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) shape: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(shape: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { shape, code, message: message.into() }
    }

    pub(super) fn no_queue() -> Self {
        Self::new(
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", "InvalidParameterValue", message)
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::new(
            "MissingParameter",
            "MissingParameter",
            format!("The request must contain the parameter {name}."),
        )
    }

    pub(super) fn unsupported(operation: &str) -> Self {
        Self::new(
            "UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            format!("The local endpoint does not know the operation {operation}."),
        )
    }

    pub(super) fn handle() -> Self {
        Self::new("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    }

    pub(super) fn entry(&self, id: &str) -> Value {
        json!({"Id": id, "Code": self.code, "Message": self.message, "SenderFault": self.code != "InternalError"})
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(error = %error, "the queues' store failed");
        Self::new("InternalError", "InternalError", "The queues' store failed")
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.shape {
            "QueueDoesNotExist" => Self::not_found(),
            "InternalError" => Self::fault(refusal.message),
            _ => Self::new(ErrorKind::InvalidRequest, refusal.message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, fault) = if self.code == "InternalError" {
            (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
        } else {
            (StatusCode::BAD_REQUEST, "Sender")
        };
        let body = json!({"__type": format!("com.amazonaws.sqs#{}", self.shape), "message": self.message});
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.0".to_owned()),
            ("x-amzn-query-error", format!("{};{fault}", self.code)),
        ];
        (status, headers, body.to_string()).into_response()
    }
}

/// The MD5 of a body in hex.
pub(super) fn md5(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// The MD5 of message attributes as SQS computes it: ordered by name, each part after its length.
pub(super) fn md5_of_attributes(attributes: &Map<String, Value>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut digest = Md5::new();
    let mut part = |bytes: &[u8], kind: Option<u8>| {
        if let Some(kind) = kind {
            digest.update([kind]);
        }
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for name in names {
        let Some(attribute) = attributes.get(name) else { continue };
        part(name.as_bytes(), None);
        part(text(attribute, "DataType").as_bytes(), None);
        match attribute.get("BinaryValue").and_then(Value::as_str) {
            Some(binary) => part(&decode(binary), Some(2)),
            None => part(text(attribute, "StringValue").as_bytes(), Some(1)),
        }
    }
    Some(hex::encode(digest.finalize()))
}

/// The size of a message in bytes: its body and the names, types and values of its attributes.
pub(super) fn size(body: &str, attributes: &Map<String, Value>) -> usize {
    attributes.iter().fold(body.len(), |sum, (name, attribute)| {
        let value = match attribute.get("BinaryValue").and_then(Value::as_str) {
            Some(binary) => decode(binary).len(),
            None => text(attribute, "StringValue").len(),
        };
        sum.saturating_add(name.len()).saturating_add(text(attribute, "DataType").len()).saturating_add(value)
    })
}

/// Checks message attributes: their number, names, types and values.
pub(super) fn check_attributes(attributes: &Map<String, Value>) -> Result<(), Refusal> {
    if attributes.len() > 10 {
        return Err(Refusal::parameter("Number of message attributes exceeds the allowed maximum [10]."));
    }
    for (name, attribute) in attributes {
        let member = match text(attribute, "DataType").split('.').next() {
            Some("String" | "Number") => "StringValue",
            Some("Binary") => "BinaryValue",
            _ => return Err(Refusal::parameter(format!("The message attribute {name} has no known type."))),
        };
        let value = text(attribute, member);
        let kind = text(attribute, "DataType");
        if !is_attribute_name(name) || kind.len() > 256 || value.is_empty() || !is_acceptable(value) {
            return Err(Refusal::parameter(format!("The message attribute {name} is invalid.")));
        }
    }
    Ok(())
}

/// Whether this is a valid name ("Amazon SQS message attributes", "Message attribute components").
fn is_attribute_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.chars().all(letter)
        && !["aws.", "amazon."].iter().any(|reserved| lower.starts_with(reserved))
        && !(name.starts_with('.') || name.ends_with('.') || name.contains(".."))
}

/// The name of the queue in a request's `QueueUrl`: its last segment.
pub(super) fn queue_name(request: &Value) -> Result<&str, Refusal> {
    let name = text(request, "QueueUrl").rsplit('/').next().unwrap_or_default();
    if name.is_empty() { Err(Refusal::missing("QueueUrl")) } else { Ok(name) }
}

/// Whether a body has only characters that SQS accepts: those of XML 1.0.
pub(super) fn is_acceptable(body: &str) -> bool {
    body.chars().all(|c| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    })
}

/// A map member; empty if it is absent.
pub(super) fn map(value: &Value, name: &str) -> Map<String, Value> {
    value.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// A whole number from 0 to `most`; `None` if it is absent.
pub(super) fn number(value: &Value, name: &str, most: i64) -> Result<Option<i64>, Refusal> {
    bounded(value, name, 0, most)
}

/// A whole number from 1 to `most`; `None` if it is absent.
pub(super) fn count(value: &Value, name: &str, most: i64) -> Result<Option<usize>, Refusal> {
    Ok(bounded(value, name, 1, most)?.and_then(|count| usize::try_from(count).ok()))
}

fn bounded(value: &Value, name: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(given) => match given.as_i64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Refusal::parameter(format!(
                "Value {given} for parameter {name} is invalid. Reason: Must be between {least} and {most}."
            ))),
        },
    }
}

/// The message id and receipt in a receipt handle.
pub(super) fn handle(text: &str) -> Result<(i64, &str), Refusal> {
    let (id, receipt) = text.split_once('.').ok_or_else(Refusal::handle)?;
    Ok((id.parse().map_err(|_| Refusal::handle())?, receipt))
}

/// The entries of a batch with their ids: one to ten, with distinct ids.
pub(super) fn entries(request: &Value) -> Result<Vec<(&str, &Value)>, Refusal> {
    let refuse = |shape, code, message: &str| Err(Refusal::new(shape, code, message));
    let entries: Vec<(&str, &Value)> = request
        .get("Entries")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|entry| (text(entry, "Id"), entry))
        .collect();
    if entries.is_empty() {
        let code = "AWS.SimpleQueueService.EmptyBatchRequest";
        return refuse("EmptyBatchRequest", code, "There should be at least one entry in the request.");
    }
    if entries.len() > 10 {
        let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
        return refuse("TooManyEntriesInBatchRequest", code, "Maximum number of entries per request is 10.");
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !entries.iter().all(|(id, _)| (1..=80).contains(&id.len()) && id.chars().all(letter)) {
        let code = "AWS.SimpleQueueService.InvalidBatchEntryId";
        return refuse(
            "InvalidBatchEntryId",
            code,
            "An id has 1 to 80 letters, digits, hyphens, underscores.",
        );
    }
    if entries.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() < entries.len() {
        let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
        return refuse("BatchEntryIdsNotDistinct", code, "Two or more batch entries have the same Id.");
    }
    Ok(entries)
}

fn decode(binary: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(binary).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_rejected() {
        assert!(is_acceptable("a\t\n✓"));
        assert!(!is_acceptable("a\u{0}"));
    }

    #[test]
    fn the_digest_of_attributes_is_computed_as_by_sqs() {
        let attributes = json!({
            "n": {"DataType": "Number", "StringValue": "42"},
            "b": {"DataType": "Binary", "BinaryValue": "AAH/"},
        });
        let mut bytes = Vec::new();
        for part in [&b"b"[..], b"Binary", b"\x02", &[0, 1, 255], b"n", b"Number", b"\x01", b"42"] {
            if part != b"\x01" && part != b"\x02" {
                bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            }
            bytes.extend(part);
        }
        assert_eq!(md5_of_attributes(attributes.as_object().unwrap()), Some(md5(&bytes)));
        assert_eq!(md5_of_attributes(&Map::new()), None);
    }

    #[test]
    fn the_size_of_a_message_includes_its_attributes() {
        let attributes = json!({"k": {"DataType": "String", "StringValue": "vv"}});
        assert_eq!(size("abc", attributes.as_object().unwrap()), 3 + 1 + 6 + 2);
    }
}
