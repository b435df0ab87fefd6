//! The metric `Failures`, by function and version. Lambda's own `Errors` does not count an answer of 500, or
//! a message that is to be received again: both are a success to it
//! (docs/adr/0014-failures-and-log-levels.md).

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::Error;
use crate::metrics::Metrics;

/// Counts the failures of one function.
pub struct Failures {
    metrics: Metrics,
    function: String,
    version: String,
    clock: Arc<dyn Clock>,
}

impl Failures {
    /// The failures of a function, by the name and the version that Lambda gives it.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let text = |name: &str| environment.variable(name).unwrap_or_default().to_owned();
        Self {
            metrics: Metrics::of(environment),
            function: text("AWS_LAMBDA_FUNCTION_NAME"),
            version: text("AWS_LAMBDA_FUNCTION_VERSION"),
            clock: environment.clock(),
        }
    }

    /// Emits how many failures an invocation had, if any.
    pub fn record(&self, outcome: &Result<String, Error>) {
        let count = failures(outcome);
        if count == 0 {
            return;
        }
        self.metrics.count("Failures", count);
        let dimensions =
            [("FunctionName", self.function.as_str()), ("FunctionVersion", self.version.as_str())];
        self.metrics.emit(&dimensions, self.clock.now());
    }
}

/// The members of an answer that show failures, for every kind of event source.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    /// Of an HTTP function.
    status_code: u16,
    /// Of a function that a queue or a stream invokes.
    batch_item_failures: Vec<IgnoredAny>,
}

/// How many failures an outcome has: one for an error, one for an answer of 5xx, and one for each message
/// that is to be received again. A stream's answer names the first record only, so its batch has one.
fn failures(outcome: &Result<String, Error>) -> u64 {
    let Ok(answer) = outcome else { return 1 };
    let answer: Answer = serde_json::from_str(answer).unwrap_or_default();
    let again = u64::try_from(answer.batch_item_failures.len()).unwrap_or(u64::MAX);
    again.saturating_add(u64::from(answer.status_code >= 500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_answers_of_5xx_and_messages_to_be_received_again_are_failures() {
        let of = |answer: &str| failures(&Ok(answer.to_owned()));
        assert_eq!(of("null"), 0);
        assert_eq!(of(r#"{"statusCode": 200, "headers": {}, "body": "{\"statusCode\": 500}"}"#), 0);
        assert_eq!(of(r#"{"statusCode": 429}"#), 0);
        assert_eq!(of(r#"{"statusCode": 500, "body": null}"#), 1);
        assert_eq!(of(r#"{"statusCode": 503}"#), 1);
        assert_eq!(of(r#"{"batchItemFailures": []}"#), 0);
        assert_eq!(of(r#"{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}"#), 2);
        assert_eq!(failures(&Err(Error::fault("broken"))), 1);
    }
}
