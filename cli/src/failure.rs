//! What goes wrong, said so that whoever reads it knows what to do.

use std::fmt;
use std::process::ExitCode;

use serde_json::Value;

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody answered at this address.
    Unreachable { url: String, cause: String },
    /// The server refused, with a problem document.
    Refused(Value),
    /// The command was not given what it needs.
    Usage(String),
    /// What was looked at is not as it should be; it was shown already.
    NotWell,
    /// Nothing can be shown.
    Screen(std::io::Error),
}

impl Failure {
    /// 2 where the caller is to mend it, 1 otherwise.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Unreachable { .. } | Self::Refused(_) | Self::NotWell | Self::Screen(_) => {
                ExitCode::FAILURE
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Screen(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { url, cause } => write!(
                f,
                "nobody answers at {url}: {cause}\n  Is it the right address? `--url`, STELLA_URL or `stella login` \
                 say it; `make run` starts a stack on this machine."
            ),
            Self::Refused(problem) => refused(problem, f),
            Self::Usage(text) => f.write_str(text),
            Self::NotWell => f.write_str("not everything is well"),
            Self::Screen(error) => write!(f, "nothing can be shown: {error}"),
        }
    }
}

fn refused(problem: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let said = text("detail").or_else(|| text("title")).unwrap_or("the server refused");
    write!(f, "{said} ({})", text("code").unwrap_or("no code"))?;
    for mistake in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| mistake.get(name).and_then(Value::as_str).unwrap_or_default();
        write!(f, "\n  {} {}", part("field"), part("message"))?;
    }
    let hint = match text("code") {
        Some("unauthenticated") => "`--key`, STELLA_KEY or `stella login` say the key.",
        Some("forbidden") => {
            "This key's role may not do it: an admin's may, and some things only the operator's."
        }
        Some("not_found") => "An id of another tenant is as unknown as any.",
        Some("subscription_disabled") => "`stella subscriptions enable <id>` enables it.",
        _ => return Ok(()),
    };
    write!(f, "\n  {hint}")
}
