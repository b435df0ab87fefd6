//! A death between two effects, for tests of what is left then: at one of the writes and sends that functions
//! ask for, nothing is answered any more, as if the process had ended there.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::watch;

use crate::calls::target;
use crate::permissions::caller;

/// On which side of an effect the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It has not happened.
    Before,
    /// It has happened, and whoever asked for it does not know.
    After,
}

/// Where the process ends, if anywhere. Clones are of one process.
#[derive(Debug, Clone)]
pub struct Dying(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    effects: Mutex<Vec<String>>,
    /// The number of an effect, from 1 since it was armed.
    at: Mutex<Option<(u64, Side)>>,
    is_dead: watch::Sender<bool>,
}

impl Default for Dying {
    /// It lives.
    fn default() -> Self {
        let is_dead = watch::Sender::new(false);
        Self(Arc::new(Shared { effects: Mutex::default(), at: Mutex::default(), is_dead }))
    }
}

impl Dying {
    /// Ends the process at an effect, the first from now on being number 1.
    pub fn arm(&self, at: u64, side: Side) {
        self.0.effects.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.0.at.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, side));
    }

    /// Returns when the process has ended.
    pub async fn died(&self) {
        // The sender lives in `self`, so the wait cannot end by its going away.
        let _ = self.0.is_dead.subscribe().wait_for(|is_dead| *is_dead).await;
    }

    /// Whether the process has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        *self.0.is_dead.borrow()
    }

    /// The effects since it was armed, each as `Function Operation`.
    #[must_use]
    pub fn effects(&self) -> Vec<String> {
        self.0.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A router that does what the one given does, as long as the process lives.
    pub(crate) fn ending(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), pass))
    }

    /// Notes an effect; on which side of it the process ends, if it does.
    fn note(&self, effect: String) -> Option<Side> {
        let mut effects = self.0.effects.lock().unwrap_or_else(PoisonError::into_inner);
        effects.push(effect);
        let at = *self.0.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.filter(|(at, _)| u64::try_from(effects.len()).is_ok_and(|number| number == *at))
            .map(|(_, side)| side)
    }

    async fn end(&self) -> Response {
        self.0.is_dead.send_replace(true);
        std::future::pending().await
    }
}

/// The effect that a request asks for, if it is one of a function's.
fn effect(request: &Request) -> Option<String> {
    let (_, operation) = target(request.headers())?;
    let is_effect = ["Put", "Update", "Delete", "TransactWrite", "BatchWrite", "Send"]
        .iter()
        .any(|begin| operation.starts_with(begin));
    let function = caller(request.headers())?;
    is_effect.then(|| format!("{function} {operation}"))
}

async fn pass(State(dying): State<Dying>, request: Request, next: Next) -> Response {
    if dying.is_dead() {
        return dying.end().await;
    }
    let side = effect(&request).and_then(|effect| dying.note(effect));
    if side == Some(Side::Before) {
        return dying.end().await;
    }
    let response = next.run(request).await;
    if side == Some(Side::After) || dying.is_dead() {
        return dying.end().await;
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
    async fn it_ends_on_one_side_of_one_effect_and_answers_nothing_from_then_on() {
        for (side, happened) in [(Side::Before, 1), (Side::After, 2)] {
            let dying = Dying::default();
            let count = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&count);
            let router = dying.ending(Router::new().fallback(move || {
                let counted = Arc::clone(&counted);
                async move { counted.fetch_add(1, Ordering::SeqCst).to_string() }
            }));
            let call = |operation: &str| {
                let request = http::Request::post("/")
                    .header("x-amz-target", format!("AmazonSQS.{operation}"))
                    .header("authorization", "Credential=Api/2026");
                router.clone().oneshot(request.body(Body::empty()).unwrap())
            };
            dying.arm(2, side);
            call("SendMessage").await.unwrap();
            for operation in ["SendMessageBatch", "SendMessage"] {
                tokio::select! {
                    biased;
                    () = async { call(operation).await.unwrap(); } => panic!("{operation} was answered"),
                    () = tokio::task::yield_now() => {}
                    () = dying.died() => {}
                }
            }
            assert_eq!(count.load(Ordering::SeqCst), happened, "{side:?}");
            assert_eq!(dying.effects(), ["Api SendMessage", "Api SendMessageBatch"]);
        }
    }
}
