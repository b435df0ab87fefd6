//! Our one error: what happened, and by its kind what to do about it.

mod code;

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

pub use self::code::Code;

/// What the one who gets the error should do; each edge maps it once (to a status, or to a retry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong; repeating it as it is will not help.
    Invalid,
    /// The body is not of a media type that we read.
    UnsupportedMediaType,
    /// Who calls is not known.
    Unauthenticated,
    /// Who calls is known and may not do this.
    Forbidden,
    /// There is no such thing, or it is another tenant's.
    NotFound,
    /// There is such a thing, and this method is not for it.
    MethodNotAllowed,
    /// The thing's present state does not allow it.
    Conflict,
    /// The request is well-formed and its content is not acceptable; `errors` names every mistake.
    Unprocessable,
    /// The request is too large.
    TooLarge,
    /// Too many requests; try again later.
    Limited,
    /// Something that we depend on is out of order; try again later.
    Unavailable,
    /// A dependency refuses this one item or message for what it holds: it never takes it, and others it takes.
    Refused,
    /// We made a mistake.
    Fault,
}

impl Kind {
    /// Its name, which stays the same: what tells errors apart that a function returns to Lambda.
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

/// One mistake in a request: where it is and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The member's path, as in `retryPolicy.maxRetries`.
    pub field: String,
    /// What is wrong with it, for a person.
    pub message: String,
}

/// What happened. `detail` is constant text without secrets or bodies; `subject` names the thing.
#[derive(Debug)]
pub struct Error {
    /// What to do about it.
    pub kind: Kind,
    /// What it is, for programs.
    pub code: Code,
    /// What happened, for a person.
    pub detail: String,
    /// Every mistake of the request, where it is about the request's content.
    pub errors: Vec<FieldError>,
    /// What it is about, for the log: a variable, an operation, a resource.
    pub subject: Option<String>,
    /// After how many seconds a repetition makes sense.
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

    /// Our own mistake, or something that cannot happen.
    #[must_use]
    pub fn fault(detail: impl Into<String>) -> Self {
        Self::new(Kind::Fault, Code::InternalError, detail)
    }

    /// Something that a dependency refuses for good, and only this.
    #[must_use]
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(Kind::Refused, Code::Refused, detail)
    }

    /// A dependency out of order.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut error = Self::new(Kind::Unavailable, Code::Unavailable, detail);
        error.retry_after_seconds = Some(5);
        error
    }

    /// Too many requests; one may come again after so many seconds.
    #[must_use]
    pub fn limited(detail: impl Into<String>, seconds: u32) -> Self {
        let mut error = Self::new(Kind::Limited, Code::RateLimited, detail);
        error.retry_after_seconds = Some(seconds);
        error
    }

    /// An unknown id, or another tenant's: the two look the same.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, Code::NotFound, "No such resource")
    }

    /// A request whose content has mistakes, all of them.
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

    /// A request whose form or query has mistakes, all of them.
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

    /// Keeps what caused it, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same act may succeed later without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Limited)
    }
}

/// An error with what caused it, and what caused that, in one line.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
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
