//! Errors as problem documents (RFC 9457): the mapping from our errors to HTTP.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{Code, Error, FieldError, Kind};

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

/// A problem document (RFC 9457).
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Serialize)]
pub struct Problem {
    /// A stable name for this kind of problem: `urn:stella:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'static str,
    /// The status code of the answer.
    #[cfg_attr(feature = "schema", schemars(range(min = 400, max = 599)))]
    pub status: u16,
    /// What went wrong, for programs.
    pub code: Code,
    /// Always `false`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = false)))]
    pub success: bool,
    /// What went wrong, for people. Absent for failures of the service itself (5xx).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every mistake in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl IntoResponse for Error {
    /// The problem document. The detail of a 5xx is not in it: [`serve`](super::gateway::serve) logs it.
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let problem = Problem {
            kind: format!("urn:stella:problem:{}", self.code),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code,
            success: false,
            detail: Some(self.detail.clone()).filter(|_| !status.is_server_error()),
            errors: self.errors.clone(),
        };
        let mut response = (status, Json(problem)).into_response();
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
