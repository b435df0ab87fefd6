//! Recovery of many failed deliveries, and redriving dead letters.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::runtime::record_environments;
use end_to_end::{World, id};
use http::{Method, StatusCode};
use sam_local::Time;
use serde_json::{Value, json};
use stella::aws::Aws;
use stella::clock::{Clock as _, SystemClock};
use stella::domain::shared::time::timestamp;
use stella::error::Error;
use stella::function::{Answer, Function};
use stella::queue::{Outgoing, Queue};
use stella_local::Functions;

#[tokio::test]
async fn a_recovery_counts_and_then_redelivers_the_failed_deliveries_of_a_time_range() {
    let world = World::with_manual_clock().await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let receiver =
        Receiver::start(move |_, _| Reply::from(if is_up.load(Ordering::SeqCst) { 200 } else { 400 })).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    let recover = format!("/api/v1/webhook-subscriptions/{}/recover", id(&subscription));
    let failed =
        |count| move |rows: &[Value]| rows.iter().filter(|row| row["status"] == "failed").count() == count;
    for number in 1..=12 {
        world.publish("release.created").await;
        receiver.wait_for(number).await;
        if number == 2 {
            world.deliveries(&subscription, failed(2)).await;
            world.time.advance(Duration::hours(1));
        }
    }
    world.deliveries(&subscription, failed(12)).await;

    let ago = |minutes| timestamp(world.time.now() - Duration::minutes(minutes));
    let counted = world.post(&recover, &json!({"from": ago(30), "dryRun": true})).await;
    assert_eq!(counted.status, StatusCode::OK, "{}", counted.body);
    assert_eq!(counted.data()["matched"], 10);
    let all = world.post(&recover, &json!({"from": ago(60), "dryRun": true})).await;
    assert_eq!(all.data()["matched"], 12);
    let none = json!({"from": ago(60), "status": "skipped", "dryRun": true});
    assert_eq!(world.post(&recover, &none).await.data()["matched"], 0);
    assert_eq!(receiver.received().len(), 12, "counting sends nothing");

    up.store(true, Ordering::SeqCst);
    let begun = world.post(&recover, &json!({"from": ago(30)})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    assert_eq!(begun.data()["matched"], 10);
    receiver.wait_for(22).await;
    let path = format!("/api/v1/recoveries/{}", id(begun.data()));
    let recovery = world.eventually(&path, |recovery| recovery["status"] == "completed").await;
    assert_eq!(recovery["requeued"], 10);
    let rows = world.deliveries(&subscription, failed(2)).await;
    assert_eq!(rows.iter().filter(|row| row["status"] == "delivered").count(), 10);
    // A recovered delivery keeps its id.
    let received = receiver.received();
    let ids = |part: &[end_to_end::receiver::Received]| {
        let ids = part.iter().map(|request| request.header("x-stella-delivery").to_owned());
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&received[2..12]), ids(&received[12..]));
}

#[tokio::test]
async fn deliveries_of_a_disabled_subscription_are_recovered_only_after_it_is_enabled() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"], "enabled": false});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    world.deliveries(&subscription, |rows| rows.len() == 1 && rows[0]["status"] == "skipped").await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    let recover = format!("{path}/recover");
    let from = json!({"from": "2020-01-01T00:00:00Z"});
    let refused = world.post(&recover, &from).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::CONFLICT, &json!("subscription_disabled"))
    );
    let wrong = world.post(&recover, &json!({"to": "yesterday", "status": "pending"})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.body["errors"].as_array().unwrap().len(), 3, "{}", wrong.body);

    world.admin.json(Method::PATCH, &path, &json!({"enabled": true})).await.unwrap();
    let begun = world.post(&recover, &from).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    receiver.wait_for(1).await;
}

/// `deliver`, failing every batch until the flag is set.
struct Failing<F> {
    inner: F,
    is_fixed: Arc<AtomicBool>,
}

impl<F: Function> Function for Failing<F> {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            if self.is_fixed.load(Ordering::SeqCst) {
                return self.inner.handle(event, deadline).await;
            }
            Err(Error::fault("injected fault"))
        })
    }
}

#[tokio::test]
async fn dead_letters_of_a_broken_function_are_shown_to_the_operator_and_redriven() {
    let is_fixed = Arc::new(AtomicBool::new(false));
    let fixed = Arc::clone(&is_fixed);
    let functions = Functions::ours().with("deliver", move |environment| {
        let is_fixed = Arc::clone(&fixed);
        async move { Ok(Failing { inner: stella_deliver::start(environment).await?, is_fixed }) }
    });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    world.publish("release.created").await;
    let dead = async || world.operator.get("/api/v1/dead-letters").await.unwrap().data().clone();
    let mut found = dead().await;
    assert_eq!(found["approximateMessages"], 0);
    // SQS moves the message to the dead-letter queue after ten receives.
    while found["approximateMessages"] == 0 {
        world.time.advance(Duration::seconds(60));
        found = dead().await;
    }
    assert_eq!(found["sample"][0]["queue"], "deliveries");
    assert!(found["sample"][0]["body"].as_str().unwrap().contains("release.created"), "{found}");
    let refused = world.admin.get("/api/v1/dead-letters").await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let redrive =
        async |body: Value| world.operator.post("/api/v1/dead-letters/redrive", &body).await.unwrap();
    assert_eq!(redrive(json!({"queue": "other"})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_fixed.store(true, Ordering::SeqCst);
    let moved = redrive(json!({"queue": "deliveries"})).await;
    assert_eq!(moved.status, StatusCode::ACCEPTED, "{}", moved.body);
    receiver.wait_for(1).await;
    assert_eq!(dead().await["approximateMessages"], 0);
}

#[tokio::test]
async fn dead_letters_of_every_queue_are_shown_and_can_be_redriven() {
    let (functions, environments) = record_environments();
    let world = World::with(functions, Time::system()).await;
    let environment = world.unlimited(&environments.lock().unwrap()["ApiFunction"]);
    let sqs = Aws::new(&environment).unwrap().sqs();
    for variable in [
        "DELIVERIES_DEAD_LETTERS_URL",
        "RETRIES_DEAD_LETTERS_URL",
        "COMMANDS_DEAD_LETTERS_URL",
        "INBOUND_RETRY_DEAD_LETTERS_URL",
    ] {
        let queue = Queue::of(&environment, &sqs, variable).unwrap();
        queue
            .send(Outgoing { body: &"not one of ours", group: "g".to_owned(), delay_seconds: 0 })
            .await
            .unwrap();
    }
    let dead = async || world.operator.get("/api/v1/dead-letters").await.unwrap().data().clone();
    let found = dead().await;
    assert_eq!(found["approximateMessages"], 4);
    let shown: BTreeSet<&str> = found["sample"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["queue"].as_str().unwrap())
        .collect();
    assert_eq!(shown.len(), 4, "{found}");
    let moved = world.operator.post("/api/v1/dead-letters/redrive", &json!({})).await.unwrap();
    assert_eq!(moved.data()["queues"].as_array().unwrap().len(), 4, "{}", moved.body);
}
