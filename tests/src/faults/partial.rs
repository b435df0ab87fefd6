//! Batches that fail in part: the first half takes effect, and the response names the rest, as AWS does.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// The entries left out of a batch: the member of the response that names them, and its value.
pub(super) type LeftOut = (&'static str, Value);

/// The first half of a batch, and the rest as the response names it. `None` for other calls and for batches
/// of one.
pub(super) fn split(operation: &str, body: &Bytes) -> Option<(Bytes, LeftOut)> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let left_out = match operation {
        "SendMessageBatch" => {
            let rest = second_half(body.get_mut("Entries")?.as_array_mut()?)?;
            let failed = |entry: &Value| json!({"Id": entry["Id"], "SenderFault": false, "Code": "InternalError", "Message": "injected fault"});
            ("Failed", rest.iter().map(failed).collect())
        }
        "BatchWriteItem" => {
            let tables = body.get_mut("RequestItems")?.as_object_mut()?;
            let (table, entries) = tables.iter_mut().next()?;
            let rest = second_half(entries.as_array_mut()?)?;
            ("UnprocessedItems", json!({table: rest}))
        }
        "BatchGetItem" => {
            let tables = body.get_mut("RequestItems")?.as_object_mut()?;
            let (table, keys) = tables.iter_mut().next()?;
            let rest = second_half(keys.get_mut("Keys")?.as_array_mut()?)?;
            let mut unread: Map<String, Value> = keys.as_object()?.clone();
            unread.insert("Keys".to_owned(), Value::Array(rest));
            ("UnprocessedKeys", json!({table: unread}))
        }
        _ => return None,
    };
    Some((Bytes::from(body.to_string()), left_out))
}

/// Removes the second half of a list. `None` if it has fewer than two entries.
fn second_half(list: &mut Vec<Value>) -> Option<Vec<Value>> {
    (list.len() > 1).then(|| list.split_off(list.len() / 2))
}

/// The response to the first half, with the entries left out added.
pub(super) fn joined(answer: &Bytes, left_out: Option<LeftOut>) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(answer) else { return answer.clone() };
    if let (Some(members), Some((name, value))) = (answer.as_object_mut(), left_out) {
        members.insert(name.to_owned(), value);
    }
    Bytes::from(answer.to_string())
}
