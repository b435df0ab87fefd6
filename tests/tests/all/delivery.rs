//! Deliveries over the wire: what a receiver gets, and what its answers lead to.

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Received, Receiver, Reply};
use end_to_end::{World, id};
use hmac::{Hmac, Mac as _};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::retries::next_attempt;

/// A subscriber's check: the hexadecimal HMAC of the raw body, and a timestamp within five minutes.
pub(super) fn is_genuine(received: &Received, secret: &str, now: DateTime<Utc>) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&received.body);
    let signed = mac.verify_slice(&hex::decode(received.header("x-stella-signature")).unwrap()).is_ok();
    let at: DateTime<Utc> = received.header("x-stella-timestamp").parse().unwrap();
    signed && (now - at).abs() < Duration::minutes(5)
}

#[tokio::test]
async fn two_failures_and_a_success_are_three_attempts_of_one_delivery() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number < 2 { 500 } else { 200 })).await;
    let body = json!({"name": "s", "url": receiver.url, "authType": "signature",
        "events": ["deployment.completed"]});
    let subscription = world.subscription(&body).await;
    let secret = subscription["signatureSecret"].as_str().expect("a minted secret").to_owned();
    world.publish("deployment.completed").await;

    for (attempt, least) in [(1, 10), (2, 20)] {
        let wait = next_attempt(&world, &subscription, &receiver, attempt).await;
        let most = Duration::milliseconds(least * 1200);
        assert!(wait >= Duration::seconds(least) && wait <= most, "attempt {attempt}: {wait}");
    }
    let received = receiver.wait_for(3).await;
    let now = world.time.now();
    let standard = standardwebhooks::Webhook::new(&secret).unwrap();
    for (number, request) in received.iter().enumerate() {
        assert_eq!(request.method, Method::POST);
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("x-stella-event"), "deployment.completed");
        assert_eq!(request.header("x-stella-attempt"), (number + 1).to_string());
        assert_eq!(request.header("x-stella-delivery"), received[0].header("x-stella-delivery"));
        let body = request.json();
        assert_eq!(body["id"], request.header("x-stella-delivery"));
        assert_eq!(body["timestamp"], request.header("x-stella-timestamp"));
        assert_eq!(body["event"], "deployment.completed");
        assert_eq!(body["data"], world.example("deployment.completed"));
        assert!(is_genuine(request, &secret, now));
        standard.verify(&request.body, &request.headers).unwrap();
    }
    assert!(received[0].header("x-stella-timestamp") < received[1].header("x-stella-timestamp"));

    let rows = world.deliveries(&subscription, |rows| rows[0]["status"] == "delivered").await;
    assert_eq!((&rows[0]["attempts"], &rows[0]["statusCode"]), (&json!(3), &json!(200)));
    let shown = world.get(&format!("/api/v1/deliveries/{}", id(&rows[0]))).await;
    let log = shown["data"]["log"].as_array().unwrap();
    let codes: Vec<&Value> = log.iter().map(|attempt| &attempt["statusCode"]).collect();
    assert_eq!(codes, [&json!(500), &json!(500), &json!(200)]);
    assert_eq!(log[2]["body"].as_str().unwrap().as_bytes(), received[2].body);
    assert_eq!(log[2]["headers"]["X-Stella-Signature"], "[redacted]");
}

#[tokio::test]
async fn credentials_method_and_custom_headers_are_sent() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    for (auth, credential, expected) in [
        ("basic", "user:pass word", "Basic dXNlcjpwYXNzIHdvcmQ="),
        ("bearer", "t0ken", "Bearer t0ken"),
        ("none", "", ""),
    ] {
        let mut body = json!({"name": "s", "url": receiver.url, "method": "PUT", "authType": auth,
            "events": ["release.created"], "headers": {"X-Team": "blue"}});
        if !credential.is_empty() {
            body["credential"] = json!(credential);
        }
        let subscription = world.subscription(&body).await;
        assert_eq!(subscription.get("credential"), None);
        let before = receiver.received().len();
        world.publish("release.created").await;
        let received = receiver.wait_for(before + 1).await.pop().unwrap();
        assert_eq!(received.method, Method::PUT);
        assert_eq!(received.header("authorization"), expected);
        assert_eq!(received.header("x-team"), "blue");
        assert!(received.header("user-agent").starts_with("Stella-Webhooks/"));
        let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
        world.admin.json(Method::DELETE, &path, &Value::Null).await.unwrap();
    }
}

#[tokio::test]
async fn only_events_that_match_the_selection_and_filters_are_sent() {
    let world = World::start().await;
    let (all, some, filtered) =
        (Receiver::accepting().await, Receiver::accepting().await, Receiver::accepting().await);
    world.subscription(&json!({"name": "all", "url": all.url, "events": ["*"]})).await;
    world.subscription(&json!({"name": "some", "url": some.url, "events": ["promotion.*"]})).await;
    let filters = json!([{"field": "data.environment.name", "operator": "equals", "value": "nowhere"}]);
    let body =
        json!({"name": "f", "url": filtered.url, "events": ["deployment.started"], "filters": filters});
    world.subscription(&body).await;
    for event in [
        "release.created",
        "promotion.requested",
        "promotion.approved",
        "promotion.rejected",
        "deployment.started",
        "deployment.completed",
        "deployment.failed",
        "rollback.initiated",
    ] {
        world.publish(event).await;
    }
    assert_eq!(all.wait_for(8).await.len(), 8);
    let promotions = some.wait_for(3).await;
    assert!(promotions.iter().all(|request| request.header("x-stella-event").starts_with("promotion.")));
    assert_eq!((promotions.len(), filtered.received().len()), (3, 0));
}

#[tokio::test]
async fn a_400_is_not_retried_and_a_410_disables_the_subscription() {
    let world = World::start().await;
    let refusing = Receiver::start(|_, _| Reply::from(400)).await;
    let gone = Receiver::start(|_, _| Reply::from(410)).await;
    let events = json!(["release.created"]);
    let one = world.subscription(&json!({"name": "one", "url": refusing.url, "events": events})).await;
    let two = world.subscription(&json!({"name": "two", "url": gone.url, "events": events})).await;
    world.publish("release.created").await;
    let rows = world.deliveries(&one, |rows| rows.len() == 1).await;
    assert_eq!((&rows[0]["status"], &rows[0]["attempts"]), (&json!("failed"), &json!(1)));
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&two));
    let disabled = world.eventually(&path, |shown| shown["enabled"] == false).await;
    assert!(disabled["disabledReason"].as_str().unwrap().contains("410"));
}

#[tokio::test]
async fn subscriptions_that_name_operational_events_get_them_and_a_star_does_not_select_them() {
    let world = World::start().await;
    let (named, all) = (Receiver::accepting().await, Receiver::accepting().await);
    let events = json!(["delivery.exhausted", "subscription.disabled"]);
    world.subscription(&json!({"name": "operator", "url": named.url, "events": events})).await;
    world.subscription(&json!({"name": "all", "url": all.url, "events": ["*"]})).await;
    for (name, status) in [("failing", 500), ("gone", 410)] {
        let receiver = Receiver::start(move |_, _| Reply::from(status)).await;
        let body = json!({"name": name, "url": receiver.url, "events": ["release.created"],
            "retryPolicy": {"maxRetries": 0}});
        world.subscription(&body).await;
    }
    world.publish("release.created").await;
    let mut notified: Vec<Value> = named.wait_for(2).await.iter().map(Received::json).collect();
    notified.sort_by_key(|event| event["event"].to_string());
    assert_eq!(notified[0]["event"], "delivery.exhausted");
    assert_eq!(notified[0]["data"]["subscription"]["name"], "failing");
    assert_eq!(notified[0]["data"]["delivery"]["lastStatus"], 500);
    assert_eq!(notified[1]["event"], "subscription.disabled");
    assert_eq!(notified[1]["data"]["subscription"]["name"], "gone");
    assert_eq!(all.received().len(), 1, "a star selects no operational events");
}

#[tokio::test]
async fn operational_events_are_also_raised_when_a_retry_is_the_last_attempt() {
    let world = World::with_manual_clock().await;
    let watching = Receiver::accepting().await;
    let events = json!(["delivery.exhausted", "subscription.disabled"]);
    world.subscription(&json!({"name": "watch", "url": watching.url, "events": events})).await;
    let failing = Receiver::start(|_, _| Reply::from(500)).await;
    let leaving = Receiver::start(|number, _| Reply::from(if number == 0 { 500 } else { 410 })).await;
    let mut subscriptions = Vec::new();
    for receiver in [&failing, &leaving] {
        let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "retryPolicy": {"maxRetries": 1, "backoffSeconds": 1}});
        subscriptions.push(world.subscription(&body).await);
    }
    world.publish("release.created").await;
    failing.wait_for(1).await;
    leaving.wait_for(1).await;
    let notified = world.pass(Duration::seconds(2), &watching, 2).await;
    let mut names: Vec<&str> = notified.iter().map(|request| request.header("x-stella-event")).collect();
    names.sort_unstable();
    assert_eq!(names, ["delivery.exhausted", "subscription.disabled"]);
    let shown = world.get(&format!("/api/v1/webhook-subscriptions/{}", id(&subscriptions[1]))).await;
    assert_eq!(shown["data"]["enabled"], false);
}
