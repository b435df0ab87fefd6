//! Receivers that are down: held back, probed, taken up again, and in the end given up; and how they are said
//! to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use http::Method;
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

/// A receiver that is down until it is told to be up.
async fn switched() -> (Receiver, Arc<AtomicBool>) {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let reply = move |_, _: &_| Reply::from(if is_up.load(Ordering::SeqCst) { 200 } else { 503 });
    (Receiver::start(reply).await, up)
}

/// A subscription whose deliveries are tried once more after an hour, long after all that happens here.
async fn patient(world: &World, receiver: &Receiver) -> Value {
    let policy = json!({"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 3600});
    world
        .subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "retryPolicy": policy}))
        .await
}

async fn shown(world: &World, subscription: &Value) -> Value {
    world.get(&format!("/api/v1/webhook-subscriptions/{}", id(subscription))).await["data"].clone()
}

/// Five deliveries that fail, so that the breaker opens.
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
    let (receiver, up) = switched().await;
    let subscription = patient(&world, &receiver).await;
    five_failures(&world, &receiver, &subscription).await;

    // The next deliveries wait, visibly and without using an attempt.
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

    // After a minute one of them is a probe. It fails: the rest waits on, for two minutes.
    world.pass(Duration::seconds(60), &receiver, 6).await;
    let health = shown(&world, &subscription).await["health"].clone();
    assert!(health["breaker"] != "closed", "{health}");
    world.time.advance(Duration::seconds(60));
    world.deliveries(&subscription, |rows| rows.iter().filter(waits).count() == 3).await;
    assert_eq!(receiver.received().len(), 6, "one probe at a time");

    // The receiver is back: the next probe closes the breaker, and the others follow.
    up.store(true, Ordering::SeqCst);
    world.pass(Duration::seconds(60), &receiver, 9).await;
    let delivered = |row: &&Value| row["status"] == "delivered";
    world.deliveries(&subscription, |rows| rows.iter().filter(delivered).count() == 3).await;
    let health = shown(&world, &subscription).await["health"].clone();
    assert_eq!(health["breaker"], "closed", "{health}");
    // And what happens now is sent at once.
    world.publish("release.created").await;
    receiver.wait_for(10).await;
}

#[tokio::test]
async fn client_errors_do_not_open_the_breaker() {
    let world = World::start().await;
    let receiver = Receiver::start(|_, _| Reply::from(400)).await;
    let subscription = patient(&world, &receiver).await;
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
    let told = operator.wait_for(1).await.remove(0).json();
    assert_eq!(told["event"], "subscription.disabled");
    let off = shown(&world, &subscription).await;
    assert_eq!(off["enabled"], false);
    assert_eq!(off["disabledReason"], "Every attempt has failed for five days");

    // Enabled again it begins anew: the next failure is the first.
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
    let (receiver, up) = switched().await;
    let subscription = patient(&world, &receiver).await;
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

    // That it takes deliveries again is known at once; what else happens within the minute, after it.
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

/// The subscription, once it is as expected.
async fn eventually(world: &World, subscription: &Value, done: impl Fn(&Value) -> bool) -> Value {
    world.eventually(&format!("/api/v1/webhook-subscriptions/{}", id(subscription)), done).await
}
