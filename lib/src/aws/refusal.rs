//! A request that AWS did not serve: the facts of its answer, each for a log field of its own.
//!
//! AWS's text is kept without the values that it quotes from the request: the answer to an invalid request
//! may contain whole items ("1 validation error detected: Value '{…}' at 'requestItems' failed to satisfy
//! constraint").

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId as _;

use crate::domain::shared::text::cut;
use crate::error::{Error, causes};

/// How much of AWS's text is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 512;

/// A request that was not served. It is the cause of an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The service, as `DynamoDB`.
    pub service: &'static str,
    /// The operation, as `GetItem`.
    pub operation: &'static str,
    /// The name of the table, queue or secret.
    pub resource: String,
    /// AWS's name of the error, as `AccessDeniedException`.
    pub code: Option<String>,
    /// AWS's text, without the values that it quotes.
    pub message: Option<String>,
    /// The id by which AWS's support finds the request.
    pub request_id: Option<String>,
    /// Why there was no answer: a timeout, a broken connection.
    pub unanswered: Option<String>,
}

impl Refusal {
    /// The facts of an SDK's error.
    pub(crate) fn new<E>(
        service: &'static str,
        operation: &'static str,
        resource: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let is_answered = matches!(error, SdkError::ServiceError(_));
        Self {
            service,
            operation,
            resource: resource.to_owned(),
            code: error.code().map(str::to_owned),
            message: error.message().map(without_values),
            request_id: error.request_id().map(str::to_owned),
            unanswered: (!is_answered).then(|| causes(error)),
        }
    }

    /// The facts of one part of a batch request whose other parts were served.
    pub(crate) fn of_a_part(
        service: &'static str,
        operation: &'static str,
        resource: &str,
        code: &str,
        message: Option<&str>,
    ) -> Self {
        Self {
            service,
            operation,
            resource: resource.to_owned(),
            code: Some(code.to_owned()),
            message: message.map(without_values),
            request_id: None,
            unanswered: None,
        }
    }

    /// The refusal that caused an error, if one did.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, operation, resource, .. } = self;
        write!(f, "{service} {operation} {resource}")?;
        for part in [&self.code, &self.message, &self.unanswered].into_iter().flatten() {
            write!(f, ": {part}")?;
        }
        Ok(())
    }
}

impl StdError for Refusal {}

/// AWS's text without the values that it quotes, cut to [`MAX_MESSAGE_BYTES`].
fn without_values(message: &str) -> String {
    let quoted = message.split_once("Value ").and_then(|(before, rest)| {
        let ends = [("' at '", " at '"), (" for parameter ", " for parameter ")];
        let after = ends.into_iter().find_map(|(end, shown)| Some((shown, rest.rsplit_once(end)?.1)));
        after.map(|(shown, after)| format!("{before}Value …{shown}{after}"))
    });
    cut(quoted.as_deref().unwrap_or(message), MAX_MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_aws_quotes_of_a_request_are_left_out() {
        let quoting = "2 validation errors detected: Value '{core=[{\"secret\": \"' at '\"}]}' at 'requestItems' failed to \
            satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25]";
        let text = without_values(quoting);
        assert!(!text.contains("secret"), "{text}");
        assert!(text.starts_with("2 validation errors detected: Value … at 'requestItems' failed"), "{text}");
        assert_eq!(
            without_values("Value a-body for parameter MessageBody is invalid. Reason: too long"),
            "Value … for parameter MessageBody is invalid. Reason: too long"
        );
        let usual = "User: arn:aws:sts::0:assumed-role/r is not authorized to perform: dynamodb:GetItem on resource: t";
        assert_eq!(without_values(usual), usual);
        assert_eq!(without_values(&"é".repeat(400)).len(), MAX_MESSAGE_BYTES);
    }
}
