//! `Idempotency-Key`: a repeated creating request creates nothing new.

use end_to_end::World;
use end_to_end::receiver::Receiver;
use http::{Method, StatusCode};
use serde_json::json;

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
