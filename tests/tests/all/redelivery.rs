//! Redelivery of single deliveries, and how long the delivery log keeps them.

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn a_redelivered_delivery_keeps_its_id() {
    let world = World::start().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number == 0 { 400 } else { 200 })).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    let rows = world.deliveries(&subscription, |rows| rows.len() == 1).await;
    let path = format!("/api/v1/deliveries/{}/redeliver", id(&rows[0]));
    let answer = world.post(&path, &Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].header("x-stella-delivery"), received[1].header("x-stella-delivery"));
    assert_eq!(received[1].header("x-stella-attempt"), "1");
    let rows = world.deliveries(&subscription, |rows| rows[0]["status"] == "delivered").await;
    assert_eq!(rows.len(), 1);
    // A delivery of a disabled subscription cannot be redelivered.
    let subscription_path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    world.admin.json(Method::PATCH, &subscription_path, &json!({"enabled": false})).await.unwrap();
    let answer = world.post(&path, &Value::Null).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::CONFLICT, &json!("subscription_disabled"))
    );
}

#[tokio::test]
async fn an_open_delivery_cannot_be_redelivered() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|_, _| Reply::from(500)).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    let rows = world.deliveries(&subscription, |rows| rows.len() == 1).await;
    let answer = world.post(&format!("/api/v1/deliveries/{}/redeliver", id(&rows[0])), &Value::Null).await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::CONFLICT, &json!("delivery_open")));
}

#[tokio::test]
async fn the_log_shows_a_delivery_for_thirty_days() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    let rows =
        world.deliveries(&subscription, |rows| rows.len() == 1 && rows[0]["status"] == "delivered").await;
    let path = format!("/api/v1/deliveries/{}", id(&rows[0]));
    world.time.advance(Duration::days(29));
    world.get(&path).await;
    world.time.advance(Duration::days(1));
    // The item may still exist: DynamoDB deletes expired items later.
    assert_eq!(world.admin.get(&path).await.unwrap().status, StatusCode::NOT_FOUND);
    assert!(world.deliveries(&subscription, |_| true).await.is_empty());
}
