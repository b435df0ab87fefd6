//! What a service refuses for good: a message, an item, a batch for one of its entries.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::partial::LeftOut;

/// What is refused of a call.
pub(super) enum Refusal {
    /// Nothing.
    None,
    /// All of it, with this code.
    Whole(&'static str),
    /// Some entries of a batch: what remains of it, and how the answer names them.
    Entries(Bytes, LeftOut),
}

/// What is refused of a call because it holds this text.
pub(super) fn of(operation: &str, body: &Bytes, poison: &str) -> Refusal {
    let holds = |text: &str| text.contains(poison);
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
    let failed = |entry: &Value| json!({"Id": entry["Id"], "SenderFault": true, "Code": "InvalidMessageContents", "Message": "as asked"});
    let failed = refused.iter().map(failed).collect();
    Some(Refusal::Entries(Bytes::from(body.to_string()), ("Failed", failed)))
}
