//! Outages of SQS and DynamoDB, and changes while deliveries are open: an accepted event is delivered once,
//! one that cannot be stored is refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::Duration;
use end_to_end::faults::{Fault, FaultProxy};
use end_to_end::no_op::NoOp;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use futures_util::future::join_all;
use http::{Method, StatusCode};
use sam_local::Time;
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;

/// A system in which one function calls one AWS service through a proxy; with the proxy.
macro_rules! world_with_proxy {
    ($code:literal, $start:path, $variable:literal) => {{
        let proxy: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
        let made = Arc::clone(&proxy);
        let functions = Functions::ours().with($code, move |environment| {
            let made = Arc::clone(&made);
            async move {
                let proxy = FaultProxy::of(&environment, $variable).await?;
                *made.lock().unwrap() = Some(proxy.clone());
                $start(environment.with($variable, &proxy.url)).await
            }
        });
        let world = World::with(functions, Time::manual(SystemClock.now())).await;
        let proxy = proxy.lock().unwrap().clone().expect("the proxy is started");
        (world, proxy)
    }};
}

#[tokio::test]
async fn an_event_posted_while_sqs_is_down_is_delivered_when_it_recovers() {
    let (world, queues) = world_with_proxy!("fanout", stella_fanout::start, "AWS_ENDPOINT_URL_SQS");
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    queues.fail(|_| Fault::ServerError);
    for _ in 0..5 {
        world.publish("release.created").await;
    }
    world.time.advance(Duration::minutes(2));
    assert!(receiver.received().is_empty());
    queues.clear_faults();
    let received = world.pass(Duration::seconds(1), &receiver, 5).await;
    let ids: std::collections::BTreeSet<&str> =
        received.iter().map(|request| request.header("x-stella-delivery")).collect();
    assert_eq!((received.len(), ids.len()), (5, 5));
}

#[tokio::test]
async fn an_event_that_cannot_be_stored_is_answered_503_and_leaves_no_record() {
    let (world, tables) = world_with_proxy!("api", stella_api::start, "AWS_ENDPOINT_URL_DYNAMODB");
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    let event = json!({"event": "release.created", "data": world.example("release.created")});
    tables.fail(|operation| if operation == "PutItem" { Fault::ServerError } else { Fault::None });
    let answer = world.post("/api/v1/events", &event).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.body.get("detail"), None);
    tables.clear_faults();
    assert_eq!(world.get("/api/v1/events").await["pagination"]["total"], 0);
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn an_idempotency_record_whose_write_response_was_lost_does_not_make_the_request_a_duplicate() {
    let (world, tables) = world_with_proxy!("api", stella_api::start, "AWS_ENDPOINT_URL_DYNAMODB");
    let lost = AtomicUsize::new(0);
    tables.fail(move |operation| match operation {
        "PutItem" if lost.fetch_add(1, Ordering::SeqCst) == 0 => Fault::ResponseLost,
        _ => Fault::None,
    });
    let event = json!({"event": "release.created", "data": world.example("release.created")}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
    let answer = world.admin.send(Method::POST, "/api/v1/events", &headers, event.into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(world.get("/api/v1/events").await["pagination"]["total"], 1);
}

#[tokio::test]
async fn only_the_failed_messages_of_a_batch_are_sent_again() {
    let (world, queues) = world_with_proxy!("fanout", stella_fanout::start, "AWS_ENDPOINT_URL_SQS");
    let receiver = Receiver::accepting().await;
    for name in ["one", "two", "three"] {
        world.subscription(&json!({"name": name, "url": receiver.url, "events": ["release.created"]})).await;
    }
    // One in three requests to SQS fails, and so does the SDK's retry of it.
    let calls = AtomicUsize::new(0);
    queues.fail(move |_| match calls.fetch_add(1, Ordering::SeqCst) % 4 {
        2 | 3 => Fault::ServerError,
        _ => Fault::None,
    });
    join_all((0..40).map(|_| world.publish("release.created"))).await;
    world.pass(Duration::seconds(1), &receiver, 120).await;
    // Whatever is still under way would be duplicates.
    for _ in 0..20 {
        world.stack.idle().await;
        world.time.advance(Duration::seconds(30));
        world.get("/api/v1/events").await;
    }
    let received = receiver.received();
    let ids: std::collections::BTreeSet<&str> =
        received.iter().map(|request| request.header("x-stella-delivery")).collect();
    assert_eq!((received.len(), ids.len()), (120, 120));
}

#[tokio::test]
async fn an_accepted_delivery_is_retried_after_the_filter_changed() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number == 0 { 500 } else { 200 })).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    receiver.wait_for(1).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    let nothing = json!({"filters": [{"field": "data.nothing", "operator": "exists", "value": true}]});
    let changed = world.admin.json(Method::PATCH, &path, &nothing).await.unwrap();
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    world.pass(Duration::seconds(15), &receiver, 2).await;
    world.deliveries(&subscription, |rows| rows[0]["status"] == "delivered").await;
    world.publish("release.created").await;
    world.time.advance(Duration::seconds(30));
    assert_eq!(world.deliveries(&subscription, |_| true).await.len(), 1, "later events are filtered");
}

#[tokio::test]
async fn a_delivery_to_an_address_that_became_forbidden_fails_without_retry() {
    let functions = Functions::ours().with("deliver", |environment| async move {
        stella_deliver::start(environment.with("EGRESS_ALLOW_CIDRS", "")).await
    });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let receiver = Receiver::accepting().await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}");
        let body = json!({"name": host, "url": url, "events": ["release.created"]});
        world.subscription(&body).await;
    }
    world.publish("release.created").await;
    let listed = world.get("/api/v1/webhook-subscriptions").await;
    for subscription in listed["data"].as_array().unwrap() {
        let rows = world.deliveries(subscription, |rows| rows.len() == 1).await;
        assert_eq!((&rows[0]["status"], &rows[0]["attempts"]), (&json!("failed"), &json!(1)), "{rows:?}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn the_sweep_fans_out_an_event_that_the_stream_missed_within_minutes() {
    let functions = Functions::ours().with("fanout", |_| async { Ok(NoOp) });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    world.publish("release.created").await;
    world.time.advance(Duration::minutes(3));
    assert!(!receiver.has(1).await, "the stream may still deliver it");
    let received = world.pass(Duration::minutes(3), &receiver, 1).await;
    for _ in 0..30 {
        world.time.advance(Duration::minutes(1));
    }
    assert!(!receiver.has(2).await, "its fan-out is marked as done");
    assert_eq!(received[0].header("x-stella-attempt"), "1");
}
