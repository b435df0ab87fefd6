//! One function: it takes an event as JSON and gives an answer as JSON, before a deadline.
//!
//! On Lambda the runtime's loop drives it; the local stack drives the very same value.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use crate::environment::Environment;
use crate::error::Error;

/// What a function promises: its answer as JSON text.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'a>>;

/// The last that a function does.
pub type Finish<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A function of the deployment.
pub trait Function: Send + Sync + 'static {
    /// Handles one event as AWS sends it. An error hands a queue's or stream's whole batch back.
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a>;

    /// Writes what it keeps in memory: no event comes any more, and in half a second the process ends.
    fn finish(&self) -> Finish<'_> {
        Box::pin(std::future::ready(()))
    }
}

/// Starts a function in this process and serves Lambda's runtime API until the process is ended.
///
/// # Errors
/// What kept it from starting, or the runtime API's failure.
pub async fn run<F, S>(start: impl FnOnce(Environment) -> S) -> Result<(), lambda_runtime::Error>
where
    F: Function,
    S: Future<Output = Result<F, Error>>,
{
    lambda_runtime::tracing::init_default_subscriber();
    let function = Arc::new(start(Environment::of_process()).await?);
    let ending = Arc::clone(&function);
    lambda_runtime::spawn_graceful_shutdown_handler(async move || ending.finish().await).await;
    let serve = lambda_runtime::service_fn(move |event: lambda_runtime::LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move {
            let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
            let deadline = DateTime::from_timestamp_millis(deadline).unwrap_or_default();
            let answer = function.handle(event.payload.get(), deadline).await?;
            Ok::<_, lambda_runtime::Error>(RawValue::from_string(answer)?)
        }
    });
    lambda_runtime::run(serve).await
}
