//! Why a command failed, and what the user can do about it.

use std::fmt;
use std::process::ExitCode;

use serde_json::Value;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request got no response.
    Unreachable { url: String, cause: String },
    /// The server answered with this problem document.
    Refused(Value),
    /// A webhook config did not authenticate the request of `stella send`.
    SenderRefused(Value),
    /// An argument is missing or invalid.
    Usage(String),
    /// Some checks failed; each was printed already.
    ChecksFailed { failed: usize, total: usize },
    /// A test delivery failed; its outcome was printed already.
    TestFailed,
    /// The output cannot be written.
    Output(std::io::Error),
}

impl Failure {
    /// 2 for a wrong invocation, 1 for every other failure.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Unreachable { .. }
            | Self::Refused(_)
            | Self::SenderRefused(_)
            | Self::ChecksFailed { .. }
            | Self::TestFailed
            | Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { url, cause } => write!(
                f,
                "no response from {url}: {cause}\n  Set the server URL with `--url`, STELLA_URL or `stella login`; \
                 `make run` starts a local stack."
            ),
            Self::Refused(problem) => {
                write_problem(problem, f)?;
                hint(problem).map_or(Ok(()), |hint| write!(f, "\n  {hint}"))
            }
            Self::SenderRefused(problem) => {
                write_problem(problem, f)?;
                f.write_str("\n  Check `--secret`, or `--token` if the config's URL ends in a token.")
            }
            Self::Usage(text) => f.write_str(text),
            Self::ChecksFailed { failed, total } => write!(f, "{failed} of {total} checks failed"),
            Self::TestFailed => f.write_str("the test delivery failed"),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

/// Writes a problem document, each invalid field on a line of its own.
fn write_problem(problem: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let detail = text("detail").or_else(|| text("title")).unwrap_or("the server refused the request");
    write!(f, "{detail} ({})", text("code").unwrap_or("no code"))?;
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let member = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        write!(f, "\n  {} {}", member("field"), member("message"))?;
    }
    Ok(())
}

/// What the user can do about a problem of the API.
fn hint(problem: &Value) -> Option<&'static str> {
    match problem.get("code").and_then(Value::as_str)? {
        "unauthenticated" => Some("Set the API key with `--key`, STELLA_KEY or `stella login`."),
        "forbidden" => Some("The key's role does not allow this: use an admin's or the operator's key."),
        "not_found" => Some("Check the id: it must belong to the key's tenant."),
        "subscription_disabled" => Some("Enable it with `stella subscriptions enable <id>`."),
        _ => None,
    }
}
