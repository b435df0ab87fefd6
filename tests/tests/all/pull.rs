//! Pull subscriptions: fetching, reporting, leases, expiry and pausing.

use chrono::Duration;
use end_to_end::{World, id};
use hmac::{Hmac, Mac as _};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use stella_local::client::{Answer, Client};

/// Creates a pull subscription; its path.
async fn subscribe(world: &World, more: &Value) -> String {
    let mut body = json!({"name": "reader", "url": "pull:", "events": ["release.created"]});
    stella::domain::shared::merge_patch::merge(&mut body, more);
    format!("/api/v1/webhook-subscriptions/{}", id(&world.subscription(&body).await))
}

async fn fetch(client: &Client, subscription: &str, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("{subscription}/pull{query}")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.data().as_array().unwrap().clone()
}

/// Fetches until there are `count` deliveries.
async fn fetch_all(world: &World, subscription: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..1_000 {
        all.extend(fetch(&world.admin, subscription, "?waitSeconds=0&max=100").await);
        if all.len() >= count {
            break;
        }
        world.stack.idle().await;
    }
    assert_eq!(all.len(), count);
    all
}

async fn report(world: &World, subscription: &str, delivery: &Value, body: &Value) -> Answer {
    world.post(&format!("{subscription}/pull/{}", delivery["deliveryId"].as_str().unwrap()), body).await
}

async fn rows(world: &World, subscription: &str) -> Vec<Value> {
    world.get(&format!("{subscription}/deliveries")).await["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_delivery_equals_the_request_that_would_be_sent_and_is_reported_once() {
    let world = World::with_manual_clock().await;
    let secret = "a secret of ours";
    let subscription = subscribe(
        &world,
        &json!({"authType": "signature", "signatureSecret": secret, "method": "PUT",
        "headers": {"X-Team": "blue"}}),
    )
    .await;
    world.publish("release.created").await;
    let fetched = &fetch_all(&world, &subscription, 1).await[0];
    let (headers, body) = (&fetched["headers"], fetched["body"].as_str().unwrap());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = hex::decode(headers["X-Stella-Signature"].as_str().unwrap()).unwrap();
    assert!(mac.verify_slice(&signature).is_ok());
    assert_eq!((&fetched["method"], &headers["X-Team"]), (&json!("PUT"), &json!("blue")));
    assert_eq!((&fetched["attempt"], &headers["X-Stella-Attempt"]), (&json!(1), &json!("1")));
    let sent: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&sent["id"], &sent["event"]), (&fetched["deliveryId"], &json!("release.created")));
    assert_eq!(
        fetch(&world.admin, &subscription, "?waitSeconds=0").await,
        Vec::<Value>::new(),
        "another reader has the lease"
    );

    let row = &rows(&world, &subscription).await[0];
    assert_eq!((&row["status"], &row["reason"]), (&json!("pending"), &json!("pull")));
    let result = json!({"attempt": 1, "statusCode": 201, "responseTime": 12, "response": "thanks"});
    let answer = report(&world, &subscription, fetched, &result).await;
    assert_eq!(answer.data()["status"], "delivered", "{}", answer.body);
    let path = format!("/api/v1/deliveries/{}", fetched["deliveryId"].as_str().unwrap());
    let whole = &world.get(&path).await["data"];
    assert_eq!(whole["log"][0]["statusCode"], 201);
    assert_eq!(whole["log"][0]["body"], body, "the log has what was fetched");
    assert_eq!((&whole["responseBody"], &whole["responseTime"]), (&json!("thanks"), &json!(12)));

    let again = report(&world, &subscription, fetched, &result).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("already_reported")));
    let health = &world.get(&subscription).await["data"]["health"];
    assert_eq!((&health["attempts"], &health["successRate"]), (&json!(1), &json!(1.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_reported_by_a_reader_is_retried_by_the_policy_until_exhausted() {
    let world = World::with_manual_clock().await;
    let policy = json!({"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 60});
    let subscription = subscribe(&world, &json!({"retryPolicy": policy})).await;
    world.publish("release.created").await;
    let first = fetch_all(&world, &subscription, 1).await;
    let refused = json!({"error": "connection refused", "responseTime": 1});
    let answer = report(&world, &subscription, &first[0], &refused).await;
    assert_eq!(
        (&answer.data()["status"], &answer.data()["error"]),
        (&json!("retrying"), &json!("connection refused"))
    );
    assert!(
        fetch(&world.admin, &subscription, "?waitSeconds=0").await.is_empty(),
        "the retry is not due yet"
    );
    world.time.advance(Duration::seconds(73));
    let second = fetch_all(&world, &subscription, 1).await;
    assert_eq!((&second[0]["deliveryId"], &second[0]["attempt"]), (&first[0]["deliveryId"], &json!(2)));
    let late = report(
        &world,
        &subscription,
        &first[0],
        &json!({"attempt": 1, "statusCode": 200, "responseTime": 1}),
    )
    .await;
    assert_eq!(late.body["code"], "already_reported", "an earlier attempt can no longer be reported");
    let answer =
        report(&world, &subscription, &second[0], &json!({"statusCode": 503, "responseTime": 1})).await;
    assert_eq!((&answer.data()["status"], &answer.data()["reason"]), (&json!("failed"), &json!("exhausted")));
    let delivery = format!("/api/v1/deliveries/{}/redeliver", first[0]["deliveryId"].as_str().unwrap());
    assert_eq!(world.post(&delivery, &json!({})).await.status, StatusCode::ACCEPTED);
    let third = fetch_all(&world, &subscription, 1).await;
    assert_eq!((&third[0]["deliveryId"], &third[0]["attempt"]), (&first[0]["deliveryId"], &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_readers_never_fetch_the_same_delivery() {
    let world = World::with_manual_clock().await;
    let subscription = subscribe(&world, &json!({})).await;
    for _ in 0..40 {
        world.publish("release.created").await;
    }
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        let (one, other) = tokio::join!(
            fetch(&world.admin, &subscription, "?waitSeconds=0&max=7"),
            fetch(&world.admin, &subscription, "?waitSeconds=0&max=7"),
        );
        ids.extend(one.into_iter().chain(other).map(|fetched| fetched["deliveryId"].to_string()));
        if ids.len() >= 40 {
            break;
        }
    }
    ids.sort_unstable();
    let fetched = ids.len();
    ids.dedup();
    assert_eq!((fetched, ids.len()), (40, 40), "each is fetched once");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_lease_expires_another_reader_gets_a_delivery_without_an_attempt_used() {
    let world = World::with_manual_clock().await;
    let subscription = subscribe(&world, &json!({"timeout": 5000})).await;
    world.publish("release.created").await;
    let first = fetch_all(&world, &subscription, 1).await;
    world.time.advance(Duration::seconds(34));
    assert!(
        fetch(&world.admin, &subscription, "?waitSeconds=0").await.is_empty(),
        "the lease has not expired"
    );
    world.time.advance(Duration::seconds(2));
    let second = fetch_all(&world, &subscription, 1).await;
    assert_eq!((&second[0]["deliveryId"], &second[0]["attempt"]), (&first[0]["deliveryId"], &json!(1)));
    // The first reader was only slow: the first report counts.
    let answer =
        report(&world, &subscription, &first[0], &json!({"statusCode": 200, "responseTime": 1})).await;
    assert_eq!(answer.data()["status"], "delivered");
    let answer =
        report(&world, &subscription, &second[0], &json!({"statusCode": 200, "responseTime": 1})).await;
    assert_eq!(answer.body["code"], "already_reported");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_reader_gets_an_event_as_soon_as_there_is_one() {
    let world = World::start().await;
    let subscription = subscribe(&world, &json!({})).await;
    let reader = world.admin.clone();
    let path = subscription.clone();
    let waiting = tokio::spawn(async move { fetch(&reader, &path, "?waitSeconds=20").await });
    world.publish("release.created").await;
    assert_eq!(waiting.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_delivery_not_reported_for_thirty_days_is_cancelled() {
    let world = World::with_manual_clock().await;
    let subscription = subscribe(&world, &json!({})).await;
    world.publish("release.created").await;
    let first = fetch_all(&world, &subscription, 1).await;
    world.time.advance(Duration::days(30));
    let row = &rows(&world, &subscription).await[0];
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("cancelled"), &json!("expired")),
        "the status is computed when it is read"
    );
    assert!(fetch(&world.admin, &subscription, "?waitSeconds=0").await.is_empty());
    let cancelled = world.get(&format!("{subscription}/deliveries?status=cancelled")).await;
    assert_eq!(cancelled["data"].as_array().unwrap().len(), 1);
    let late = report(&world, &subscription, &first[0], &json!({"statusCode": 200, "responseTime": 1})).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_pauses_waiting_pull_deliveries_and_enabling_makes_them_fetchable() {
    let world = World::with_manual_clock().await;
    let subscription = subscribe(&world, &json!({})).await;
    world.publish("release.created").await;
    let first = fetch_all(&world, &subscription, 1).await;
    let switch = async |enabled: bool| {
        let answer = world.admin.json(http::Method::PATCH, &subscription, &json!({"enabled": enabled})).await;
        assert_eq!(answer.unwrap().status, StatusCode::OK);
    };
    switch(false).await;
    let paused =
        world.rows(&format!("{subscription}/deliveries"), |rows| rows[0]["status"] == "paused").await;
    assert_eq!(paused[0]["reason"], "disabled");
    let closed = world.admin.get(&format!("{subscription}/pull")).await.unwrap();
    assert_eq!(
        (closed.status, &closed.body["code"]),
        (StatusCode::CONFLICT, &json!("subscription_disabled"))
    );
    switch(true).await;
    let second = fetch_all(&world, &subscription, 1).await;
    assert_eq!(second[0]["deliveryId"], first[0]["deliveryId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_pull_requests_reports_and_settings_are_refused() {
    let world = World::with_manual_clock().await;
    let pulled = subscribe(&world, &json!({})).await;
    let sent = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["release.created"]});
    let sent = format!("/api/v1/webhook-subscriptions/{}", id(&world.subscription(&sent).await));
    let answer = world.admin.get(&format!("{sent}/pull")).await.unwrap();
    assert_eq!(answer.body["code"], "not_a_pull_subscription");
    let test = world.post(&format!("{pulled}/test"), &json!({"event": "release.created"})).await;
    assert_eq!(test.body["code"], "pull_subscription");
    let query = world.admin.get(&format!("{pulled}/pull?max=0&waitSeconds=soon")).await.unwrap();
    assert_eq!(query.status, StatusCode::BAD_REQUEST);
    assert_eq!(query.body["errors"].as_array().unwrap().len(), 2, "{}", query.body);
    for (path, patch, field) in [
        (&sent, json!({"url": "pull:"}), "url"),
        (&pulled, json!({"url": "http://127.0.0.1:9/"}), "url"),
        (&pulled, json!({"rateLimitPerSecond": 1}), "rateLimitPerSecond"),
    ] {
        let answer = world.admin.json(http::Method::PATCH, path, &patch).await.unwrap();
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{patch}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{patch}");
    }
    world.publish("release.created").await;
    let fetched = fetch_all(&world, &pulled, 1).await;
    let unfetched = report(
        &world,
        &pulled,
        &json!({"deliveryId": "01a20ee9-b42c-8428-b2a1-124bda45d72c"}),
        &json!({"statusCode": 200, "responseTime": 1}),
    )
    .await;
    assert_eq!(unfetched.status, StatusCode::NOT_FOUND);
    let nonsense = report(&world, &pulled, &fetched[0], &json!({"statusCode": 42})).await;
    assert_eq!(nonsense.status, StatusCode::UNPROCESSABLE_ENTITY);
}
