//! Logging of errors: once, where an error becomes an answer or is recovered from, with each fact in a field
//! of its own.

use crate::aws::refusal::Refusal;
use crate::error::{Error, causes};

/// The facts of an error, as fields of a log line. [`log_error`](crate::log_error) writes them.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The error's stable name.
    pub code: &'static str,
    /// What happened, and what it is about.
    pub detail: String,
    /// The underlying error, if AWS's answer does not contain it.
    pub cause: Option<String>,
    /// AWS's answer, if AWS caused the error.
    pub aws: Option<&'a Refusal>,
}

impl<'a> Facts<'a> {
    /// The facts of an error.
    #[must_use]
    pub fn of(error: &'a Error) -> Self {
        let aws = Refusal::of(error);
        let cause = match aws {
            Some(refusal) => refusal.unanswered.clone(),
            None => std::error::Error::source(error).map(causes),
        };
        Self { code: error.code.name(), detail: error.to_string(), cause, aws }
    }
}

/// Used by [`log_error!`](crate::log_error), so that its callers need not depend on tracing.
#[doc(hidden)]
pub use tracing;

/// Logs an error: `log_error!(WARN, error, "a receipt was not written", receipt.id = %id)`.
#[macro_export]
macro_rules! log_error {
    ($level:ident, $error:expr, $message:literal $(, $($field:tt)+)?) => {{
        let facts = $crate::log::Facts::of(&$error);
        $crate::log::tracing::event!(
            $crate::log::tracing::Level::$level,
            $($($field)+,)?
            error.code = facts.code,
            error.detail = facts.detail,
            error.cause = facts.cause,
            aws.service = facts.aws.map(|aws| aws.service),
            aws.operation = facts.aws.map(|aws| aws.operation),
            aws.resource = facts.aws.map(|aws| aws.resource.as_str()),
            aws.code = facts.aws.and_then(|aws| aws.code.as_deref()),
            aws.message = facts.aws.and_then(|aws| aws.message.as_deref()),
            aws.request_id = facts.aws.and_then(|aws| aws.request_id.as_deref()),
            $message
        );
    }};
}
