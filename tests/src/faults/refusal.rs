//! Rejections by content, as AWS rejects invalid input: a message, an item, or single entries of a batch.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::partial::LeftOut;

/// Which part of a call is rejected.
pub(super) enum Refusal {
    /// No part.
    None,
    /// The whole call, with this error code.
    Whole(&'static str),
    /// Some entries of a batch: the remaining batch, and the member of the response that names the rejected
    /// ones.
    Entries(Bytes, LeftOut),
}

/// Which part of a call is rejected because it contains `rejected`.
pub(super) fn of(operation: &str, body: &Bytes, rejected: &str) -> Refusal {
    let holds = |text: &str| text.contains(rejected);
    if !holds(&String::from_utf8_lossy(body)) {
        return Refusal::None;
    }
    match operation {
        "SendMessage" => Refusal::Whole("InvalidMessageContents"),
        "SendMessageBatch" => entries(body, |entry| holds(&entry.to_string())).unwrap_or(Refusal::None),
        "PutItem" | "UpdateItem" | "BatchWriteItem" | "TransactWriteItems" => {
            Refusal::Whole("ValidationException")
        }
        _ => Refusal::None,
    }
}

fn entries(body: &Bytes, is_refused: impl Fn(&Value) -> bool) -> Option<Refusal> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let all = body.get_mut("Entries")?.as_array_mut()?;
    let (refused, taken): (Vec<Value>, Vec<Value>) = all.drain(..).partition(is_refused);
    if taken.is_empty() {
        return Some(Refusal::Whole("InvalidMessageContents"));
    }
    *all = taken;
    let failed = |entry: &Value| json!({"Id": entry["Id"], "SenderFault": true, "Code": "InvalidMessageContents", "Message": "injected fault"});
    let failed = refused.iter().map(failed).collect();
    Some(Refusal::Entries(Bytes::from(body.to_string()), ("Failed", failed)))
}
