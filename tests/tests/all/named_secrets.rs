//! Secrets in Secrets Manager: those that configs and subscriptions refer to by name, below their tenant's
//! prefix, and the rotation of the master key.

use chrono::Duration;
use end_to_end::receiver::{Receiver, Reply};
use end_to_end::runtime::{Environments, record_environments};
use end_to_end::{World, digest, harbor_push, id};
use hmac::{Hmac, Mac as _};
use http::StatusCode;
use sam_local::{Data, Settings, Time};
use serde_json::{Value, json};
use sha2::Sha256;
use stella::aws::Aws;
use stella::clock::{Clock as _, SystemClock};

/// The tenant of a world's admin.
async fn tenant(world: &World) -> String {
    let key = &world.get("/api/v1/api-keys").await["data"][0];
    key["tenantId"].as_str().unwrap().to_owned()
}

/// Creates a secret below the prefix of the world's tenant.
async fn put(world: &World, name: &str, text: &str) {
    let name = format!("/dev/tenants/{}/{name}", tenant(world).await);
    world.stack.secrets_manager().create_if_absent(&name, text).unwrap();
}

#[tokio::test]
async fn a_sender_is_authenticated_by_a_secret_that_its_config_names() {
    let world = World::start().await;
    put(&world, "harbor", "what harbor says").await;
    let config = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secretRef": "harbor"});
    let config = world.config(&config).await;
    let push = harbor_push("v1.0.0", &digest('a'), 1_704_067_200);
    let status = async |secret: &str| world.push(&config, &[("authorization", secret)], &push).await.status;
    assert_eq!(status("what harbor says").await, StatusCode::OK);
    assert_eq!(status("something else").await, StatusCode::UNAUTHORIZED);
}

/// A subscription that sends the named secret as bearer token and retries once.
async fn bearer(world: &World, receiver: &Receiver, name: &str) -> Value {
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"], "authType": "bearer",
        "credentialRef": name, "retryPolicy": {"maxRetries": 1, "backoffSeconds": 1}});
    world.subscription(&body).await
}

#[tokio::test]
async fn attempts_retries_and_tests_send_the_credential_that_the_subscription_names() {
    let world = World::with_manual_clock().await;
    put(&world, "receiver", "t0ken").await;
    let receiver = Receiver::start(|number, _| Reply::from(if number == 0 { 500 } else { 200 })).await;
    let subscription = bearer(&world, &receiver, "receiver").await;
    world.publish("release.created").await;
    receiver.wait_for(1).await;
    world.pass(Duration::seconds(2), &receiver, 2).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/test", id(&subscription));
    let tested = world.post(&path, &json!({"event": "release.created"})).await;
    assert_eq!(tested.body["success"], true, "{}", tested.body);
    for request in receiver.wait_for(3).await {
        assert_eq!(request.header("authorization"), "Bearer t0ken");
    }
}

#[tokio::test]
async fn deliveries_are_paused_without_using_an_attempt_until_the_named_credential_exists() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let subscription = bearer(&world, &receiver, "later").await;
    world.publish("release.created").await;
    let rows = world.deliveries(&subscription, |rows| rows.iter().any(|row| row["status"] == "paused")).await;
    assert_eq!((&rows[0]["reason"], &rows[0]["attempt"]), (&json!("credential"), &json!(0)), "{rows:?}");
    assert!(receiver.received().is_empty());
    put(&world, "later", "t0ken").await;
    world.pass(Duration::minutes(5), &receiver, 1).await;
    let rows = world.deliveries(&subscription, |rows| rows[0]["status"] == "delivered").await;
    assert_eq!(rows[0]["attempt"], 1);
}

#[tokio::test]
async fn no_secret_name_resolves_to_another_tenants_secret() {
    let world = World::start().await;
    put(&world, "receiver", "t0ken").await;
    let (owner, mut tried) = (tenant(&world).await, 0);
    let stranger = world.stranger().await;
    let receiver = Receiver::accepting().await;
    for name in [
        format!("/dev/tenants/{owner}/receiver"),
        format!("../{owner}/receiver"),
        format!("/{owner}/receiver"),
        "receiver".to_owned(),
    ] {
        let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "authType": "bearer", "credentialRef": name});
        let made = stranger.post("/api/v1/webhook-subscriptions", &body).await.unwrap();
        if made.status == StatusCode::UNPROCESSABLE_ENTITY {
            continue;
        }
        let path = format!("/api/v1/webhook-subscriptions/{}/test", id(made.data()));
        let tested = stranger.post(&path, &json!({"event": "release.created"})).await.unwrap();
        assert_ne!(tested.body["success"], true, "{name}: {}", tested.body);
        tried += 1;
    }
    assert!(tried > 0, "some names were tried");
    assert!(receiver.received().is_empty());
}

/// Replaces the value of a secret.
async fn rotate(world: &World, environments: &Environments, name: &str, text: &str) {
    let environment = world.unlimited(&environments.lock().unwrap()["ApiFunction"]);
    let secrets = Aws::new(&environment).unwrap().secrets_manager();
    secrets.put_secret_value().secret_id(name).secret_string(text).send().await.unwrap();
    assert_eq!(world.stack.secrets_manager().read(name).unwrap().as_deref(), Some(text));
}

#[tokio::test]
async fn blanks_and_line_breaks_at_the_ends_of_a_named_secret_are_no_part_of_it() {
    let (functions, environments) = record_environments();
    let time = Time::manual(SystemClock.now());
    let settings = Settings { functions: functions.into(), time, ..stella_local::settings() };
    let world = World::made_of(settings).await;
    put(&world, "github", " first secret\r\n").await;
    let config = json!({"name": "g", "type": "github-app", "secretRef": "github"});
    let config = world.config(&config).await;
    let status = async |secret: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(b"{}");
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        world.push(&config, &[("x-hub-signature-256", &signature)], "{}").await.status
    };
    assert_eq!(status("first secret").await, StatusCode::OK);
    assert_eq!(status("first secret\r\n").await, StatusCode::UNAUTHORIZED);
    let name = format!("/dev/tenants/{}/github", tenant(&world).await);
    rotate(&world, &environments, &name, "\tsecond secret \n").await;
    // The environment may have read the first one a moment ago.
    world.time.advance(Duration::seconds(61));
    assert_eq!(status("second secret").await, StatusCode::OK);
    assert_eq!(status("first secret").await, StatusCode::OK, "the previous one");
}

#[tokio::test]
async fn sealed_secrets_still_open_after_the_master_key_is_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::accepting().await;
    let master = "/dev/system/master-key";
    // Each start has functions with empty caches.
    for start in 1..=4_usize {
        let (functions, environments) = record_environments();
        let data = Data::Folder(folder.path().to_owned());
        let world =
            World::made_of(Settings { data, functions: functions.into(), ..stella_local::settings() }).await;
        if start == 1 {
            let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
                "authType": "signature", "signatureSecret": "my-secret-key"});
            world.subscription(&body).await;
        }
        world.publish("release.created").await;
        let request = receiver.wait_for(start).await.pop().unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(b"my-secret-key").unwrap().chain_update(&request.body);
        let signature = hex::encode(mac.finalize().into_bytes());
        assert_eq!(request.header("x-stella-signature"), signature, "start {start}");
        // Two rotations, each followed by a rewrap: afterwards nothing needs the oldest key.
        match start {
            1 | 3 => rotate(&world, &environments, master, &"m".repeat(32 + start)).await,
            _ => {
                let rewrap =
                    async || world.operator.post("/api/v1/master-key/rewrap", &json!({})).await.unwrap();
                let done = rewrap().await;
                assert_eq!(done.data(), &json!({"tenants": 1, "rewrapped": 1}), "{}", done.body);
                assert_eq!(rewrap().await.data()["rewrapped"], 0);
            }
        }
        world.stack.stop().await;
    }
}
