//! Why the stack cannot start, or one of its services cannot do what was asked.

use std::error::Error as StdError;
use std::fmt;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another process uses the data directory.
    DataDirInUse,
    /// The port of the HTTP API is in use, or cannot be listened on.
    PortInUse,
    /// The template has something that this crate does not support, or is wrong.
    InvalidTemplate,
    /// An event pattern has a rule that this crate does not support.
    UnsupportedPattern,
    /// A service would reject the request.
    InvalidRequest,
    /// The table, queue or secret does not exist.
    NotFound,
    /// A service at [`Settings::aws_endpoint`](crate::Settings::aws_endpoint) did not answer.
    Unavailable,
    /// Anything else: a failure of the disk, of the embedded engine, or of a function as it started.
    Fault,
}

/// What happened, what it is about, and what caused it.
#[derive(Debug)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub detail: String,
    /// What it is about: a place in the template, a file, a table, a queue.
    pub subject: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), subject: None, source: None }
    }

    pub(crate) fn fault(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fault, detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, detail)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "No such resource")
    }

    pub(crate) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
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

/// The causes of an error in one line, if it has any.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}
