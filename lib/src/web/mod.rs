//! Shared by the HTTP functions: answers, problem documents, paging, authentication.

pub mod authenticator;
pub mod caller;
pub mod gateway;
pub mod idempotency;
pub mod problem;
pub mod request;
pub mod request_labels;
pub mod tokens;

use axum::Json;
use axum::http::header::ALLOW;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::shared::answer_size::Room;
use crate::error::{Code, Error, Kind};
use crate::store::{Page, Pagination};

/// The answer to a request below `/api/v1/webhooks` that no sender makes. It depends on the method alone, so
/// it does not tell whether there is such an address.
#[must_use]
pub fn no_address(method: &Method) -> Response {
    if [Method::POST, Method::OPTIONS].contains(method) {
        return Error::not_found().into_response();
    }
    let error = Error::new(Kind::MethodNotAllowed, Code::MethodNotAllowed, "Webhooks are posted");
    ([(ALLOW, "POST, OPTIONS")], error).into_response()
}

/// A successful answer with one resource.
#[must_use]
pub fn data(status: StatusCode, data: &impl Serialize) -> Response {
    (status, Json(Success { success: true, data })).into_response()
}

#[derive(Serialize)]
struct Success<'a, T> {
    success: bool,
    data: &'a T,
}

/// The JSON of a page.
#[derive(Serialize)]
struct Listed<'a> {
    success: bool,
    data: &'a [Box<RawValue>],
    pagination: Pagination,
}

/// A successful answer with a page of a list, each row as `view` shows it. The page ends before the answer
/// becomes too large; its cursor leads to the rest.
///
/// # Errors
/// `Fault` if a row cannot be serialised.
pub fn page<'a, T, V: Serialize>(page: &'a Page<T>, view: impl Fn(&'a T) -> V) -> Result<Response, Error> {
    let mut room = Room::default();
    let mut rows = Vec::with_capacity(page.items.len());
    for item in &page.items {
        let row = to_raw_value(&view(item));
        let row = row.map_err(|error| Error::fault("a row cannot be written").caused_by(error))?;
        if !room.takes(row.get()) && !rows.is_empty() {
            break;
        }
        rows.push(row);
    }
    let pagination = page.cut_behind(rows.len());
    Ok(Json(Listed { success: true, data: &rows, pagination }).into_response())
}
