//! Ten thousand deliveries in flight at once, so that batches are full, and what they cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use stella::function::{Answer, Function};
use stella_local::stack::{Functions, Settings};
use tokio::sync::watch;

use crate::World;
use crate::bill::Bill;
use crate::receiver::{Receiver, Reply};

/// A function that begins only when it is let; with what the queue of retries has for it, perhaps later. How
/// long it waits for that is not taken off its time.
struct Gated<F> {
    inner: F,
    open: watch::Receiver<bool>,
    open_for_retries: watch::Receiver<bool>,
}

impl<F: Function> Function for Gated<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        let is_retry = event.contains("arn:aws:sqs:us-east-1:000000000000:dev-retries-queue");
        let mut open = if is_retry { self.open_for_retries.clone() } else { self.open.clone() };
        Box::pin(async move {
            let since = Instant::now();
            let _ = open.wait_for(|open| *open).await;
            self.inner.handle(event, deadline + since.elapsed()).await
        })
    }
}

/// How many deliveries are in flight at once, so that batches are full.
const IN_FLIGHT: usize = 10_000;

/// How many events are published at once.
const AT_ONCE: usize = 50;

/// When a message comes again whose function had no answer in time, and some.
const VISIBLE_AGAIN: Duration = Duration::from_mins(7);

/// What is delivered.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many subscriptions each event has.
    pub fan_out: usize,
    /// One first attempt in so many fails.
    pub failing: Option<usize>,
    /// How much is added to an event's example data, in bytes.
    pub more_bytes: usize,
}

/// What it took.
pub struct Taken {
    /// How many events there were.
    pub events: u64,
    /// How many deliveries they made.
    pub deliveries: u64,
    /// How many attempts these took.
    pub attempts: u64,
    /// What publishing the events cost.
    pub publishing: Bill,
    /// What everything after that cost.
    pub delivering: Bill,
    /// The write units among that which say of each event that it is fanned out.
    pub marks: f64,
}

/// Delivers ten thousand deliveries that are in flight at once, by a metered system.
///
/// # Panics
/// When they do not arrive.
pub async fn deliver(load: &Load) -> Taken {
    let Load { fan_out, failing, more_bytes } = *load;
    let (fan, fan_gate) = watch::channel(true);
    let (deliver, deliver_gate) = watch::channel(true);
    let (retry, retry_gate) = watch::channel(true);
    let functions =
        Functions::ours()
            .with("fanout", move |environment| {
                let (open, open_for_retries) = (fan_gate.clone(), fan_gate.clone());
                async move {
                    Ok(Gated { inner: stella_fanout::start(environment).await?, open, open_for_retries })
                }
            })
            .with("deliver", move |environment| {
                let (open, open_for_retries) = (deliver_gate.clone(), retry_gate.clone());
                async move {
                    Ok(Gated { inner: stella_deliver::start(environment).await?, open, open_for_retries })
                }
            });
    // So few at once that no call takes longer than its caller waits, on a slow machine either.
    let few = |name: &str| (name.to_owned(), "10".to_owned());
    let parameters = BTreeMap::from([few("DeliverConcurrency"), few("RetryConcurrency")]);
    let world =
        World::made_of(Settings { metered: true, functions, parameters, ..Settings::default() }).await;
    let first_attempts = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_, request| {
        let is_first = request.header("x-stella-attempt") == "1";
        let number = first_attempts.fetch_add(usize::from(is_first), Ordering::SeqCst);
        let fails = is_first && failing.is_some_and(|of| number % of == of - 1);
        Reply::from(if fails { 503 } else { 200 })
    })
    .await;
    for number in 0..fan_out {
        let body = json!({"name": format!("s{number}"), "url": receiver.url, "events": ["release.created"],
            "authType": "signature", "retryPolicy": {"backoffSeconds": 1}});
        world.subscription(&body).await;
    }
    // The receiver is known to take deliveries, which keeps them on the fast lane.
    world.publish("release.created").await;
    receiver.wait_for(fan_out).await;
    while world.get("/api/v1/webhook-subscriptions").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .any(|row| row["health"]["attempts"] != 1)
    {}
    fan.send_replace(false);
    deliver.send_replace(false);
    retry.send_replace(false);
    let mut data = world.example("release.created");
    data["note"] = json!("x".repeat(more_bytes));
    let event = json!({"event": "release.created", "data": data});
    let before_publishing = Bill::now(&world);
    let events = (IN_FLIGHT / fan_out).div_ceil(AT_ONCE) * AT_ONCE;
    for _ in 0..events / AT_ONCE {
        let published = join_all((0..AT_ONCE).map(|_| world.post("/api/v1/events", &event))).await;
        assert!(published.iter().all(|answer| answer.status == StatusCode::ACCEPTED));
    }
    let deliveries = events * fan_out;
    let before = Bill::now(&world);
    let publishing = before.clone().since(&before_publishing);
    // An event is fanned out when its mark is written: an item of its own, which is not on this bill.
    let items = core_items(&world);
    fan.send_replace(true);
    while core_items(&world) < items + events {
        // Who asks holds the tables, which others want too.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let marks = Bill::now(&world).since(&before).written;
    deliver.send_replace(true);
    receiver.wait_patiently(fan_out + deliveries, VISIBLE_AGAIN).await;
    retry.send_replace(true);
    let attempts = deliveries + failing.map_or(0, |of| (fan_out + deliveries) / of);
    receiver.wait_patiently(fan_out + attempts, VISIBLE_AGAIN).await;
    let count = |number: usize| u64::try_from(number).expect("a count");
    let delivering = Bill::until(&world, &before, "DeleteMessageBatch", count(attempts.div_ceil(10))).await;
    Taken {
        events: count(events),
        deliveries: count(deliveries),
        attempts: count(attempts),
        publishing,
        delivering,
        marks,
    }
}

/// How many items the table `core` has, asked past the wire and so past the bill.
fn core_items(world: &World) -> usize {
    let tables = world.stack.dynamodb().database().table_stats().unwrap();
    let core = tables.into_iter().find(|table| table.table_name == "dev-core-table").unwrap();
    usize::try_from(core.item_count).unwrap()
}
