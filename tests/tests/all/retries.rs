//! The delays between attempts: by the retry policy, and by the receiver's `Retry-After`.

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use serde_json::{Value, json};

/// Advances the clock until the only delivery makes the attempt after `attempt`; the delay that its row had
/// shown.
pub(super) async fn next_attempt(
    world: &World,
    subscription: &Value,
    receiver: &Receiver,
    attempt: usize,
) -> Duration {
    let rows = world.deliveries(subscription, |rows| rows.len() == 1 && rows[0]["attempts"] == attempt).await;
    let next: DateTime<Utc> = rows[0]["nextAttemptAt"].as_str().expect("a next attempt").parse().unwrap();
    let wait = next - world.time.now();
    world.pass(wait, receiver, attempt + 1).await;
    wait
}

#[tokio::test]
async fn a_retry_after_of_two_minutes_delays_the_retry_by_two_minutes() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| {
        let mut reply = Reply::from(if number == 0 { 503 } else { 200 });
        reply.headers.push(("retry-after", "120".to_owned()));
        reply
    })
    .await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    let wait = next_attempt(&world, &subscription, &receiver, 1).await;
    assert!(wait >= Duration::seconds(119), "{wait}");
}

#[tokio::test]
async fn a_delay_of_hours_is_kept_by_the_due_index() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number < 2 { 500 } else { 200 })).await;
    let policy = json!({"maxRetries": 3, "backoffType": "fixed", "backoffSeconds": 14400,
        "maxBackoffSeconds": 43200});
    let body =
        json!({"name": "s", "url": receiver.url, "events": ["release.created"], "retryPolicy": policy});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    for attempt in [1, 2] {
        let wait = next_attempt(&world, &subscription, &receiver, attempt).await;
        assert!(wait >= Duration::hours(4), "{wait}");
    }
    world.deliveries(&subscription, |rows| rows[0]["status"] == "delivered").await;
}

#[tokio::test]
async fn every_delay_of_an_exponential_schedule_of_half_a_day_is_kept() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|_, _| Reply::from(500)).await;
    let policy = json!({"maxRetries": 13, "backoffType": "exponential", "backoffSeconds": 10,
        "maxBackoffSeconds": 43200});
    let body =
        json!({"name": "s", "url": receiver.url, "events": ["release.created"], "retryPolicy": policy});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    receiver.wait_for(1).await;
    // 10 s, 20 s, … 40 960 s: by one queue delay, by several, and by the due index.
    for attempt in 1..=13_usize {
        let wait = next_attempt(&world, &subscription, &receiver, attempt).await;
        let least = Duration::seconds(10 << (attempt - 1));
        let most = least + least / 5 + Duration::seconds(1);
        assert!(
            wait > least - Duration::seconds(1) - least / 100 && wait <= most,
            "attempt {attempt}: {wait}"
        );
    }
    let rows = world.deliveries(&subscription, |rows| rows[0]["status"] == "failed").await;
    assert_eq!((&rows[0]["reason"], &rows[0]["attempts"]), (&json!("exhausted"), &json!(14)));
    let shown = world.get(&format!("/api/v1/deliveries/{}", id(&rows[0]))).await;
    let log = shown["data"]["log"].as_array().unwrap();
    let at = |number: usize| log[number]["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    for number in 1..=13 {
        let waited = at(number) - at(number - 1);
        assert!(waited >= Duration::seconds(10 << (number - 1)), "before attempt {}: {waited}", number + 1);
    }
}
