//! How each service rejects a request that is not signed with a known access key.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::json;

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request has no signature.
    Missing,
    /// A part of the signature is missing or malformed.
    Incomplete,
    /// The access key is unknown.
    UnknownKey,
    /// The signature does not match.
    WrongSignature,
}

impl Refused {
    /// The error's name for DynamoDB and Secrets Manager, its code for SQS (the query protocol's), and its
    /// message.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Missing => (
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
            Self::Incomplete => (
                "IncompleteSignatureException",
                "IncompleteSignature",
                "The request signature does not conform to AWS standards.",
            ),
            Self::UnknownKey => (
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
            Self::WrongSignature => (
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method.",
            ),
        }
    }

    /// The response of a service: 400 from DynamoDB and Secrets Manager, 403 from SQS with the code of its
    /// query protocol in a header (each API reference, "Common Errors").
    pub(super) fn response(self, service: &str) -> Response {
        let (name, code, message) = self.words();
        if service == "sqs" {
            let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
            let headers = [
                (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.0".to_owned()),
                ("x-amzn-query-error", format!("{code};Sender")),
            ];
            return (StatusCode::FORBIDDEN, headers, body.to_string()).into_response();
        }
        let (media_type, name) = if service == "secretsmanager" {
            ("application/x-amz-json-1.1", name.to_owned())
        } else {
            ("application/x-amz-json-1.0", format!("com.amazon.coral.service#{name}"))
        };
        let body = json!({"__type": name, "message": message}).to_string();
        (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, media_type)], body).into_response()
    }
}
