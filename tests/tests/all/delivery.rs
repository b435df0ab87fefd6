//! Deliveries over the wire: requests, retries, redelivery, the delivery log, and validation of
//! subscriptions.

use chrono::{DateTime, Duration, Utc};
use end_to_end::receiver::{Received, Receiver, Reply};
use end_to_end::{World, id};
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

/// A subscriber's check: the hexadecimal HMAC of the raw body, and a timestamp within five minutes.
fn is_genuine(received: &Received, secret: &str, now: DateTime<Utc>) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&received.body);
    let signed = mac.verify_slice(&hex::decode(received.header("x-stella-signature")).unwrap()).is_ok();
    let at: DateTime<Utc> = received.header("x-stella-timestamp").parse().unwrap();
    signed && (now - at).abs() < Duration::minutes(5)
}

/// Advances the clock until the only delivery makes the attempt after `attempt`; the delay that its row had
/// shown.
async fn next_attempt(world: &World, subscription: &Value, receiver: &Receiver, attempt: usize) -> Duration {
    let rows = world.deliveries(subscription, |rows| rows.len() == 1 && rows[0]["attempts"] == attempt).await;
    let next: DateTime<Utc> = rows[0]["nextAttemptAt"].as_str().expect("a next attempt").parse().unwrap();
    let wait = next - world.time.now();
    world.pass(wait, receiver, attempt + 1).await;
    wait
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
async fn two_requests_with_one_idempotency_key_create_one_event() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["*"]})).await;
    let body = json!({"event": "release.created", "data": world.example("release.created")}).to_string();
    let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
    let mut answers = Vec::new();
    for _ in 0..2 {
        let sent = world.admin.send(Method::POST, "/api/v1/events", &headers, body.clone().into());
        answers.push(sent.await.unwrap());
    }
    assert_eq!(answers[0].data()["id"], answers[1].data()["id"]);
    assert_eq!(answers[0].data()["duplicate"], false);
    assert_eq!(answers[1].data()["duplicate"], true);
    let other = json!({"event": "promotion.requested", "data": world.example("promotion.requested")});
    let sent = world.admin.send(Method::POST, "/api/v1/events", &headers, other.to_string().into()).await;
    assert_eq!(sent.unwrap().status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(receiver.wait_for(1).await.len(), 1);
    let shown = world.get(&format!("/api/v1/events/{}", answers[0].data()["id"].as_str().unwrap())).await;
    assert_eq!(shown["data"]["event"], "release.created");
}

#[tokio::test]
async fn a_cursor_is_valid_only_for_its_own_list() {
    let world = World::start().await;
    for name in ["a", "b"] {
        let body = json!({"name": name, "url": "http://127.0.0.1:9/", "events": ["*", "*"]});
        let made = world.subscription(&body).await;
        assert_eq!(made["events"], json!(["*"]), "duplicates are removed");
        world.component(&["myorg/myapp"]).await;
        world.publish("release.created").await;
    }
    let lists = ["webhook-subscriptions", "components", "events", "api-keys"];
    let mut cursors = Vec::new();
    for list in lists {
        let page = world.get(&format!("/api/v1/{list}?pageSize=1")).await;
        cursors.push(page["pagination"]["nextCursor"].as_str().map(str::to_owned));
    }
    for (list, own) in lists.iter().zip(&cursors) {
        for cursor in cursors.iter().flatten() {
            let path = format!("/api/v1/{list}?pageSize=1&cursor={cursor}");
            let answer = world.admin.get(&path).await.unwrap();
            let expected =
                if own.as_ref() == Some(cursor) { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            assert_eq!(answer.status, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_log_do_not_shift_while_it_grows() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", id(&subscription));
    let publish = async |count: usize| {
        for _ in 0..count {
            world.time.advance(Duration::seconds(1));
            world.publish("release.created").await;
        }
    };
    publish(5).await;
    world.deliveries(&subscription, |rows| rows.len() == 5).await;
    let whole: Vec<String> = world.get(&path).await["data"].as_array().unwrap().iter().map(id).collect();
    let first = world.get(&format!("{path}?pageSize=2")).await;
    let (as_of, cursor) = (&first["pagination"]["asOf"], &first["pagination"]["nextCursor"]);
    publish(3).await;
    world.deliveries(&subscription, |rows| rows.len() == 8).await;
    let ids = |page: &Value| page["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    let by_number = world.get(&format!("{path}?pageSize=2&page=2&asOf={}", as_of.as_str().unwrap())).await;
    assert_eq!(ids(&by_number), whole[2..4]);
    let by_cursor = world.get(&format!("{path}?pageSize=2&cursor={}", cursor.as_str().unwrap())).await;
    assert_eq!(ids(&by_cursor), whole[2..4]);
    assert_eq!(by_cursor["pagination"]["total"], 5);
    // `from` filters by the time of creation.
    let from = world.time.now() - Duration::seconds(2);
    let late = world.get(&format!("{path}?from={}", stella::domain::shared::time::timestamp(from))).await;
    assert_eq!(late["pagination"]["total"], 3);
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

#[tokio::test]
async fn another_tenant_sees_no_events_deliveries_subscriptions_or_components() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    let subscription = world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["*"]})).await;
    let event = world.publish("release.created").await;
    let delivery = id(&world.deliveries(&subscription, |rows| rows.len() == 1).await[0]);
    let component = world.component(&["myorg/myapp"]).await;

    let stranger = world.stranger().await;
    let unknown = stranger.get("/api/v1/events/0192aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee").await.unwrap();
    for path in [
        format!("/api/v1/events/{event}"),
        format!("/api/v1/deliveries/{delivery}"),
        format!("/api/v1/components/{component}"),
        format!("/api/v1/components/{component}/versions"),
        format!("/api/v1/webhook-subscriptions/{}", id(&subscription)),
        format!("/api/v1/webhook-subscriptions/{}/deliveries", id(&subscription)),
    ] {
        let answer = stranger.get(&path).await.unwrap();
        assert_eq!((answer.status, &answer.body), (StatusCode::NOT_FOUND, &unknown.body), "{path}");
    }
    for path in ["/api/v1/events", "/api/v1/webhook-subscriptions", "/api/v1/components"] {
        assert_eq!(stranger.get(path).await.unwrap().body["pagination"]["total"], 0, "{path}");
    }
    let anonymous = world.anonymous();
    assert_eq!(anonymous.get("/api/v1/events").await.unwrap().status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_or_too_long_idempotency_key_is_refused() {
    let world = World::start().await;
    for key in [String::new(), "k".repeat(256)] {
        let (path, headers) =
            ("/api/v1/components", [("content-type", "application/json"), ("idempotency-key", key.as_str())]);
        let body = json!({"name": "app"}).to_string();
        let answer = world.admin.send(Method::POST, path, &headers, body.into()).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!(answer.body["code"], "invalid_idempotency_key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_value_of_a_list_parameter_is_refused() {
    let world = World::start().await;
    let config = id(&world.docker_hub().await);
    let subscription = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["*"]});
    let subscription = id(&world.subscription(&subscription).await);
    for path in [
        format!("webhook-configs/{config}/receipts?action=thrown-away"),
        format!("webhook-subscriptions/{subscription}/deliveries?status=lost"),
        format!("webhook-subscriptions/{subscription}/deliveries?include=everything"),
        "events?event=release.forgotten".to_owned(),
    ] {
        let answer = world.admin.get(&format!("/api/v1/{path}")).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.body);
        let field = path.split(['?', '=']).nth(1).unwrap();
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
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
