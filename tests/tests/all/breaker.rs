//! Receivers that are down: the circuit breaker, automatic disabling, and the health that the API shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use http::Method;
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

/// A receiver that answers 503 until the flag is set, then 200.
async fn switchable_receiver() -> (Receiver, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let reply = move |_, _: &_| Reply::from(if is_up.load(Ordering::SeqCst) { 200 } else { 503 });
    (Receiver::start(reply).await, up)
}

/// A subscription whose only retry comes after an hour, later than the end of the test.
async fn with_one_late_retry(world: &World, receiver: &Receiver) -> Value {
    let policy = json!({"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 3600});
    world
        .subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "retryPolicy": policy}))
        .await
}

async fn shown(world: &World, subscription: &Value) -> Value {
    world.get(&format!("/api/v1/webhook-subscriptions/{}", id(subscription))).await["data"].clone()
}

/// Makes five deliveries fail, which opens the breaker.
async fn five_failures(world: &World, receiver: &Receiver, subscription: &Value) {
    for number in 1..=5 {
        world.publish("release.created").await;
        receiver.wait_for(number).await;
    }
    world.deliveries(subscription, |rows| rows.iter().filter(|row| row["attempts"] == 1).count() == 5).await;
    eventually(world, subscription, |view| view["health"]["breaker"] == "open").await;
}

#[tokio::test]
async fn an_open_breaker_defers_deliveries_then_probes_and_closes_on_success() {
    let world = World::with_manual_clock().await;
    let (receiver, up) = switchable_receiver().await;
    let subscription = with_one_late_retry(&world, &receiver).await;
    five_failures(&world, &receiver, &subscription).await;

    // The next deliveries are deferred, with a reason and without using an attempt.
    world.time.advance(Duration::seconds(2));
    for _ in 0..4 {
        world.publish("release.created").await;
    }
    let waits = |row: &&Value| row["reason"] == "breaker";
    let rows = world.deliveries(&subscription, |rows| rows.iter().filter(waits).count() == 4).await;
    for row in rows.iter().filter(waits) {
        assert_eq!((&row["status"], &row["attempts"]), (&json!("pending"), &json!(0)));
        assert!(row["nextAttemptAt"].is_string());
    }
    assert_eq!(receiver.received().len(), 5);

    // After one minute one of them is the probe. It fails, so the others wait for two more minutes.
    world.pass(Duration::seconds(60), &receiver, 6).await;
    let health = shown(&world, &subscription).await["health"].clone();
    assert!(health["breaker"] != "closed", "{health}");
    world.time.advance(Duration::seconds(60));
    world.deliveries(&subscription, |rows| rows.iter().filter(waits).count() == 3).await;
    assert_eq!(receiver.received().len(), 6, "one probe at a time");

    // The receiver recovers: the next probe closes the breaker, and the others follow.
    up.store(true, Ordering::SeqCst);
    world.pass(Duration::seconds(60), &receiver, 9).await;
    let delivered = |row: &&Value| row["status"] == "delivered";
    world.deliveries(&subscription, |rows| rows.iter().filter(delivered).count() == 3).await;
    let health = shown(&world, &subscription).await["health"].clone();
    assert_eq!(health["breaker"], "closed", "{health}");
    // Later events are sent at once.
    world.publish("release.created").await;
    receiver.wait_for(10).await;
}

#[tokio::test]
async fn client_errors_do_not_open_the_breaker() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::from(400)).await;
    let subscription = with_one_late_retry(&world, &receiver).await;
    for number in 1..=8 {
        world.publish("release.created").await;
        receiver.wait_for(number).await;
    }
    let failed = |row: &&Value| row["status"] == "failed";
    world.deliveries(&subscription, |rows| rows.iter().filter(failed).count() == 8).await;
    assert_eq!(shown(&world, &subscription).await["health"]["breaker"], "closed");
}

#[tokio::test]
async fn five_days_without_a_success_disable_a_subscription() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|_, _| Reply::from(500)).await;
    let operator = Receiver::accepting().await;
    world
        .subscription(
            &json!({"name": "operations", "url": operator.url, "events": ["subscription.disabled"]}),
        )
        .await;
    let never = json!({"maxRetries": 0});
    let subscription = world
        .subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "retryPolicy": never}))
        .await;
    for day in 0..=5 {
        world.publish("release.created").await;
        receiver.wait_for(day + 1).await;
        let failed = |row: &&Value| row["status"] == "failed";
        world.deliveries(&subscription, |rows| rows.iter().filter(failed).count() == day + 1).await;
        let enabled = shown(&world, &subscription).await["enabled"] == true;
        assert!(enabled || day == 5, "disabled on day {day}");
        world.time.advance(Duration::days(1));
    }
    let notified = operator.wait_for(1).await.remove(0).json();
    assert_eq!(notified["event"], "subscription.disabled");
    let off = shown(&world, &subscription).await;
    assert_eq!(off["enabled"], false);
    assert_eq!(off["disabledReason"], "Every attempt has failed for five days");

    // Enabling resets the five days.
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    world.admin.json(Method::PATCH, &path, &json!({"enabled": true})).await.unwrap();
    world.publish("release.created").await;
    receiver.wait_for(7).await;
    world.time.advance(Duration::minutes(2));
    assert_eq!(shown(&world, &subscription).await["enabled"], true);
}

#[tokio::test]
async fn a_subscription_shows_the_health_of_its_receiver() {
    let world = World::with_manual_clock().await;
    let (receiver, up) = switchable_receiver().await;
    let subscription = with_one_late_retry(&world, &receiver).await;
    let unused = shown(&world, &subscription).await;
    assert_eq!((unused.get("lastDelivery"), unused.get("lastStatus")), (None, None));
    assert_eq!(
        unused["health"],
        json!({"attempts": 0, "breaker": "closed", "hours": [], "responseTime": {}})
    );

    world.publish("release.created").await;
    receiver.wait_for(1).await;
    let failing = eventually(&world, &subscription, |view| view["health"]["attempts"] == 1).await;
    assert_eq!(failing["lastStatus"], 503);
    let began = timestamp(world.time.now());
    assert_eq!(failing["lastDelivery"], began);
    assert_eq!(failing["health"]["successRate"], 0.0);
    assert_eq!(failing["health"]["failingSince"], began);

    // A recovery is written at once, other attempts at most once a minute.
    up.store(true, Ordering::SeqCst);
    world.time.advance(Duration::seconds(10));
    for number in 2..=4 {
        world.publish("release.created").await;
        receiver.wait_for(number).await;
    }
    let well = eventually(&world, &subscription, |view| view["lastStatus"] == 200).await;
    assert_eq!(well["health"].get("failingSince"), None);
    assert_eq!(well["health"]["lastSuccess"], timestamp(world.time.now()));
    world.time.advance(Duration::seconds(60));
    let whole = eventually(&world, &subscription, |view| view["health"]["attempts"] == 4).await;
    assert_eq!(whole["health"]["successRate"], 0.75);
    let counted = whole["health"]["hours"].as_array().expect("hours").iter();
    assert_eq!(counted.filter_map(|hour| hour["successes"].as_u64()).sum::<u64>(), 3);
    let listed = world.get("/api/v1/webhook-subscriptions").await;
    assert_eq!(listed["data"][0]["health"], whole["health"]);
}

/// Waits until `done` holds for the subscription; the subscription.
async fn eventually(world: &World, subscription: &Value, done: impl Fn(&Value) -> bool) -> Value {
    world.eventually(&format!("/api/v1/webhook-subscriptions/{}", id(subscription)), done).await
}
