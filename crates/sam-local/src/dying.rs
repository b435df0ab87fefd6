//! A death between two effects, for tests of what is left then: at one of the writes and sends that functions
//! ask for, nothing is answered any more, as if the process had ended there.

use std::str::FromStr;
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

/// One of the effects that functions ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// By its number among all, from 1.
    Number(u64),
    /// By its name, `Function Operation`, and its number among those of that name.
    Named(String, u64),
}

/// A point between two effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// On which side of the effect.
    pub side: Side,
    /// Of which effect.
    pub effect: Effect,
}

impl FromStr for Point {
    type Err = String;

    /// Reads `after DeliverFunction UpdateItem`, or `before ApiFunction PutItem 3` for the third.
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (side, function, operation, number) = match *words.as_slice() {
            [side, function, operation] => (side, function, operation, "1"),
            [side, function, operation, number] => (side, function, operation, number),
            _ => {
                return Err(
                    "must be as `after DeliverFunction UpdateItem 2`: the number may be left out".to_owned()
                );
            }
        };
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return Err("must begin with before or after".to_owned()),
        };
        let number = number.parse().ok().filter(|number| *number > 0).ok_or("ends with a number from 1")?;
        Ok(Self { side, effect: Effect::Named(format!("{function} {operation}"), number) })
    }
}

/// Where the process ends, if anywhere. Clones are of one process.
#[derive(Debug, Clone)]
pub struct Dying(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    effects: Mutex<Vec<String>>,
    at: Mutex<Option<Point>>,
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
    /// Ends the process at a point, the first effect from now on being number 1.
    pub fn arm(&self, at: Point) {
        self.0.effects.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.0.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
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
        let at = self.0.at.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (number, count) = match &at.effect {
            Effect::Number(number) => (*number, effects.len()),
            Effect::Named(name, number) => {
                let is_last = effects.last() == Some(name);
                (*number, if is_last { effects.iter().filter(|effect| *effect == name).count() } else { 0 })
            }
        };
        u64::try_from(count).is_ok_and(|count| count == number).then_some(at.side)
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
            let by_number = Point { side, effect: Effect::Number(2) };
            let by_name = Point { side, effect: Effect::Named("Api SendMessageBatch".to_owned(), 1) };
            dying.arm(if happened == 1 { by_number } else { by_name });
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

    #[test]
    fn a_point_is_said_in_words() {
        let named =
            |side, number| Point { side, effect: Effect::Named("Deliver UpdateItem".to_owned(), number) };
        assert_eq!("after Deliver UpdateItem".parse(), Ok(named(Side::After, 1)));
        assert_eq!("before Deliver UpdateItem 3".parse(), Ok(named(Side::Before, 3)));
        for text in [
            "",
            "Deliver UpdateItem",
            "during Deliver UpdateItem",
            "after Deliver UpdateItem 0",
            "after a b c d",
        ] {
            assert!(text.parse::<Point>().is_err(), "{text}");
        }
    }
}
