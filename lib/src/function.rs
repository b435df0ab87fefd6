//! A function: it takes an event as JSON and returns an answer as JSON, before a deadline.
//!
//! On Lambda the runtime's loop calls it; in the local stack, the emulator calls the same value.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::value::RawValue;

use crate::environment::Environment;
use crate::error::Error;
use crate::failures::Failures;
use crate::log_error;

/// A function's future answer, as JSON text.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'a>>;

/// The future of [`Function::finish`].
pub type Finish<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A function of the deployment.
pub trait Function: Send + Sync + 'static {
    /// Handles one event as AWS sends it. After an error, a queue or stream repeats the whole batch.
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a>;

    /// Writes what is buffered in memory. No event follows, and the process ends within half a second.
    fn finish(&self) -> Finish<'_> {
        Box::pin(std::future::ready(()))
    }
}

/// Starts a function in this process and serves Lambda's runtime API until the process ends.
///
/// # Errors
/// Why it could not start, or the failure of the runtime API.
pub async fn run<F, S>(start: impl FnOnce(Environment) -> S) -> Result<(), lambda_runtime::Error>
where
    F: Function,
    S: Future<Output = Result<F, Error>>,
{
    lambda_runtime::tracing::init_default_subscriber();
    std::panic::set_hook(Box::new(|panic| tracing::error!(error.detail = %panic, "the function panicked")));
    let environment = Environment::of_process();
    let failures = Arc::new(Failures::of(&environment));
    let function = match start(environment).await {
        Ok(function) => Arc::new(function),
        Err(error) => {
            log_error!(ERROR, error, "the function cannot start");
            return Err(error.to_string().into());
        }
    };
    let ending = Arc::clone(&function);
    lambda_runtime::spawn_graceful_shutdown_handler(async move || ending.finish().await).await;
    let serve = lambda_runtime::service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let (function, failures) = (Arc::clone(&function), Arc::clone(&failures));
        async move {
            let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
            let deadline = DateTime::from_timestamp_millis(deadline).unwrap_or_default();
            let outcome = function.handle(event.payload.get(), deadline).await;
            failures.record(&outcome);
            let answer = outcome.and_then(|answer| {
                let not_json = |error| Error::fault("an answer is not JSON").caused_by(error);
                RawValue::from_string(answer).map_err(not_json)
            });
            answer.map_err(|error| {
                log_error!(ERROR, error, "invocation failed");
                Failed(error)
            })
        }
    });
    lambda_runtime::run(serve).await
}

/// An error as Lambda gets it: typed by its kind, so that errors of one kind are counted together, and
/// without its cause, which is in the log.
#[derive(Debug)]
struct Failed(Error);

impl From<Failed> for Diagnostic {
    fn from(Failed(error): Failed) -> Self {
        Self { error_type: format!("Stella.{}", error.kind.name()), error_message: error.to_string() }
    }
}
