//! Deliveries: both lanes, retries, disabling, redelivery, recovery, the breaker and deletion.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

use super::{deliveries as logged, rows, shown, subscription_path, wait_minutes_until, wait_until};

/// A receiver that answers with this status until the flag is set, then 200.
async fn switchable_receiver(status: u16) -> (Receiver, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let reply = move |_, _: &_| Reply::from(if is_up.load(Ordering::SeqCst) { 200 } else { status });
    (Receiver::start(reply).await, up)
}

/// Creates a subscription to an event type that no other has.
async fn subscribe(world: &World, receiver: &Receiver, event: &str, more: &Value) -> Value {
    let mut body = json!({"name": event, "url": receiver.url, "events": [event],
        "retryPolicy": {"maxRetries": 2, "backoffType": "fixed", "backoffSeconds": 1}});
    stella::domain::shared::merge_patch::merge(&mut body, more);
    world.subscription(&body).await
}

async fn change(world: &World, subscription: &Value, body: &Value) -> Value {
    let path = subscription_path(subscription);
    let answer = world.admin.json(Method::PATCH, &path, body).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.data().clone()
}

async fn delete(world: &World, subscription: &Value) {
    let path = subscription_path(subscription);
    let answer = world.admin.json(Method::DELETE, &path, &Value::Null).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
}

pub(super) async fn deliveries(world: &World) {
    both_lanes(world).await;
    secret_rotated(world).await;
    retried_until_delivered(world).await;
    gone(world).await;
    disabled_and_resumed(world).await;
    failed_and_recovered(world).await;
}

pub(super) async fn waits(world: &World) {
    delayed_for_hours(world).await;
    breaker(world).await;
    deleted(world).await;
}

/// First attempts take the fast lane, or the slow one if a rate limit defers them.
async fn both_lanes(world: &World) {
    let receiver = Receiver::accepting().await;
    let fast = subscribe(world, &receiver, "promotion.requested", &json!({})).await;
    let slow = subscribe(world, &receiver, "promotion.requested", &json!({"rateLimitPerSecond": 5})).await;
    let whole = json!({"name": "whole", "url": receiver.url, "events": ["promotion.requested"],
        "filters": [{"field": "data.absent", "operator": "exists", "value": true}]});
    let third = subscribe(world, &receiver, "promotion.requested", &json!({})).await;
    let replaced =
        world.admin.json(Method::PUT, &subscription_path(&third), &whole).await.expect("an answer");
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    let event = world.publish("promotion.requested").await;
    for subscription in [&fast, &slow] {
        logged(world, subscription, "delivered", 1).await;
    }
    let path = format!("{}/deliveries", subscription_path(&third));
    assert!(rows(world, &path).await.is_empty(), "it is filtered out");
    let calls = world.stack.calls();
    assert!(calls.of("lambda", "DeliverFunction") > 0 && calls.of("lambda", "RetryFunction") > 0);
    let event = shown(world, &format!("/api/v1/events/{event}")).await;
    assert_eq!(event["data"]["deliveries"].as_array().map(Vec::len), Some(2), "{event}");
    let selection = json!({"event": "promotion.requested", "events": ["promotion.*"]});
    let preview = world.post("/api/v1/webhook-subscriptions/preview", &selection).await;
    assert_eq!(preview.data()["matched"], true, "{}", preview.body);
}

/// After a rotation both the new and the old secret sign.
async fn secret_rotated(world: &World) {
    let receiver = Receiver::accepting().await;
    let subscription =
        subscribe(world, &receiver, "promotion.approved", &json!({"authType": "signature"})).await;
    let rotated =
        world.post(&format!("{}/rotate-secret", subscription_path(&subscription)), &json!({})).await;
    assert!(rotated.data()["signatureSecret"].is_string(), "{}", rotated.body);
    let tested = world
        .post(&format!("{}/test", subscription_path(&subscription)), &json!({"event": "promotion.approved"}))
        .await;
    assert_eq!(tested.body["success"], true, "{}", tested.body);
    let request = receiver.wait_for(1).await.remove(0);
    assert_ne!(request.header("x-stella-signature-previous"), "");
}

async fn retried_until_delivered(world: &World) {
    let receiver = Receiver::start(|number, _| Reply::from(if number < 2 { 500 } else { 200 })).await;
    let subscription = subscribe(world, &receiver, "promotion.rejected", &json!({})).await;
    world.publish("promotion.rejected").await;
    let rows = logged(world, &subscription, "delivered", 1).await;
    assert_eq!(rows[0]["attempts"], 3, "{rows:?}");
    let whole = shown(world, &format!("/api/v1/deliveries/{}", id(&rows[0]))).await;
    assert_eq!(whole["data"]["log"].as_array().map(Vec::len), Some(3));
}

/// A 410 disables the subscription and raises an operational event.
async fn gone(world: &World) {
    let (receiver, _) = switchable_receiver(410).await;
    let watching = Receiver::accepting().await;
    subscribe(world, &watching, "subscription.disabled", &json!({})).await;
    let subscription = subscribe(world, &receiver, "deployment.started", &json!({})).await;
    world.publish("deployment.started").await;
    wait_until(world, &subscription_path(&subscription), |shown| shown["enabled"] == false).await;
    watching.wait_for(1).await;
}

/// Disabling a subscription pauses its open deliveries, enabling resumes them.
async fn disabled_and_resumed(world: &World) {
    let (receiver, up) = switchable_receiver(500).await;
    let policy = json!({"retryPolicy": {"backoffSeconds": 14_400, "maxBackoffSeconds": 43_200}});
    let subscription = subscribe(world, &receiver, "deployment.completed", &policy).await;
    world.publish("deployment.completed").await;
    logged(world, &subscription, "retrying", 1).await;
    change(world, &subscription, &json!({"enabled": false})).await;
    // The delivery is paused when its retry is due.
    world.time.advance(Duration::hours(5));
    logged(world, &subscription, "paused", 1).await;
    world.publish("deployment.completed").await;
    logged(world, &subscription, "skipped", 1).await;
    up.store(true, Ordering::SeqCst);
    change(world, &subscription, &json!({"enabled": true})).await;
    logged(world, &subscription, "delivered", 1).await;
}

/// Failed deliveries are redelivered, singly and by a recovery.
async fn failed_and_recovered(world: &World) {
    let (receiver, up) = switchable_receiver(400).await;
    let subscription = subscribe(world, &receiver, "deployment.failed", &json!({})).await;
    for _ in 0..3 {
        world.publish("deployment.failed").await;
    }
    let failed = logged(world, &subscription, "failed", 3).await;
    up.store(true, Ordering::SeqCst);
    let again = world.post(&format!("/api/v1/deliveries/{}/redeliver", id(&failed[0])), &Value::Null).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    logged(world, &subscription, "delivered", 1).await;

    let recover = format!("{}/recover", subscription_path(&subscription));
    let from = timestamp(world.time.now() - Duration::hours(12));
    let counted = world.post(&recover, &json!({"from": from, "dryRun": true})).await;
    assert_eq!(counted.data()["matched"], 2, "{}", counted.body);
    let begun = world.post(&recover, &json!({"from": from})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    logged(world, &subscription, "delivered", 3).await;
    let path = format!("/api/v1/recoveries/{}", id(begun.data()));
    wait_until(world, &path, |recovery| recovery["status"] == "completed").await;
}

/// A delay of hours is kept in the due index.
async fn delayed_for_hours(world: &World) {
    let (receiver, up) = switchable_receiver(500).await;
    let policy = json!({"retryPolicy": {"backoffSeconds": 14_400, "maxBackoffSeconds": 43_200}});
    let subscription = subscribe(world, &receiver, "rollback.initiated", &policy).await;
    world.publish("rollback.initiated").await;
    logged(world, &subscription, "retrying", 1).await;
    up.store(true, Ordering::SeqCst);
    world.time.advance(Duration::hours(5));
    logged(world, &subscription, "delivered", 1).await;
    delete(world, &subscription).await;
}

/// The breaker opens, probes, closes, and the deferred deliveries are sent.
async fn breaker(world: &World) {
    let (receiver, up) = switchable_receiver(503).await;
    let policy = json!({"retryPolicy": {"backoffSeconds": 14_400, "maxBackoffSeconds": 43_200}});
    let subscription = subscribe(world, &receiver, "rollback.initiated", &policy).await;
    for number in 1..=5 {
        world.publish("rollback.initiated").await;
        receiver.wait_for(number).await;
    }
    let path = subscription_path(&subscription);
    wait_until(world, &path, |shown| shown["health"]["breaker"] == "open").await;
    // An environment may have cached the closed breaker.
    world.time.advance(Duration::minutes(1));
    world.publish("rollback.initiated").await;
    up.store(true, Ordering::SeqCst);
    wait_minutes_until(world, &path, |shown| shown["health"]["breaker"] == "closed").await;
    world.time.advance(Duration::hours(5));
    logged(world, &subscription, "delivered", 6).await;
}

/// Deleting a subscription cancels its open deliveries.
async fn deleted(world: &World) {
    let (receiver, _) = switchable_receiver(500).await;
    let policy = json!({"retryPolicy": {"backoffSeconds": 14_400, "maxBackoffSeconds": 43_200}});
    let subscription = subscribe(world, &receiver, "release.created", &policy).await;
    world.publish("release.created").await;
    let open = logged(world, &subscription, "retrying", 1).await;
    delete(world, &subscription).await;
    let path = format!("/api/v1/deliveries/{}", id(&open[0]));
    wait_until(world, &path, |delivery| delivery["status"] == "cancelled").await;
}
