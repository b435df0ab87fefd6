//! Makes ten thousand deliveries at once, so that batches are full, and counts what they cost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use http::StatusCode;
use sam_local::Settings;
use serde_json::json;
use stella::function::{Answer, Function};
use stella_local::Functions;
use tokio::sync::watch;

use crate::World;
use crate::bill::Bill;
use crate::receiver::{Receiver, Reply};

/// A function that starts only when its gate is open; messages of the retry queue have a gate of their own.
/// The time that it waits is added to its deadline.
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

/// The number of deliveries in flight at once.
const IN_FLIGHT: usize = 10_000;

/// The number of events published at once.
const AT_ONCE: usize = 50;

/// More than the visibility timeout, after which the message of an unanswered invocation is received again.
const REDELIVERY_TIMEOUT: Duration = Duration::from_mins(7);

/// The load to make.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The number of subscriptions to each event.
    pub fan_out: usize,
    /// One in this many first attempts fails.
    pub failing: Option<usize>,
    /// Bytes added to the event's example data.
    pub more_bytes: usize,
}

/// The counts and costs of a load.
pub struct LoadReport {
    /// Events published.
    pub events: u64,
    /// Deliveries made of them.
    pub deliveries: u64,
    /// Attempts made.
    pub attempts: u64,
    /// The cost of publishing the events.
    pub publishing: Bill,
    /// The cost of everything after that.
    pub delivering: Bill,
    /// The write units of the fan-out marks, included in `delivering`.
    pub marks: f64,
}

/// Makes ten thousand deliveries at once on a metered system.
///
/// # Panics
/// If they do not arrive.
pub async fn deliver(load: &Load) -> LoadReport {
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
    // A low concurrency, so that no call exceeds its caller's timeout on a slow machine.
    let low = |name: &str| (name.to_owned(), "10".to_owned());
    let parameters = BTreeMap::from([low("DeliverConcurrency"), low("RetryConcurrency")]);
    let world = World::made_of(Settings {
        metered: true,
        functions: functions.into(),
        parameters,
        ..stella_local::settings()
    })
    .await;
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
    // A first success keeps later deliveries on the fast lane.
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
    // Counts the fan-out marks, which are items, without a metered call.
    let items = core_items(&world);
    fan.send_replace(true);
    while core_items(&world) < items + events {
        // Reading the count locks the tables, which the functions need.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let marks = Bill::now(&world).since(&before).written;
    deliver.send_replace(true);
    receiver.wait_with_timeout(fan_out + deliveries, REDELIVERY_TIMEOUT).await;
    retry.send_replace(true);
    let attempts = deliveries + failing.map_or(0, |of| (fan_out + deliveries) / of);
    receiver.wait_with_timeout(fan_out + attempts, REDELIVERY_TIMEOUT).await;
    let count = |number: usize| u64::try_from(number).expect("a count");
    let delivering = Bill::until(&world, &before, "DeleteMessageBatch", count(attempts.div_ceil(10))).await;
    LoadReport {
        events: count(events),
        deliveries: count(deliveries),
        attempts: count(attempts),
        publishing,
        delivering,
        marks,
    }
}

/// The number of items of the core table, read from the engine directly so that it is not on the bill.
fn core_items(world: &World) -> usize {
    let tables = world.stack.dynamodb().database().table_stats().unwrap();
    let core = tables.into_iter().find(|table| table.table_name == "dev-core-table").unwrap();
    usize::try_from(core.item_count).unwrap()
}
