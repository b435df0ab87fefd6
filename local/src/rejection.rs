//! Answers to requests that the HTTP API rejects before they reach a function: problem documents, like those
//! of the functions.

use axum::response::{IntoResponse as _, Response};
use sam_local::Rejection;
use stella::error::{Code, Error, Kind};

pub(crate) fn reject(rejection: Rejection) -> Response {
    let error = match rejection {
        Rejection::UnknownHost => {
            let text = "This stack answers to 127.0.0.1, [::1] and localhost; other names are given with --allow-host";
            Error::new(Kind::Forbidden, Code::UnknownHost, text)
        }
        Rejection::BodyTooLarge => {
            let text =
                "The body is larger than Lambda can be invoked with: 6291456 bytes, escaped or in base64";
            Error::new(Kind::TooLarge, Code::BodyTooLarge, text)
        }
    };
    error.into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn rejections_are_problem_documents() {
        for (rejection, status, code) in
            [(Rejection::UnknownHost, 403, "unknown_host"), (Rejection::BodyTooLarge, 413, "body_too_large")]
        {
            let response = reject(rejection);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["code"], code);
        }
    }
}
