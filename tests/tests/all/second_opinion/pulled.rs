//! Deliveries that are fetched: reported, paused and resumed.

use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{becomes, deliveries as logged, subscription_path};

pub(super) async fn deliveries(world: &World) {
    let body = json!({"name": "reader", "url": "pull:", "events": ["rollback.initiated"],
        "retryPolicy": {"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 1}});
    let subscription = world.subscription(&body).await;
    world.publish("rollback.initiated").await;
    let first = fetched(world, &subscription).await;
    report(world, &subscription, &first, &json!({"error": "refused", "responseTime": 1})).await;
    let again = fetched(world, &subscription).await;
    assert_eq!((&again["deliveryId"], &again["attempt"]), (&first["deliveryId"], &json!(2)));
    report(world, &subscription, &again, &json!({"statusCode": 200, "responseTime": 1})).await;
    logged(world, &subscription, "delivered", 1).await;

    world.publish("rollback.initiated").await;
    let waiting = fetched(world, &subscription).await;
    switch(world, &subscription, false).await;
    logged(world, &subscription, "paused", 1).await;
    switch(world, &subscription, true).await;
    assert_eq!(fetched(world, &subscription).await["deliveryId"], waiting["deliveryId"]);
}

/// The next delivery that can be fetched.
async fn fetched(world: &World, subscription: &Value) -> Value {
    let path = format!("{}/pull?waitSeconds=1", subscription_path(subscription));
    becomes(world, &path, |fetched| fetched.get(0).is_some()).await[0].take()
}

async fn report(world: &World, subscription: &Value, delivery: &Value, body: &Value) {
    let delivery = delivery["deliveryId"].as_str().expect("an id");
    let answer = world.post(&format!("{}/pull/{delivery}", subscription_path(subscription)), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

async fn switch(world: &World, subscription: &Value, enabled: bool) {
    let path = format!("/api/v1/webhook-subscriptions/{}", id(subscription));
    let answer =
        world.admin.json(Method::PATCH, &path, &json!({"enabled": enabled})).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}
