//! Requests that services at an address rejected, wholly or in part.

use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use serde_json::Value;

/// A request that was rejected, or some entries of its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The access key of the caller; a function's is its logical id.
    pub caller: String,
    /// The operation, as in `PutItem`.
    pub operation: String,
    /// The error's name, as in `ConditionalCheckFailedException`, or the status if it has no name.
    pub code: String,
    /// The error's message.
    pub message: String,
    /// The request's body.
    pub request: String,
}

/// All rejected requests so far. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Vec<Refusal>>>);

impl Refusals {
    /// The rejected requests, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records and logs one.
    pub(super) fn record(&self, refusal: Refusal) {
        tracing::info!(
            function.name = refusal.caller,
            operation = refusal.operation,
            error.code = refusal.code,
            error.detail = refusal.message,
            "a service elsewhere refused a request"
        );
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
    }
}

/// The code and message of an answer that rejects its request, or entries of its batch.
pub(super) fn refusal(status: StatusCode, answer: &Value) -> Option<(String, String)> {
    let text = |value: &Value, names: [&str; 2]| {
        let found = names.iter().find_map(|name| value.get(*name)).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    if !status.is_success() {
        let code = text(answer, ["__type", "code"]);
        let name = code.rsplit('#').next().unwrap_or_default();
        let code = if name.is_empty() { status.as_u16().to_string() } else { name.to_owned() };
        return Some((code, text(answer, ["message", "Message"])));
    }
    if let Some(entry) = answer.get("Failed").and_then(Value::as_array).and_then(|failed| failed.first()) {
        return Some((text(entry, ["Code", "code"]), text(entry, ["Message", "message"])));
    }
    let left_out = ["UnprocessedItems", "UnprocessedKeys"]
        .into_iter()
        .find(|name| answer.get(*name).and_then(Value::as_object).is_some_and(|tables| !tables.is_empty()))?;
    Some((left_out.to_owned(), answer.get(left_out).map(ToString::to_string).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rejections_and_partial_failures_are_recognised() {
        let of = |status: u16, answer: Value| refusal(StatusCode::from_u16(status).unwrap(), &answer);
        let some = |code: &str, message: &str| Some((code.to_owned(), message.to_owned()));
        assert_eq!(
            of(400, json!({"__type": "com.amazonaws#ValidationException", "message": "no"})),
            some("ValidationException", "no")
        );
        assert_eq!(of(404, json!({"__type": "Absent", "Message": "no"})), some("Absent", "no"));
        assert_eq!(of(500, Value::Null), some("500", ""));
        assert_eq!(of(200, json!({"Item": {}})), None);
        assert_eq!(of(200, json!({"Failed": [], "Successful": []})), None);
        assert_eq!(
            of(200, json!({"Failed": [{"Id": "0", "Code": "TooLong", "Message": "m"}]})),
            some("TooLong", "m")
        );
        assert_eq!(of(200, json!({"UnprocessedItems": {}})), None);
        assert_eq!(of(200, json!({"UnprocessedKeys": {"t": 1}})), some("UnprocessedKeys", r#"{"t":1}"#));
    }
}
