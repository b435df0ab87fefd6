//! Operations: the sweep of missed events, dead letters, named secrets, and the rotation of the master key.

use chrono::{DateTime, Duration, Utc};
use end_to_end::no_op::NoOp;
use end_to_end::receiver::Receiver;
use end_to_end::runtime::{Environments, record_environments};
use end_to_end::{World, digest, harbor_push};
use http::StatusCode;
use sam_local::Data;
use serde_json::{Value, json};
use stella::aws::Aws;
use stella::error::Error;
use stella::function::{Answer, Function};
use stella_local::Functions;

use super::{Moto, VISIBILITY_TIMEOUT_SECONDS, poll};

/// The sweep fans out an event that the stream missed.
pub(super) async fn missed_events(moto: &Moto) {
    let functions = Functions::ours().with("fanout", |_| async { Ok(NoOp) });
    let world = moto.world("missed", functions, VISIBILITY_TIMEOUT_SECONDS).await;
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    let event = world.publish("release.created").await;
    world.time.advance(Duration::minutes(20));
    receiver.wait_for(1).await;
    super::shown(&world, &format!("/api/v1/events/{event}")).await;
    moto.end(world).await;
}

/// A function that fails every batch.
struct Failing;

impl Function for Failing {
    fn handle<'a>(&'a self, _: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async { Err(Error::fault("injected fault")) })
    }
}

/// A message that always fails becomes a dead letter, which the operator sees.
pub(super) async fn dead_letters(moto: &Moto) {
    let functions = Functions::ours().with("deliver", |_| async { Ok(Failing) });
    let world = moto.world("dead", functions, 1).await;
    let body = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["release.created"]});
    world.subscription(&body).await;
    world.publish("release.created").await;
    let one = |dead: &Value| dead["approximateMessages"] == 1;
    let path = "/api/v1/dead-letters";
    let found = poll(&world, &world.operator, path, Duration::zero(), one).await["data"].take();
    assert_eq!(found["sample"][0]["queue"], "deliveries", "{found}");
    assert!(found["sample"][0]["body"].as_str().is_some_and(|body| body.contains("release.created")));
    moto.end(world).await;
}

/// Sealed secrets still open after the master key is rotated and the data keys are rewrapped.
pub(super) async fn master_key(moto: &Moto) {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::accepting().await;
    // Each start has functions with empty caches.
    for start in 1..=3_usize {
        let (functions, environments) = record_environments();
        let data = Data::Folder(folder.path().to_owned());
        let world = moto.world_of("keys", functions, VISIBILITY_TIMEOUT_SECONDS, data).await;
        if start == 1 {
            let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
                "authType": "bearer", "credential": "t0ken"});
            world.subscription(&body).await;
        }
        world.publish("release.created").await;
        let request = receiver.wait_for(start).await.remove(start - 1);
        assert_eq!(request.header("authorization"), "Bearer t0ken", "start {start}");
        if start == 2 {
            let done = world.operator.post("/api/v1/master-key/rewrap", &json!({})).await.expect("an answer");
            assert_eq!(done.data(), &json!({"tenants": 1, "rewrapped": 1}), "{}", done.body);
        }
        let master = "/keys/system/master-key";
        let secrets = aws(&world, &environments).secrets_manager();
        let rotation = secrets.put_secret_value().secret_id(master).secret_string("m".repeat(32 + start));
        rotation.send().await.expect("a rotation");
        moto.end(world).await;
    }
}

/// Named secrets of configs and subscriptions are read, and the previous version after a rotation.
pub(super) async fn named_secrets(moto: &Moto) {
    let (functions, environments) = record_environments();
    let world = moto.world("named", functions, VISIBILITY_TIMEOUT_SECONDS).await;
    let tenant =
        world.get("/api/v1/api-keys").await["data"][0]["tenantId"].as_str().expect("an id").to_owned();
    let secrets = aws(&world, &environments).secrets_manager();
    let name = |name: &str| format!("/named/tenants/{tenant}/{name}");
    for (called, text) in [("receiver", "t0ken"), ("harbor", "old")] {
        secrets.create_secret().name(name(called)).secret_string(text).send().await.expect("a secret");
    }
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
        "authType": "bearer", "credentialRef": "receiver"});
    world.subscription(&body).await;
    world.publish("release.created").await;
    assert_eq!(receiver.wait_for(1).await[0].header("authorization"), "Bearer t0ken");

    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secretRef": "harbor"});
    let config = world.config(&body).await;
    let push = harbor_push("v1.0.0", &digest('a'), 1_704_067_200);
    let status = async |secret: &str| world.push(&config, &[("authorization", secret)], &push).await.status;
    assert_eq!(status("old").await, StatusCode::OK);
    secrets
        .put_secret_value()
        .secret_id(name("harbor"))
        .secret_string("new")
        .send()
        .await
        .expect("a rotation");
    world.time.advance(Duration::minutes(2));
    assert_eq!((status("new").await, status("old").await), (StatusCode::OK, StatusCode::OK));
    moto.end(world).await;
}

/// AWS clients with the owner's credentials, which no policy limits.
fn aws(world: &World, environments: &Environments) -> Aws {
    let environments = environments.lock().expect("no panic while locked");
    Aws::new(&world.unlimited(&environments["ApiFunction"])).expect("clients")
}
