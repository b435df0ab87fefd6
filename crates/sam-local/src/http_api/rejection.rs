//! Requests that are rejected before they reach a function.

use axum::response::Response;
use http::StatusCode;

use super::answer::own;

/// Why a request was rejected before it reached a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// `Host` names neither this machine nor one of
    /// [`Settings::allow_hosts`](crate::Settings::allow_hosts).
    UnknownHost,
    /// The body makes an event that is larger than a function can be invoked with (6 291 456 bytes).
    BodyTooLarge,
}

/// Answers as API Gateway does: 403 and 413, each with a message.
pub(crate) fn reject(rejection: Rejection) -> Response {
    match rejection {
        Rejection::UnknownHost => own(StatusCode::FORBIDDEN, "Forbidden"),
        Rejection::BodyTooLarge => own(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
    }
}
