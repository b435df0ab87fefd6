//! What an operator relies on: missed events come, what cannot be handled is set aside, the master key is rotated.

use chrono::{DateTime, Duration, Utc};
use end_to_end::no_op::NoOp;
use end_to_end::receiver::Receiver;
use end_to_end::runtime::{Environments, record_environments};
use end_to_end::{World, digest, harbor_push};
use http::StatusCode;
use serde_json::{Value, json};
use stella::aws::Aws;
use stella::error::Error;
use stella::function::{Answer, Function};
use stella_local::stack::{Data, Functions};

use super::{HIDDEN_SECONDS, Opinion, watch};

/// An event that no stream record brings is fanned out by the sweep.
pub(super) async fn missed_events(opinion: &Opinion) {
    let functions = Functions::ours().with("fanout", |_| async { Ok(NoOp) });
    let world = opinion.world("missed", functions, HIDDEN_SECONDS).await;
    let receiver = Receiver::accepting().await;
    world.subscription(&json!({"name": "s", "url": receiver.url, "events": ["release.created"]})).await;
    let event = world.publish("release.created").await;
    world.time.advance(Duration::minutes(20));
    receiver.wait_for(1).await;
    super::shown(&world, &format!("/api/v1/events/{event}")).await;
    opinion.end(world).await;
}

/// Handles nothing.
struct Broken;

impl Function for Broken {
    fn handle<'a>(&'a self, _: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async { Err(Error::fault("injected fault")) })
    }
}

/// A message that is given back again and again is a dead letter, which the operator sees.
pub(super) async fn dead_letters(opinion: &Opinion) {
    let functions = Functions::ours().with("deliver", |_| async { Ok(Broken) });
    let world = opinion.world("dead", functions, 1).await;
    let body = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["release.created"]});
    world.subscription(&body).await;
    world.publish("release.created").await;
    let one = |dead: &Value| dead["approximateMessages"] == 1;
    let path = "/api/v1/dead-letters";
    let found = watch(&world, &world.operator, path, Duration::zero(), one).await["data"].take();
    assert_eq!(found["sample"][0]["queue"], "deliveries", "{found}");
    assert!(found["sample"][0]["body"].as_str().is_some_and(|body| body.contains("release.created")));
    opinion.end(world).await;
}

/// The master key is rotated and everything wrapped anew; what is sealed goes on to open.
pub(super) async fn master_key(opinion: &Opinion) {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::accepting().await;
    // In each life the functions remember nothing of the one before.
    for life in 1..=3_usize {
        let (functions, environments) = record_environments();
        let data = Data::Folder(folder.path().to_owned());
        let world = opinion.world_of("keys", functions, HIDDEN_SECONDS, data).await;
        if life == 1 {
            let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
                "authType": "bearer", "credential": "t0ken"});
            world.subscription(&body).await;
        }
        world.publish("release.created").await;
        let request = receiver.wait_for(life).await.remove(life - 1);
        assert_eq!(request.header("authorization"), "Bearer t0ken", "life {life}");
        if life == 2 {
            let done = world.operator.post("/api/v1/master-key/rewrap", &json!({})).await.expect("an answer");
            assert_eq!(done.data(), &json!({"tenants": 1, "rewrapped": 1}), "{}", done.body);
        }
        let master = "/keys/system/master-key";
        let secrets = aws(&world, &environments).secrets_manager();
        let rotation = secrets.put_secret_value().secret_id(master).secret_string("m".repeat(32 + life));
        rotation.send().await.expect("a rotation");
        opinion.end(world).await;
    }
}

/// Secrets that configs and subscriptions name are read, the one before a rotation too.
pub(super) async fn named_secrets(opinion: &Opinion) {
    let (functions, environments) = record_environments();
    let world = opinion.world("named", functions, HIDDEN_SECONDS).await;
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
    let status = async |said: &str| world.push(&config, &[("authorization", said)], &push).await.status;
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
    opinion.end(world).await;
}

/// Clients that no policy of a function limits.
fn aws(world: &World, environments: &Environments) -> Aws {
    let environments = environments.lock().expect("nobody failed with it");
    Aws::new(&world.unlimited(&environments["ApiFunction"])).expect("clients")
}
