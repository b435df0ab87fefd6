//! Pull deliveries: fetched, reported, paused and resumed.

use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{deliveries as logged, subscription_path, wait_until};

pub(super) async fn deliveries(world: &World) {
    let body = json!({"name": "reader", "url": "pull:", "events": ["rollback.initiated"],
        "retryPolicy": {"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 1}});
    let subscription = world.subscription(&body).await;
    world.publish("rollback.initiated").await;
    let first = fetch(world, &subscription).await;
    report(world, &subscription, &first, &json!({"error": "refused", "responseTime": 1})).await;
    let again = fetch(world, &subscription).await;
    assert_eq!((&again["deliveryId"], &again["attempt"]), (&first["deliveryId"], &json!(2)));
    report(world, &subscription, &again, &json!({"statusCode": 200, "responseTime": 1})).await;
    logged(world, &subscription, "delivered", 1).await;

    world.publish("rollback.initiated").await;
    let waiting = fetch(world, &subscription).await;
    set_enabled(world, &subscription, false).await;
    logged(world, &subscription, "paused", 1).await;
    set_enabled(world, &subscription, true).await;
    assert_eq!(fetch(world, &subscription).await["deliveryId"], waiting["deliveryId"]);
}

/// Waits for a delivery and fetches it.
async fn fetch(world: &World, subscription: &Value) -> Value {
    let path = format!("{}/pull?waitSeconds=1", subscription_path(subscription));
    wait_until(world, &path, |fetched| fetched.get(0).is_some()).await[0].take()
}

async fn report(world: &World, subscription: &Value, delivery: &Value, body: &Value) {
    let delivery = delivery["deliveryId"].as_str().expect("an id");
    let answer = world.post(&format!("{}/pull/{delivery}", subscription_path(subscription)), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

async fn set_enabled(world: &World, subscription: &Value, enabled: bool) {
    let path = format!("/api/v1/webhook-subscriptions/{}", id(subscription));
    let answer =
        world.admin.json(Method::PATCH, &path, &json!({"enabled": enabled})).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}
