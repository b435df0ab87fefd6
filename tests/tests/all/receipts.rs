//! Receipts of inbound requests, replay and preview, and the rotation of URL tokens and secrets.

use chrono::Duration;
use end_to_end::{World, digest, docker_hub_push, harbor_push, id};
use http::{Method, StatusCode};
use sam_local::Time;
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;
use stella_local::client::Client;

fn receipts(config: &Value) -> String {
    format!("/api/v1/webhook-configs/{}/receipts", id(config))
}

#[tokio::test]
async fn every_authenticated_request_has_a_receipt_without_secrets() {
    let world = World::start().await;
    world.component(&["myorg/myapp"]).await;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "hush-hush"});
    let config = world.config(&body).await;
    let push = harbor_push("v1.2.0", &digest('a'), 1_704_067_200);
    let push = push.replacen('{', r#"{"secret": "hush-hush", "#, 1);
    let proof = [("authorization", "hush-hush"), ("x-team", "blue")];
    world.push(&config, &proof, &push).await;
    world.push(&config, &proof, &push).await;
    world.push(&config, &[("authorization", "wrong")], &push).await;
    let rows = world.rows(&receipts(&config), |rows| rows.len() == 2).await;
    assert_eq!(rows[0]["action"], "duplicate");
    assert_eq!(rows[1]["action"], "processed");
    let only = world.get(&format!("{}?action=duplicate", receipts(&config))).await;
    assert_eq!(only["pagination"]["total"], 1);
    let shown = world.get(&format!("{}/{}", receipts(&config), id(&rows[1]))).await;
    let shown = &shown["data"];
    assert_eq!(shown["body"]["event_data"]["resources"][0]["tag"], "v1.2.0");
    assert_eq!(shown["headers"]["authorization"], "[redacted]");
    assert_eq!(shown["headers"]["x-team"], "blue");
    assert_eq!(shown["answer"]["versionsAdded"], 1);
    assert!(shown["steps"].as_array().unwrap().len() >= 3, "{shown}");
    assert!(!shown.to_string().contains("hush-hush"));
}

#[tokio::test]
async fn a_replay_processes_an_ignored_push_and_a_second_replay_is_a_duplicate() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let answer = world.push(&config, &[], &docker_hub_push("v1.2.0", 1)).await;
    assert_eq!(answer.body["reason"], "No matching component");
    world.component(&["myorg/myapp"]).await;
    let path = format!("{}/{}/replay", receipts(&config), answer.body["receiptId"].as_str().unwrap());
    let replayed = world.post(&path, &Value::Null).await;
    assert_eq!((replayed.status, &replayed.data()["action"]), (StatusCode::OK, &json!("processed")));
    let again = world.post(&path, &Value::Null).await;
    assert_eq!(again.data()["action"], "duplicate");
    let rows = world.get(&receipts(&config)).await;
    assert_eq!(rows["pagination"]["total"], 3);
    assert_eq!(rows["data"][0]["replayOf"], answer.body["receiptId"]);
}

#[tokio::test]
async fn a_body_over_64_kib_is_stored_truncated_and_cannot_be_replayed() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let mut push: Value = serde_json::from_str(&docker_hub_push("v1.2.0", 1)).unwrap();
    push["padding"] = json!("x".repeat(70 * 1024));
    let answer = world.push(&config, &[], &push.to_string()).await;
    let path = format!("{}/{}", receipts(&config), answer.body["receiptId"].as_str().unwrap());
    assert_eq!(world.get(&path).await["data"]["replayable"], false);
    let replayed = world.post(&format!("{path}/replay"), &Value::Null).await;
    assert_eq!((replayed.status, &replayed.body["code"]), (StatusCode::CONFLICT, &json!("not_replayable")));
}

#[tokio::test]
async fn a_preview_shows_the_decisions_and_stores_nothing() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "s",
        "filters": [{"field": "$.tag", "operator": "startsWith", "value": "v"}]});
    let config = world.config(&body).await;
    let path = format!("/api/v1/webhook-configs/{}/preview", id(&config));
    let seen = |tag: &str| harbor_push(tag, &digest('a'), 1_704_067_200);
    let preview = world.post(&path, &json!({"headers": {}, "body": seen("v1.2.0")})).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.body);
    assert_eq!(preview.data()["events"][0]["tag"], "v1.2.0");
    let decision = &preview.data()["decisions"][0];
    assert_eq!((&decision["versionAdded"], &decision["componentIds"][0]), (&json!(true), &json!(component)));
    assert_eq!(decision["triggers"][0]["releaseName"], "myapp-v1.2.0");
    let body: Value = serde_json::from_str(&seen("latest")).unwrap();
    let preview = world.post(&path, &json!({ "body": body })).await;
    assert_eq!(preview.data()["decisions"][0]["filtered"], true);
    let wrong = world.post(&path, &json!({"headers": {"a b": "c"}, "extra": 1})).await;
    assert_eq!(wrong.body["errors"].as_array().unwrap().len(), 3, "{}", wrong.body);
    for list in ["/api/v1/releases".to_owned(), receipts(&config), "/api/v1/events".to_owned()] {
        assert_eq!(world.get(&list).await["pagination"]["total"], 0, "{list}");
    }
}

#[tokio::test]
async fn a_new_url_token_works_at_once_and_the_old_one_until_its_grace_period_ends() {
    let world = World::with(Functions::ours(), Time::manual(SystemClock.now())).await;
    let config = world.docker_hub().await;
    world.push(&config, &[], &docker_hub_push("v1", 1)).await;
    let path = format!("/api/v1/webhook-configs/{}/rotate-token", id(&config));
    let rotated = world.post(&path, &json!({"gracePeriodSeconds": 3600})).await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.body);
    assert_ne!(rotated.data()["url"], config["url"]);
    let status = async |config: &Value| world.push(config, &[], &docker_hub_push("v1", 2)).await.status;
    assert_eq!(status(rotated.data()).await, StatusCode::OK);
    assert_eq!(status(&config).await, StatusCode::OK);
    world.time.advance(Duration::seconds(3601));
    assert_eq!(status(&config).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(rotated.data()).await, StatusCode::OK);
}

#[tokio::test]
async fn a_new_secret_works_at_once_and_the_old_one_for_a_day() {
    let world = World::with(Functions::ours(), Time::manual(SystemClock.now())).await;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "old"});
    let config = world.config(&body).await;
    let push = harbor_push("v1.2.0", &digest('a'), 1_704_067_200);
    let status = async |secret: &str| world.push(&config, &[("authorization", secret)], &push).await.status;
    assert_eq!(status("old").await, StatusCode::OK);
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    let changed = world.admin.json(Method::PATCH, &path, &json!({"secret": "new"})).await.unwrap();
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(status("new").await, StatusCode::OK);
    assert_eq!(status("old").await, StatusCode::OK);
    world.time.advance(Duration::hours(25));
    assert_eq!(status("old").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("new").await, StatusCode::OK);
}

#[tokio::test]
async fn unauthenticated_requests_read_dynamodb_at_most_once_in_thirty_seconds() {
    let world = World::with(Functions::ours(), Time::manual(SystemClock.now())).await;
    let config = world.docker_hub().await;
    let (bare, _) = config["url"].as_str().unwrap().rsplit_once('/').unwrap();
    let wrong = format!("{bare}/wrong");
    world.push_to(&wrong, &[], "{}").await;
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    assert_eq!(world.get(&path).await["data"]["rejectedLast24h"], 1);
    let before = world.stack.calls().of_service("dynamodb");
    for _ in 0..20 {
        assert_eq!(world.push_to(&wrong, &[], "{}").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.stack.calls().of_service("dynamodb"), before);
    // Counters are written at most every ten seconds.
    for _ in 0..1_000 {
        world.time.advance(Duration::seconds(1));
        if world.get(&path).await["data"]["rejectedLast24h"] == 21 {
            return;
        }
    }
    panic!("the rejected requests were never counted");
}

#[tokio::test]
async fn the_validation_requests_of_event_grid_and_cloud_events_are_answered() {
    let world = World::start().await;
    let body = json!({"name": "acr", "type": "registry-push", "provider": "acr", "secret": "Bearer s"});
    let config = world.config(&body).await;
    let validation = json!([{"id": "v", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "code-1"}}])
    .to_string();
    let answer = world.push(&config, &[("authorization", "Bearer s")], &validation).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({"validationResponse": "code-1"})));
    assert_eq!(world.push(&config, &[], &validation).await.status, StatusCode::UNAUTHORIZED);

    let hub = world.docker_hub().await;
    let ask = async |url: &str, headers: &[(&str, &str)]| {
        let base = world.stack.url();
        let path = url.strip_prefix(&base).unwrap().to_owned();
        Client::new(&base, None).send(Method::OPTIONS, &path, headers, Vec::new().into()).await.unwrap()
    };
    let origin = [("webhook-request-origin", "eventgrid.azure.net")];
    let answer = ask(hub["url"].as_str().unwrap(), &origin).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["webhook-allowed-origin"], "eventgrid.azure.net");
    let (bare, _) = hub["url"].as_str().unwrap().rsplit_once('/').unwrap();
    assert_eq!(ask(bare, &origin).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(hub["url"].as_str().unwrap(), &[]).await.status, StatusCode::BAD_REQUEST);
    let unknown = format!("{}/api/v1/webhooks/registry/{}", world.stack.url(), id(&hub));
    assert_eq!(ask(&unknown, &origin).await.status, StatusCode::NOT_FOUND);
}
