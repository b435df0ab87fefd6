//! What the HTTP functions share: answers, problems, paging, who calls.

pub mod caller;
pub mod gateway;
pub mod idempotency;
pub mod problem;
pub mod request;
pub mod tokens;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::store::Page;

/// A successful answer with one thing in it.
#[must_use]
pub fn data(status: StatusCode, data: &Value) -> Response {
    (status, Json(json!({"success": true, "data": data}))).into_response()
}

/// A successful answer with a page of a list, each row as `view` shows it.
#[must_use]
pub fn page<T>(page: &Page<T>, view: impl Fn(&T) -> Value) -> Response {
    let rows: Vec<Value> = page.items.iter().map(view).collect();
    Json(json!({"success": true, "data": rows, "pagination": page.pagination})).into_response()
}
