//! Errors as problem documents (RFC 9457): the mapping from our errors to HTTP.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Error, Kind};

impl Kind {
    /// The HTTP status of an error of this kind.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Limited => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused | Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The error behind an answer of 5xx, among the response's extensions.
#[derive(Clone)]
pub(super) struct ServerError(pub(super) Arc<Error>);

impl IntoResponse for Error {
    /// The problem document. The detail of a 5xx is not in it: [`serve`](super::gateway::serve) logs it.
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let mut problem = json!({
            "type": format!("urn:stella:problem:{}", self.code),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": self.code,
            "success": false,
        });
        if let Some(members) = problem.as_object_mut() {
            if !status.is_server_error() {
                members.insert("detail".to_owned(), json!(self.detail));
            }
            if !self.errors.is_empty() {
                members.insert("errors".to_owned(), json!(self.errors));
            }
        }
        let mut response = (status, problem.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status.is_server_error() {
            response.extensions_mut().insert(ServerError(Arc::new(self)));
        }
        response
    }
}
