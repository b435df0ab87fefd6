//! Subscriptions: validation, tests, disabling and enabling, and the rotation of secrets.

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::{World, id};
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use super::delivery::is_genuine;

#[tokio::test]
async fn a_rotated_secret_signs_at_once_and_the_old_one_also_signs_for_a_day() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "authType": "signature",
        "events": ["release.created"], "signatureSecret": "the old secret"});
    let subscription = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/rotate-secret", id(&subscription));
    let rotated = world.post(&path, &json!({})).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.body);
    let secret = rotated.data()["signatureSecret"].as_str().expect("the new secret").to_owned();
    assert!(secret.starts_with("whsec_"));

    // A function caches the subscription for ten seconds.
    world.time.advance(Duration::seconds(11));
    world.publish("release.created").await;
    let during = receiver.wait_for(1).await.remove(0);
    assert!(is_genuine(&during, &secret, world.time.now()));
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the old secret").unwrap();
    mac.update(&during.body);
    let old = hex::encode(mac.finalize().into_bytes());
    assert_eq!(during.header("x-stella-signature-previous"), old);
    assert_eq!(during.header("webhook-signature").split(' ').count(), 2);
    standardwebhooks::Webhook::new(&secret).unwrap().verify(&during.body, &during.headers).unwrap();

    world.time.advance(Duration::days(1));
    world.publish("release.created").await;
    let after = receiver.wait_for(2).await.remove(1);
    assert!(is_genuine(&after, &secret, world.time.now()));
    assert_eq!(after.header("x-stella-signature-previous"), "");
    assert_eq!(after.header("webhook-signature").split(' ').count(), 1);

    let unsigned = json!({"name": "u", "url": receiver.url, "events": ["release.created"]});
    let unsigned = world.subscription(&unsigned).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/rotate-secret", id(&unsigned));
    assert_eq!(world.post(&path, &json!({})).await.body["code"], "no_signing_secret");
}

#[tokio::test]
async fn disabling_skips_new_deliveries_and_pauses_open_ones_until_enabled() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number == 0 { 500 } else { 200 })).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    world.publish("release.created").await;
    receiver.wait_for(1).await;
    world.deliveries(&subscription, |rows| rows.len() == 1).await;
    let off = world.admin.json(Method::PATCH, &path, &json!({"enabled": false})).await.unwrap();
    assert_eq!(off.status, StatusCode::OK, "{}", off.body);
    // A new event is logged as skipped and not sent.
    world.publish("release.created").await;
    world.deliveries(&subscription, |rows| rows.iter().any(|row| row["status"] == "skipped")).await;
    // The open delivery is paused when its retry is due, without using an attempt.
    let is_paused = |rows: &[Value]| rows.iter().any(|row| row["status"] == "paused");
    let rows = world.pass_until(Duration::seconds(5), &subscription, is_paused).await;
    let paused = rows.iter().find(|row| row["status"] == "paused").unwrap();
    assert_eq!((&paused["attempts"], &paused["reason"]), (&json!(1), &json!("disabled")));
    assert_eq!(receiver.received().len(), 1);
    let on = world.admin.json(Method::PATCH, &path, &json!({"enabled": true})).await.unwrap();
    assert_eq!(on.status, StatusCode::OK);
    receiver.wait_for(2).await;
    let rows =
        world.deliveries(&subscription, |rows| rows.iter().any(|row| row["status"] == "delivered")).await;
    assert_eq!(rows.iter().filter(|row| row["status"] == "skipped").count(), 1);
    // A skipped delivery is sent only on request.
    let skipped = rows.iter().find(|row| row["status"] == "skipped").unwrap();
    let again = world.post(&format!("/api/v1/deliveries/{}/redeliver", id(skipped)), &Value::Null).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    receiver.wait_for(3).await;
    world.deliveries(&subscription, |rows| rows.iter().all(|row| row["status"] == "delivered")).await;
}

#[tokio::test]
async fn a_test_makes_one_synchronous_attempt_and_is_logged_as_a_test() {
    let world = World::start().await;
    let receiver = Receiver::start(|number, _| Reply::from(if number == 0 { 200 } else { 503 })).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/test", id(&subscription));
    let answer = world.post(&path, &json!({"event": "deployment.completed"})).await;
    assert_eq!((answer.status, &answer.body["success"]), (StatusCode::OK, &json!(true)));
    assert_eq!(answer.data()["statusCode"], 200);
    assert_eq!(answer.data()["response"], "OK");
    assert!(answer.data()["responseTime"].is_u64());
    let received = receiver.received().remove(0);
    assert_eq!(received.header("x-stella-delivery"), answer.data()["deliveryId"].as_str().unwrap());
    assert_eq!(received.json()["data"], world.example("deployment.completed"));
    let answer = world.post(&path, &json!({"event": "deployment.completed"})).await;
    assert_eq!((answer.status, &answer.body["success"]), (StatusCode::OK, &json!(false)));
    assert!(answer.body["error"].as_str().unwrap().contains("503"), "{}", answer.body);
    let rows = world.deliveries(&subscription, |rows| rows.len() == 2).await;
    assert!(rows.iter().all(|row| row["test"] == true));
    let answer = world.post(&path, &json!({"event": "nothing", "more": 1})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2, "{}", answer.body);
}

#[tokio::test]
async fn a_forbidden_url_is_refused_when_saved() {
    let world = World::start().await;
    for url in [
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "ftp://example.com/",
        "https://user:pass@127.0.0.1/",
        "nonsense",
    ] {
        let body = json!({"name": "s", "url": url, "events": ["*"]});
        let answer = world.post("/api/v1/webhook-subscriptions", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert_eq!(answer.body["errors"][0]["field"], "url");
    }
}

#[tokio::test]
async fn all_errors_in_a_subscription_or_event_are_reported_at_once() {
    let world = World::start().await;
    let body = json!({"method": "GET", "events": ["deploy"], "timeout": 1, "colour": "red"});
    let answer = world.post("/api/v1/webhook-subscriptions", &body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let named: Vec<&str> =
        answer.body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    for field in ["name", "url", "method", "events[0]", "timeout", "colour"] {
        assert!(named.contains(&field), "{field} is not among {named:?}");
    }
    let answer = world.post("/api/v1/events", &json!({"event": "deployment.completed", "data": {}})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body["errors"].as_array().unwrap().len() > 1, "{}", answer.body);
    let large = json!({"event": "release.created", "data": {"release": {"id": "x", "name": "x"},
        "padding": "x".repeat(256 * 1024)}});
    let answer = world.post("/api/v1/events", &large).await;
    assert!(
        answer.status == StatusCode::PAYLOAD_TOO_LARGE || answer.status == StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.status
    );
    let operational = json!({"event": "delivery.exhausted", "data": {}});
    assert_eq!(world.post("/api/v1/events", &operational).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.get("/api/v1/events").await["pagination"]["total"], 0);
}

#[tokio::test]
async fn a_stored_credential_is_not_reused_when_the_auth_type_changes() {
    let world = World::start().await;
    let body = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["release.created"],
        "authType": "basic", "credential": "user:password"});
    let made = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&made));
    let change = async |wanted: &Value| world.admin.json(Method::PATCH, &path, wanted).await.unwrap();
    assert_eq!(change(&json!({"name": "still"})).await.status, StatusCode::OK);
    let kept = change(&json!({"authType": "bearer"})).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", kept.body);
    assert_eq!(kept.body["errors"][0]["field"], "credential");
    let changed = change(&json!({"authType": "bearer", "credential": "token"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
}
