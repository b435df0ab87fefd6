//! The functions of Stella Webhooks, adapted to the stack.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sam_local::FunctionError;
use stella::environment::Environment;
use stella::error::Error;
use stella::function::Function;
use stella::log_error;

use crate::clock::StackClock;

/// How each function is started, by the folder of its code in `functions/`.
#[derive(Debug, Clone)]
pub struct Functions(sam_local::Functions);

impl Functions {
    /// The functions that are deployed.
    #[must_use]
    pub fn ours() -> Self {
        Self(sam_local::Functions::default())
            .with("inbound", stella_inbound::start)
            .with("api", stella_api::start)
            .with("fanout", stella_fanout::start)
            .with("deliver", stella_deliver::start)
            .with("sweep", stella_sweep::start)
            .with("portal", stella_portal::start)
    }

    /// The same with other code in one folder.
    #[must_use]
    pub fn with<S, A, F>(self, code: &str, start: S) -> Self
    where
        S: Fn(Environment) -> A + Send + Sync + 'static,
        A: Future<Output = Result<F, Error>> + Send + 'static,
        F: Function,
    {
        Self(self.0.with(code, move |environment: sam_local::Environment| {
            let clock = Arc::new(StackClock(environment.time().clone()));
            let starting = start(Environment::new(environment.variables().clone(), clock));
            async move { Ok(Adapted(starting.await?)) }
        }))
    }
}

impl From<Functions> for sam_local::Functions {
    fn from(functions: Functions) -> Self {
        functions.0
    }
}

/// Adapts a function to the stack.
struct Adapted<F>(F);

impl<F: Function> sam_local::Function for Adapted<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> sam_local::Answer<'a> {
        Box::pin(async move { Ok(self.0.handle(event, deadline).await?) })
    }

    fn finish(&self) -> sam_local::Finish<'_> {
        self.0.finish()
    }

    fn log_failure(&self, name: &str, error: &FunctionError) {
        if let Some(error) = error.downcast_ref::<Error>() {
            log_error!(ERROR, *error, "invocation failed", function.name = name);
        } else {
            tracing::error!(function.name = name, error.detail = %error, "invocation failed");
        }
    }
}
