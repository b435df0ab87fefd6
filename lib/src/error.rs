//! The crate's one error type: what happened and, by its kind, what to do about it.

mod code;

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

pub use self::code::Code;

/// What to do about an error. Each edge maps it once: to an HTTP status, or to a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: repeating it unchanged will not help.
    Invalid,
    /// The body has a media type that we do not read.
    UnsupportedMediaType,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller is authenticated and must not do this.
    Forbidden,
    /// There is no such resource, or it belongs to another tenant.
    NotFound,
    /// The resource exists, and does not have this method.
    MethodNotAllowed,
    /// The current state of the resource does not allow it.
    Conflict,
    /// The request is well-formed and its content is invalid: `errors` lists every mistake.
    Unprocessable,
    /// The request is too large.
    TooLarge,
    /// Too many requests; try again later.
    Limited,
    /// A dependency does not answer, or cannot now: try again later.
    Unavailable,
    /// A dependency refuses this one item or message for its content. It will never accept it, and accepts
    /// others.
    Refused,
    /// A bug, or a wrong deployment.
    Fault,
}

impl Kind {
    /// Its stable name. Lambda gets it as the type of a function's error.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Unauthenticated => "Unauthenticated",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::Conflict => "Conflict",
            Self::Unprocessable => "Unprocessable",
            Self::TooLarge => "TooLarge",
            Self::Limited => "Limited",
            Self::Unavailable => "Unavailable",
            Self::Refused => "Refused",
            Self::Fault => "Fault",
        }
    }
}

/// One mistake in a request.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Mistake"))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The path of the member, as in `retryPolicy.maxRetries` or `events[2]`.
    pub field: String,
    /// What is wrong with it, for people.
    pub message: String,
}

/// An error. `detail` is constant text without secrets or bodies; `subject` names what it is about.
#[derive(Debug)]
pub struct Error {
    /// What to do about it.
    pub kind: Kind,
    /// What it is, for programs.
    pub code: Code,
    /// What happened, for people.
    pub detail: String,
    /// Every mistake of the request, if the error is about its content.
    pub errors: Vec<FieldError>,
    /// The variable, operation or resource that it is about, for the log.
    pub subject: Option<String>,
    /// After how many seconds the request can be repeated.
    pub retry_after_seconds: Option<u32>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with its stable code and a text for people.
    #[must_use]
    pub fn new(kind: Kind, code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            subject: None,
            retry_after_seconds: None,
            source: None,
        }
    }

    /// A bug, or a wrong deployment.
    #[must_use]
    pub fn fault(detail: impl Into<String>) -> Self {
        Self::new(Kind::Fault, Code::InternalError, detail)
    }

    /// An item or message that a dependency refuses for its content.
    #[must_use]
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(Kind::Refused, Code::Refused, detail)
    }

    /// A dependency that does not answer. The request can be repeated after 5 seconds.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::Unavailable, Code::Unavailable, detail);
        error.retry_after_seconds = Some(5);
        error
    }

    /// Too many requests. The next is accepted after this many seconds.
    #[must_use]
    pub fn limited(detail: impl Into<String>, seconds: u32) -> Self {
        let mut error = Self::new(Kind::Limited, Code::RateLimited, detail);
        error.retry_after_seconds = Some(seconds);
        error
    }

    /// An unknown id, or one of another tenant. The caller cannot distinguish the two.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, Code::NotFound, "No such resource")
    }

    /// A request whose content has mistakes.
    #[must_use]
    pub fn unprocessable(errors: Vec<FieldError>) -> Self {
        let mut error = Self::new(
            Kind::Unprocessable,
            Code::ValidationFailed,
            "The request has mistakes; each is listed in errors",
        );
        error.errors = errors;
        error
    }

    /// A request whose form or query has mistakes.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut error = Self::new(
            Kind::Invalid,
            Code::InvalidRequest,
            "The request has mistakes; each is listed in errors",
        );
        error.errors = errors;
        error
    }

    /// Names what the error is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether a repetition may succeed without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Limited)
    }
}

/// An error with the chain of its causes, in one line.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(subject) = &self.subject {
            write!(f, " ({subject})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
