//! Inbound: from a push to a version, a release and a delivery; receipts, replay, rotation, and queued
//! requests.

use std::sync::{Arc, Mutex};

use chrono::Duration;
use end_to_end::faults::{Fault, FaultProxy};
use end_to_end::receiver::Receiver;
use end_to_end::{World, digest, docker_hub_push, harbor_push, id};
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use stella_local::Functions;
use stella_local::client::Answer;

use super::{Moto, VISIBILITY_TIMEOUT_SECONDS, rows, shown, wait_minutes_until};

pub(super) async fn pushes(world: &World) {
    let component = component(world).await;
    let receiver = Receiver::accepting().await;
    let subscription = json!({"name": "releases", "url": receiver.url, "events": ["release.created"]});
    world.subscription(&subscription).await;
    signed(world, &component, &receiver).await;
    retagged(world, &component).await;
    let config = received_and_replayed(world).await;
    changed(world, &config).await;
    let path = format!(
        "/api/v1/components/{}",
        id(&world.create("/api/v1/components", &json!({"name": "gone", "repositories": ["a/b"]})).await)
    );
    assert_eq!(send(world, Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
}

async fn send(world: &World, method: Method, path: &str, body: &Value) -> Answer {
    let answer = world.admin.json(method, path, body).await.expect("an answer");
    assert!(answer.status.is_success(), "{path}: {}", answer.body);
    answer
}

/// A component with its triggers, each replaced and patched.
async fn component(world: &World) -> String {
    let component = world.component(&["myorg/other"]).await;
    let path = format!("/api/v1/components/{component}");
    send(world, Method::PUT, &path, &json!({"name": "myapp", "repositories": ["myorg/else"]})).await;
    send(world, Method::PATCH, &path, &json!({"repositories": ["myorg/myapp"]})).await;
    assert_eq!(shown(world, &path).await["data"]["repositories"], json!(["myorg/myapp"]));
    let trigger = world.trigger(&component, &json!({"name": "t", "on": "artifact.pushed"})).await;
    let path = format!("{path}/triggers/{trigger}");
    send(world, Method::PUT, &path, &json!({"name": "all", "on": "artifact.pushed"})).await;
    send(world, Method::PATCH, &path, &json!({"name": "every one"})).await;
    assert_eq!(shown(world, &path).await["data"]["name"], "every one");
    let second = world.trigger(&component, &json!({"name": "t", "on": "release"})).await;
    let path = format!("/api/v1/components/{component}/triggers/{second}");
    send(world, Method::DELETE, &path, &Value::Null).await;
    world.trigger(&component, &json!({"name": "tags", "on": "git.tag"})).await;
    component
}

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A signed push creates a version and a release that is delivered; a duplicate creates nothing.
async fn signed(world: &World, component: &str, receiver: &Receiver) {
    let body = json!({"name": "own", "type": "generic", "provider": "generic", "secret": "key",
        "signatureHeader": "X-Signature", "signatureAlgorithm": "hmac-sha256"});
    let config = world.config(&body).await;
    let push = json!({"kind": "artifact.pushed", "repository": "myorg/myapp", "tag": "v1.0.0"}).to_string();
    let proof = signature("key", &push);
    let answer = world.push(&config, &[("x-signature", &proof)], &push).await;
    assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    let again = world.push(&config, &[("x-signature", &proof)], &push).await;
    assert_eq!(again.body["action"], "duplicate", "{}", again.body);
    let refused = world.push(&config, &[("x-signature", "00")], &push).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);

    let release = rows(world, "/api/v1/releases").await.remove(0);
    let event = receiver.wait_for(1).await.remove(0).json();
    assert_eq!(event["data"]["release"]["id"], release["id"]);
    shown(world, &format!("/api/v1/releases/{}", id(&release))).await;
    let versions = rows(world, &format!("/api/v1/components/{component}/versions")).await;
    assert_eq!((&versions[0]["tag"], &versions[0]["channel"]), (&json!("v1.0.0"), &json!("stable")));
}

async fn harbor(world: &World, more: &Value) -> Value {
    let mut body = json!({"name": "harbor", "type": "registry-push", "provider": "harbor"});
    stella::domain::shared::merge_patch::merge(&mut body, more);
    world.config(&body).await
}

/// A tag that moves there and back makes three releases and one version.
async fn retagged(world: &World, component: &str) {
    let config = harbor(world, &json!({"secret": "s3cret"})).await;
    for (at, of) in (1_704_067_200..).zip(['a', 'b', 'a']) {
        let push = harbor_push("latest", &digest(of), at);
        let answer = world.push(&config, &[("authorization", "s3cret")], &push).await;
        assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    }
    let versions = rows(world, &format!("/api/v1/components/{component}/versions")).await;
    let latest = versions.iter().find(|version| version["tag"] == "latest").expect("the tag");
    assert_eq!(latest["history"][0]["digest"], digest('b'), "{latest}");
}

/// A receipt is shown and replayed, and a body is previewed.
async fn received_and_replayed(world: &World) -> Value {
    let config = world.docker_hub().await;
    let push = docker_hub_push("v2.0.0-rc.1", 1_704_067_200);
    let answer = world.push(&config, &[], &push).await;
    assert_eq!(answer.body["action"], "processed", "{}", answer.body);
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    let receipt = format!("{path}/receipts/{}", answer.body["receiptId"].as_str().expect("a receipt"));
    assert_eq!(shown(world, &receipt).await["data"]["action"], "processed");
    let replayed = world.post(&format!("{receipt}/replay"), &Value::Null).await;
    assert_eq!(replayed.data()["action"], "duplicate", "{}", replayed.body);
    let body: Value = serde_json::from_str(&docker_hub_push("v3.0.0", 1)).unwrap();
    let preview = world.post(&format!("{path}/preview"), &json!({ "body": body })).await;
    assert_eq!(preview.data()["decisions"][0]["versionAdded"], true, "{}", preview.body);
    config
}

/// URL tokens and secrets are rotated, and configs replaced, patched and deleted.
async fn changed(world: &World, config: &Value) {
    let path = format!("/api/v1/webhook-configs/{}", id(config));
    let rotated = world.post(&format!("{path}/rotate-token"), &json!({"gracePeriodSeconds": 60})).await;
    let status = async |config: &Value| world.push(config, &[], &docker_hub_push("v1", 2)).await.status;
    assert_eq!((status(rotated.data()).await, status(config).await), (StatusCode::OK, StatusCode::OK));
    world.time.advance(Duration::minutes(2));
    assert_eq!(status(config).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(rotated.data()).await, StatusCode::OK);
    let whole = json!({"name": "hub", "type": "registry-push", "provider": "dockerhub"});
    send(world, Method::PUT, &path, &whole).await;
    shown(world, &path).await;
    send(world, Method::DELETE, &path, &Value::Null).await;

    let config = harbor(world, &json!({"secret": "old"})).await;
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    send(world, Method::PATCH, &path, &json!({"secret": "new"})).await;
    let push = harbor_push("v1.2.0", &digest('c'), 1_704_067_200);
    for secret in ["old", "new"] {
        let answer = world.push(&config, &[("authorization", secret)], &push).await;
        assert_eq!(answer.status, StatusCode::OK, "{secret}: {}", answer.body);
    }
}

/// A push is queued while DynamoDB fails and processed later.
pub(super) async fn queued(moto: &Moto) {
    let proxy: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
    let made = Arc::clone(&proxy);
    let functions = Functions::ours().with("inbound", move |environment| {
        let made = Arc::clone(&made);
        async move {
            let proxy = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_DYNAMODB").await?;
            let environment = environment.with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url);
            *made.lock().unwrap() = Some(proxy);
            stella_inbound::start(environment).await
        }
    });
    let world = moto.world("queued", functions, VISIBILITY_TIMEOUT_SECONDS).await;
    let tables = proxy.lock().unwrap().clone().expect("the proxy is started");
    let component = world.component(&["myorg/myapp"]).await;
    let body = json!({"name": "hub", "type": "registry-push", "provider": "dockerhub",
        "retryPolicy": {"backoffType": "fixed", "backoffSeconds": 1}});
    let config = world.config(&body).await;
    // The config is cached from here on.
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    tables.fail(|_| Fault::ServerError);
    let answer = world.push(&config, &[], &docker_hub_push("v1.1.0", 2)).await;
    assert_eq!(answer.body["action"], "queued", "{}", answer.body);
    tables.clear_faults();
    let versions = format!("/api/v1/components/{component}/versions");
    wait_minutes_until(&world, &versions, |versions| versions.get(1).is_some()).await;
    moto.end(world).await;
}
