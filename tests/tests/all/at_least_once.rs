//! At-least-once processing: messages that are received twice, batches that are not acknowledged, and panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use sam_local::Time;
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella::error::Error;
use stella::function::{Answer, Function};
use stella_local::Functions;
use tokio::sync::Notify;

/// What goes wrong with a batch.
#[derive(Clone, Copy)]
enum Trouble {
    /// Every batch is handled twice, one after the other.
    Twice,
    /// Every batch is handled twice at the same time.
    TwiceAtOnce,
    /// The first three batches are processed but not acknowledged.
    Unacknowledged,
    /// The first invocation panics before it does anything.
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
                Trouble::Unacknowledged => {
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

/// The attempt that succeeds.
const ATTEMPTS: usize = 5;

/// Makes a delivery that fails four times and then succeeds; its row, and the number of requests received.
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
    // Twenty minutes, in steps: retries become due, and unacknowledged messages become visible again.
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
        // there. So there are at most two messages, each handled twice; two chains would double with each
        // attempt.
        assert!((ATTEMPTS..=2 + 4 * (ATTEMPTS - 1)).contains(&requests), "{requests} requests");
    }
}

#[tokio::test]
async fn an_unacknowledged_batch_is_received_again_and_the_delivery_continues() {
    let world = with_delivery_in(Trouble::Unacknowledged).await;
    let (row, requests) = deliver(&world).await;
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
    // At most one more request for each unacknowledged batch.
    assert!((ATTEMPTS..=ATTEMPTS + 3).contains(&requests), "{requests} requests");
}

#[tokio::test]
async fn a_message_is_received_again_after_a_panic() {
    let world = with_delivery_in(Trouble::Panics).await;
    let (row, requests) = deliver(&world).await;
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
    assert_eq!(requests, ATTEMPTS);
}

/// Two environments of a function, both of which handle every batch.
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

/// A function that handles each batch a second time when it is signalled.
struct Repeating<F> {
    inner: F,
    signal: Arc<Notify>,
    done: Arc<Notify>,
}

impl<F: Function> Function for Repeating<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            self.inner.handle(event, deadline).await?;
            self.signal.notified().await;
            let answer = self.inner.handle(event, deadline).await;
            self.done.notify_one();
            answer
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_received_again_does_not_end_the_lease_of_a_reader() {
    let (signal, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (its_signal, is_done) = (Arc::clone(&signal), Arc::clone(&done));
    let functions = Functions::ours().with("deliver", move |environment| {
        let (signal, done) = (Arc::clone(&its_signal), Arc::clone(&is_done));
        async move { Ok(Repeating { inner: stella_deliver::start(environment).await?, signal, done }) }
    });
    let world = World::with(functions, Time::system()).await;
    let subscription = world.subscription(&json!({"name": "s", "url": "pull:", "events": ["*"]})).await;
    world.publish("release.created").await;
    let path = format!("/api/v1/webhook-subscriptions/{}/pull", id(&subscription));
    let fetched = world.get(&format!("{path}?waitSeconds=20")).await;
    assert_eq!(fetched["data"].as_array().unwrap().len(), 1);
    signal.notify_one();
    done.notified().await;
    let again = world.get(&format!("{path}?waitSeconds=0")).await;
    assert_eq!(again["data"], json!([]), "the reader still has the lease");
}
