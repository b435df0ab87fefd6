//! The functions that a stack runs, and how each of them is started.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::error::{Error, causes};
use crate::time::Time;

/// Why a function cannot start, or could not handle an event.
pub type FunctionError = Box<dyn StdError + Send + Sync>;

/// The answer of a [`Function`] as JSON text.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<String, FunctionError>> + Send + 'a>>;

/// The end of a [`Function`].
pub type Finish<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The handler of a Lambda function. Closures from an event and its deadline to a future are functions, see
/// [`handler`].
pub trait Function: Send + Sync + 'static {
    /// Handles one event as AWS sends it, and answers with JSON text. An error, a panic and a missed deadline
    /// are what they are on Lambda: status 500 of the HTTP API, or the batch of a queue or stream is
    /// delivered again.
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a>;

    /// Flushes what the function holds in memory, when the stack stops: no event follows, and after one
    /// second the process goes on without it. Nothing by default.
    fn finish(&self) -> Finish<'_> {
        Box::pin(std::future::ready(()))
    }

    /// Logs that [`handle`](Self::handle) failed; `name` is the function's logical id. By default, one line
    /// with the error and its causes.
    fn log_failure(&self, name: &str, error: &FunctionError) {
        let cause = causes(&**error);
        tracing::error!(function.name = name, error.detail = %error, error.cause = cause, "invocation failed");
    }
}

/// Makes a [`Function`] of a closure. It only gives the compiler the closure's types:
///
/// ```
/// use sam_local::{Functions, handler};
///
/// let functions = Functions::default().with("echo", |_environment| async {
///     Ok(handler(|event, _deadline| async move { Ok(event) }))
/// });
/// ```
pub fn handler<F, A>(handle: F) -> F
where
    F: Fn(String, DateTime<Utc>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<String, FunctionError>> + Send + 'static,
{
    handle
}

impl<F, A> Function for F
where
    F: Fn(String, DateTime<Utc>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<String, FunctionError>> + Send + 'static,
{
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(self(event.to_owned(), deadline))
    }
}

/// What a function finds around it: the template's environment variables, with those that the stack adds, and
/// the stack's clock.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    time: Time,
}

impl Environment {
    pub(crate) fn new(variables: BTreeMap<String, String>, time: Time) -> Self {
        Self { variables, time }
    }

    /// The value of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The stack's clock.
    #[must_use]
    pub fn time(&self) -> &Time {
        &self.time
    }
}

type Starting = Pin<Box<dyn Future<Output = Result<Arc<dyn Function>, FunctionError>> + Send>>;
type Start = Arc<dyn Fn(Environment) -> Starting + Send + Sync>;

/// How each function is started, by the name of its code: the last part of its `CodeUri`, as in `api` for
/// `functions/api`. Several functions of a template may share their code.
#[derive(Clone, Default)]
pub struct Functions(BTreeMap<String, Start>);

impl Functions {
    /// Adds the code of this name, or replaces it. `start` is called once for each function that has this
    /// code.
    #[must_use]
    pub fn with<S, A, F>(mut self, code: &str, start: S) -> Self
    where
        S: Fn(Environment) -> A + Send + Sync + 'static,
        A: Future<Output = Result<F, FunctionError>> + Send + 'static,
        F: Function,
    {
        let start = move |environment| -> Starting {
            let starting = start(environment);
            Box::pin(async move { Ok(Arc::new(starting.await?) as Arc<dyn Function>) })
        };
        self.0.insert(code.to_owned(), Arc::new(start));
        self
    }

    /// Starts a function with the code of this name.
    pub(crate) async fn start(
        &self,
        code: &str,
        environment: Environment,
    ) -> Result<Arc<dyn Function>, Error> {
        let start = self.0.get(code).ok_or_else(|| Error::fault("No function has this code").about(code))?;
        let starting = start(environment).await;
        starting.map_err(|error| Error::fault("A function cannot start").about(code).caused_by(error))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
