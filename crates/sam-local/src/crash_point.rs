//! Crash points: before or after one of the writes and sends that functions request, the process stops
//! answering, as if it had been killed there. Tests then start another stack on the same data, and look at
//! what is left.
//!
//! Run each stack in a tokio runtime of its own and drop that runtime after the crash: this ends everything
//! that ran in the stack, and releases the data directory, as the end of a process does.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::watch;

use crate::calls::target;
use crate::permissions::caller;

/// Whether the process crashes before or after an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The effect has not happened.
    Before,
    /// The effect has happened, and its caller gets no answer.
    After,
}

/// A write or send that a function requests from a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The effect with this number among all, from 1.
    Number(u64),
    /// The effect with this number, from 1, among those of this name: `Function Operation`.
    Named(String, u64),
}

/// A moment at which the process crashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashPoint {
    /// Before or after the effect.
    pub when: When,
    /// The effect.
    pub effect: Effect,
}

impl FromStr for CrashPoint {
    type Err = String;

    /// Reads `after DeliverFunction UpdateItem`, or `before ApiFunction PutItem 3` for the third.
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (when, function, operation, number) = match *words.as_slice() {
            [when, function, operation] => (when, function, operation, "1"),
            [when, function, operation, number] => (when, function, operation, number),
            _ => {
                return Err(
                    "must be as `after DeliverFunction UpdateItem 2`: the number may be left out".to_owned()
                );
            }
        };
        let when = match when {
            "before" => When::Before,
            "after" => When::After,
            _ => return Err("must begin with before or after".to_owned()),
        };
        let number = number.parse().ok().filter(|number| *number > 0).ok_or("ends with a number from 1")?;
        Ok(Self { when, effect: Effect::Named(format!("{function} {operation}"), number) })
    }
}

/// Simulates a crash of the process at a [`CrashPoint`]: from then on, no request of a function to DynamoDB
/// or SQS is carried out or answered. Clones share their state. By default nothing crashes.
#[derive(Debug, Clone)]
pub struct CrashInjector(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    effects: Mutex<Vec<String>>,
    point: Mutex<Option<CrashPoint>>,
    has_crashed: watch::Sender<bool>,
}

impl Default for CrashInjector {
    fn default() -> Self {
        let has_crashed = watch::Sender::new(false);
        Self(Arc::new(Shared { effects: Mutex::default(), point: Mutex::default(), has_crashed }))
    }
}

impl CrashInjector {
    /// Sets the crash point. Effects are counted from now on.
    pub fn arm(&self, point: CrashPoint) {
        self.0.effects.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.0.point.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
    }

    /// Returns when the crash point is reached.
    pub async fn crashed(&self) {
        // The sender is in `self`, so the channel cannot be closed while this waits.
        let _ = self.0.has_crashed.subscribe().wait_for(|has_crashed| *has_crashed).await;
    }

    /// Whether the crash point was reached.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        *self.0.has_crashed.borrow()
    }

    /// The effects that functions have requested since [`arm`](Self::arm), each as `Function Operation`.
    #[must_use]
    pub fn effects(&self) -> Vec<String> {
        self.0.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the crash to an endpoint.
    pub(crate) fn crashing(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), pass))
    }

    /// Records an effect. Returns when it is to crash, if this is the effect of the crash point.
    fn record(&self, effect: String) -> Option<When> {
        let mut effects = self.0.effects.lock().unwrap_or_else(PoisonError::into_inner);
        effects.push(effect);
        let point = self.0.point.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (number, count) = match &point.effect {
            Effect::Number(number) => (*number, effects.len()),
            Effect::Named(name, number) => {
                let is_last = effects.last() == Some(name);
                (*number, if is_last { effects.iter().filter(|effect| *effect == name).count() } else { 0 })
            }
        };
        u64::try_from(count).is_ok_and(|count| count == number).then_some(point.when)
    }

    async fn crash(&self) -> Response {
        self.0.has_crashed.send_replace(true);
        std::future::pending().await
    }
}

/// The effect that a request has, if it writes or sends.
fn effect(request: &Request) -> Option<String> {
    let (_, operation) = target(request.headers())?;
    let is_effect = ["Put", "Update", "Delete", "TransactWrite", "BatchWrite", "Send"]
        .iter()
        .any(|begin| operation.starts_with(begin));
    let function = caller(request.headers())?;
    is_effect.then(|| format!("{function} {operation}"))
}

async fn pass(State(injector): State<CrashInjector>, request: Request, next: Next) -> Response {
    if injector.has_crashed() {
        return injector.crash().await;
    }
    let when = effect(&request).and_then(|effect| injector.record(effect));
    if when == Some(When::Before) {
        return injector.crash().await;
    }
    let response = next.run(request).await;
    if when == Some(When::After) || injector.has_crashed() {
        return injector.crash().await;
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::body::Body;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn after_the_crash_point_nothing_happens_and_nothing_is_answered() {
        for (when, happened) in [(When::Before, 1), (When::After, 2)] {
            let injector = CrashInjector::default();
            let count = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&count);
            let router = injector.crashing(Router::new().fallback(move || {
                let counted = Arc::clone(&counted);
                async move { counted.fetch_add(1, Ordering::SeqCst).to_string() }
            }));
            let call = |operation: &str| {
                let request = http::Request::post("/")
                    .header("x-amz-target", format!("AmazonSQS.{operation}"))
                    .header("authorization", "Credential=Api/2026");
                router.clone().oneshot(request.body(Body::empty()).unwrap())
            };
            let by_number = CrashPoint { when, effect: Effect::Number(2) };
            let by_name = CrashPoint { when, effect: Effect::Named("Api SendMessageBatch".to_owned(), 1) };
            injector.arm(if happened == 1 { by_number } else { by_name });
            call("SendMessage").await.unwrap();
            for operation in ["SendMessageBatch", "SendMessage"] {
                tokio::select! {
                    biased;
                    () = async { call(operation).await.unwrap(); } => panic!("{operation} was answered"),
                    () = tokio::task::yield_now() => {}
                    () = injector.crashed() => {}
                }
            }
            assert_eq!(count.load(Ordering::SeqCst), happened, "{when:?}");
            assert_eq!(injector.effects(), ["Api SendMessage", "Api SendMessageBatch"]);
        }
    }

    #[test]
    fn a_crash_point_is_parsed_from_text() {
        let named = |when, number| CrashPoint {
            when,
            effect: Effect::Named("Deliver UpdateItem".to_owned(), number),
        };
        assert_eq!("after Deliver UpdateItem".parse(), Ok(named(When::After, 1)));
        assert_eq!("before Deliver UpdateItem 3".parse(), Ok(named(When::Before, 3)));
        for text in [
            "",
            "Deliver UpdateItem",
            "during Deliver UpdateItem",
            "after Deliver UpdateItem 0",
            "after a b c d",
        ] {
            assert!(text.parse::<CrashPoint>().is_err(), "{text}");
        }
    }
}
