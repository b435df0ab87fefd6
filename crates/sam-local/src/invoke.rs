//! Invocations, as Lambda makes them: each on its own, aborted at the timeout, without harm to others by a
//! panic.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::calls::Calls;
use crate::function::Function;
use crate::signal::Signal;
use crate::time::Time;

/// The largest answer that Lambda returns, in bytes.
const MAX_ANSWER_BYTES: usize = 6_291_556;

/// Why an invocation has no answer. It was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The function answered with an error.
    #[error("the function failed")]
    Failed,
    /// The function panicked.
    #[error("the function panicked")]
    Panicked,
    /// The function took longer than its timeout.
    #[error("the function took longer than its timeout")]
    TimedOut,
    /// The stack ended before the function.
    #[error("the stack ended before the function")]
    Ended,
    /// The answer is larger than Lambda returns.
    #[error("the answer is larger than 6291556 bytes")]
    TooLarge,
}

/// The number of running invocations. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Busy(Arc<watch::Sender<usize>>);

/// One running invocation, until it is dropped.
struct Running(Busy);

impl Busy {
    /// No running invocation.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn begin(&self) -> Running {
        self.0.send_modify(|count| *count = count.saturating_add(1));
        Running(self.clone())
    }

    /// Returns when no invocation runs.
    pub(crate) async fn idle(&self) {
        // The sender is in `self`, so the channel cannot be closed while this waits.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Shared by all invocations of a stack.
#[derive(Clone)]
pub(crate) struct Context {
    /// The stack's time.
    pub(crate) time: Time,
    /// Where invocations are counted, as `("lambda", <function>)`.
    pub(crate) calls: Calls,
    /// Aborts the running invocations.
    pub(crate) cut: Signal,
    /// Closed when no invocation can run any more.
    pub(crate) running: mpsc::Sender<()>,
    /// The number of running invocations.
    pub(crate) busy: Busy,
}

/// A started function, which can be invoked concurrently.
#[derive(Clone)]
pub(crate) struct Invoker {
    name: Arc<str>,
    function: Arc<dyn Function>,
    timeout: Duration,
    context: Context,
}

impl Invoker {
    /// A started function with its logical id.
    pub(crate) fn new(name: &str, function: Arc<dyn Function>, timeout: Duration, context: Context) -> Self {
        Self { name: name.into(), function, timeout, context }
    }

    /// The function's logical id.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The function itself.
    pub(crate) fn function(&self) -> Arc<dyn Function> {
        Arc::clone(&self.function)
    }

    /// Invokes the function with an event. The invocation goes on when this future is dropped, as on AWS.
    pub(crate) async fn invoke(&self, event: String) -> Result<String, Failure> {
        let timeout = self.timeout;
        let deadline = chrono::Duration::from_std(timeout)
            .ok()
            .and_then(|timeout| self.context.time.now().checked_add_signed(timeout))
            .unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let function = Arc::clone(&self.function);
        let (cut, running) = (self.context.cut.clone(), self.context.running.clone());
        let busy = self.context.busy.begin();
        self.context.calls.add("lambda", &self.name, 1);
        let task = tokio::spawn(async move {
            let (_running, _busy) = (running, busy);
            match cut.or(tokio::time::timeout(timeout, function.handle(&event, deadline))).await {
                None => Err((Failure::Ended, None)),
                Some(Err(_)) => Err((Failure::TimedOut, None)),
                Some(Ok(Err(error))) => Err((Failure::Failed, Some(error))),
                Some(Ok(Ok(answer))) if answer.len() > MAX_ANSWER_BYTES => Err((Failure::TooLarge, None)),
                Some(Ok(Ok(answer))) => Ok(answer),
            }
        });
        let (failure, error) = match task.await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(ended) if ended.is_panic() => (Failure::Panicked, None),
            Err(_) => (Failure::Ended, None),
        };
        if let Some(error) = error {
            self.function.log_failure(&self.name, &error);
        } else {
            tracing::error!(function.name = &*self.name, reason = %failure, "invocation failed");
        }
        Err(failure)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::function::FunctionError;
    use crate::signal::{Trigger, signal};

    /// An invoker of a closure, the trigger that aborts it, and its counts.
    pub(crate) fn invoker<F, A>(timeout: Duration, function: F) -> (Invoker, Trigger, Calls)
    where
        F: Fn(String, DateTime<Utc>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, FunctionError>> + Send + 'static,
    {
        let (cutting, cut) = signal();
        let calls = Calls::default();
        let time = Time::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let context =
            Context { time, calls: calls.clone(), cut, running: mpsc::channel(1).0, busy: Busy::new() };
        (Invoker::new("Echo", Arc::new(function), timeout, context), cutting, calls)
    }

    #[tokio::test]
    async fn a_function_gets_its_event_and_the_deadline_of_its_timeout() {
        let (echo, _cut, calls) =
            invoker(
                Duration::from_secs(30),
                |event, deadline| async move { Ok(format!("{event} {deadline:?}")) },
            );
        assert_eq!(echo.invoke("{}".to_owned()).await.unwrap(), "{} 2026-03-01T12:00:30Z");
        assert_eq!(calls.of("lambda", "Echo"), 1);
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_invocation_only() {
        let (picky, _cut, _) = invoker(Duration::from_secs(30), |event, _| async move {
            assert_ne!(event, "bad");
            Ok(event)
        });
        let (bad, good) = tokio::join!(picky.invoke("bad".to_owned()), picky.invoke("good".to_owned()));
        assert_eq!(bad.unwrap_err(), Failure::Panicked);
        assert_eq!(good.unwrap(), "good");
    }

    #[tokio::test]
    async fn an_invocation_is_aborted_at_its_timeout() {
        let (endless, _cut, _) = invoker(Duration::from_millis(20), |_, _| std::future::pending());
        let began = tokio::time::Instant::now();
        assert_eq!(endless.invoke("{}".to_owned()).await.unwrap_err(), Failure::TimedOut);
        assert!(began.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn the_end_of_the_stack_aborts_running_invocations() {
        let (endless, cut, _) = invoker(Duration::from_secs(3), |_, _| std::future::pending());
        let (answer, ()) = tokio::join!(endless.invoke("{}".to_owned()), async { cut.fire() });
        assert_eq!(answer.unwrap_err(), Failure::Ended);
    }

    /// Lambda's error: "Response payload size exceeded maximum allowed payload size (6291556 bytes)".
    #[tokio::test]
    async fn an_answer_is_limited_as_by_lambda() {
        let (echo, _cut, _) =
            invoker(
                Duration::from_secs(30),
                |event, _| async move { Ok("x".repeat(event.parse().unwrap())) },
            );
        assert_eq!(echo.invoke("6291556".to_owned()).await.map(|answer| answer.len()), Ok(6_291_556));
        assert_eq!(echo.invoke("6291557".to_owned()).await.unwrap_err(), Failure::TooLarge);
    }

    #[tokio::test]
    async fn an_error_fails_the_invocation() {
        let (failing, _cut, _) =
            invoker(Duration::from_secs(3), |_, _| async { Err(FunctionError::from("broken")) });
        assert_eq!(failing.invoke("{}".to_owned()).await.unwrap_err(), Failure::Failed);
    }
}
