//! Things that happen twice, and things that break off: one chain goes on, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::error::Error;
use stella::function::{Answer, Function};
use stella_local::stack::Functions;
use stella_local::time::Time;
use tokio::sync::Notify;

/// How a batch is handled that something happens to.
#[derive(Clone, Copy)]
enum Trouble {
    /// Every batch comes twice, one after the other.
    Twice,
    /// Every batch comes twice at the same time.
    TwiceAtOnce,
    /// What was done is not acknowledged, the first few times.
    AnswerLost,
    /// The function panics before it does anything, the first time.
    Panics,
}

struct Troubled<F> {
    inner: F,
    trouble: Trouble,
    invocations: AtomicUsize,
}

impl<F: Function> Function for Troubled<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        let number = self.invocations.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match self.trouble {
                Trouble::Twice => {
                    self.inner.handle(event, deadline).await?;
                    self.inner.handle(event, deadline).await
                }
                Trouble::TwiceAtOnce => {
                    let both =
                        tokio::join!(self.inner.handle(event, deadline), self.inner.handle(event, deadline));
                    both.0.and(both.1)
                }
                Trouble::AnswerLost => {
                    let answer = self.inner.handle(event, deadline).await;
                    if number < 3 { Err(Error::fault("injected fault")) } else { answer }
                }
                Trouble::Panics => {
                    assert!(number > 0, "injected fault");
                    self.inner.handle(event, deadline).await
                }
            }
        })
    }
}

fn troubled<F>(inner: F, trouble: Trouble) -> Troubled<F> {
    Troubled { inner, trouble, invocations: AtomicUsize::new(0) }
}

async fn with_delivery_in(trouble: Trouble) -> World {
    let functions = Functions::ours().with("deliver", move |environment| async move {
        Ok(troubled(stella_deliver::start(environment).await?, trouble))
    });
    World::with(functions, Time::manual(SystemClock.now())).await
}

/// How many attempts it takes until the receiver is content.
const ATTEMPTS: usize = 5;

/// A delivery that fails four times and then succeeds, the time moving on whenever it waits; its last row, and
/// how many requests the receiver got.
async fn deliver(world: &World) -> (Value, usize) {
    let receiver = Receiver::start(|_, request| {
        let is_last = request.header("x-stella-attempt") == ATTEMPTS.to_string();
        Reply::from(if is_last { 200 } else { 500 })
    })
    .await;
    let policy = json!({"maxRetries": ATTEMPTS - 1, "backoffType": "fixed", "backoffSeconds": 10});
    let body =
        json!({"name": "s", "url": receiver.url, "events": ["release.created"], "retryPolicy": policy});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", subscription["id"].as_str().unwrap());
    // Ten minutes, in steps: retries become due, and what was not acknowledged becomes visible again.
    for _ in 0..40 {
        for _ in 0..20 {
            let rows = world.get(&path).await;
            if rows["data"][0]["status"] == "delivered" {
                break;
            }
        }
        world.time.advance(Duration::seconds(30));
    }
    let rows = world.deliveries(&subscription, |rows| rows.len() == 1).await;
    (rows[0].clone(), receiver.received().len())
}

#[tokio::test]
async fn a_message_received_twice_makes_one_chain_of_attempts() {
    for trouble in [Trouble::Twice, Trouble::TwiceAtOnce] {
        let world = with_delivery_in(trouble).await;
        let (row, requests) = deliver(&world).await;
        assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
        // The second copy of a message for attempt n sends a second message for attempt n+1, which ends
        // there. So there are two at most, each handled twice; two chains would double with each attempt.
        assert!((ATTEMPTS..=2 + 4 * (ATTEMPTS - 1)).contains(&requests), "{requests} requests");
    }
}

#[tokio::test]
async fn an_unacknowledged_batch_is_received_again_and_the_delivery_continues() {
    let world = with_delivery_in(Trouble::AnswerLost).await;
    let (row, requests) = deliver(&world).await;
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
    // One more request for each of the three times that the answer was lost, at most.
    assert!((ATTEMPTS..=ATTEMPTS + 3).contains(&requests), "{requests} requests");
}

#[tokio::test]
async fn a_message_is_received_again_after_a_panic() {
    let world = with_delivery_in(Trouble::Panics).await;
    let (row, requests) = deliver(&world).await;
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
    assert_eq!(requests, ATTEMPTS);
}

/// Two environments of a function, each of which gets every batch.
struct Both<F>(F, F);

impl<F: Function> Function for Both<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            self.0.handle(event, deadline).await?;
            self.1.handle(event, deadline).await
        })
    }
}

#[tokio::test]
async fn an_event_fanned_out_by_two_environments_makes_one_delivery() {
    let functions = Functions::ours().with("fanout", |environment| async {
        Ok(Both(stella_fanout::start(environment.clone()).await?, stella_fanout::start(environment).await?))
    });
    let world = World::with(functions, Time::system()).await;
    let receiver = Receiver::accepting().await;
    let subscription = world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["*"]})).await;
    world.publish("release.created").await;
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].header("x-stella-delivery"), received[1].header("x-stella-delivery"));
    let rows = world.deliveries(&subscription, |rows| !rows.is_empty()).await;
    assert_eq!((rows.len(), &rows[0]["attempts"]), (1, &json!(1)));
}

/// A function that handles its batches once more when it is told to.
struct OnceMore<F> {
    inner: F,
    told: Arc<Notify>,
    done: Arc<Notify>,
}

impl<F: Function> Function for OnceMore<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            self.inner.handle(event, deadline).await?;
            self.told.notified().await;
            let answer = self.inner.handle(event, deadline).await;
            self.done.notify_one();
            answer
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_received_again_does_not_end_the_lease_of_a_reader() {
    let (told, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tells, does) = (Arc::clone(&told), Arc::clone(&done));
    let functions = Functions::ours().with("deliver", move |environment| {
        let (told, done) = (Arc::clone(&tells), Arc::clone(&does));
        async move { Ok(OnceMore { inner: stella_deliver::start(environment).await?, told, done }) }
    });
    let world = World::with(functions, Time::system()).await;
    let subscription = world.subscription(&json!({"name": "s", "url": "pull:", "events": ["*"]})).await;
    world.publish("release.created").await;
    let path = format!("/api/v1/webhook-subscriptions/{}/pull", id(&subscription));
    let fetched = world.get(&format!("{path}?waitSeconds=20")).await;
    assert_eq!(fetched["data"].as_array().unwrap().len(), 1);
    told.notify_one();
    done.notified().await;
    let again = world.get(&format!("{path}?waitSeconds=0")).await;
    assert_eq!(again["data"], json!([]), "it has a reader");
}
