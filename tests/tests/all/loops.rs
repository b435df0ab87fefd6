//! Loop protection: the hop limit of events that come back in through a webhook config, and the limit of
//! releases per minute.

use std::collections::BTreeMap;

use chrono::Duration;
use end_to_end::faults::Fault;
use end_to_end::receiver::Receiver;
use end_to_end::runtime::record_environments;
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use sam_local::{Data, Settings, Time};
use serde_json::{Value, json};
use stella::aws::Aws;
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;

use crate::queued::world_with_proxies;

const LINEAGE: &str = "x-stella-lineage";

/// A component that releases every new tag.
async fn component_with_trigger(world: &World, repository: &str) -> String {
    let component = world.component(&[repository]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    component
}

async fn subscribe(world: &World, url: &str, more: &Value) -> Value {
    let mut body = json!({"name": "s", "url": url, "events": ["release.created"]});
    stella::domain::shared::merge_patch::merge(&mut body, more);
    world.subscription(&body).await
}

/// Waits until `count` receipts of a config have this action; the receipts.
async fn receipts(world: &World, config: &Value, action: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/v1/webhook-configs/{}/receipts?pageSize=100&action={action}", id(config));
    world.rows(&path, |rows| rows.len() >= count).await
}

async fn releases(world: &World) -> usize {
    let found = world.get("/api/v1/releases?pageSize=100").await;
    found["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_loop_of_two_subscriptions_to_their_own_config_ends_after_three_hops() {
    let world = World::start().await;
    component_with_trigger(&world, "myapp").await;
    let config = world
        .config(&json!({"name": "loop", "type": "generic", "provider": "generic", "mapping": {
            "kind": "artifact.pushed", "repository": "$.data.release.components[0].name", "tag": "$.id"}}))
        .await;
    let url = config["url"].as_str().unwrap();
    for _ in 0..2 {
        subscribe(&world, url, &json!({"allowSelf": true})).await;
    }
    let first = json!({"id": "first", "data": {"release": {"components": [{"name": "myapp"}]}}});
    let answer = world.push(&config, &[], &first.to_string()).await;
    assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    // Each release is delivered twice: 1, 2, 4 and 8 releases, and 16 pushes over the limit.
    let ignored = receipts(&world, &config, "ignored", 16).await;
    assert_eq!(ignored.len(), 16);
    assert!(ignored.iter().all(|receipt| receipt["reason"] == "Too many hops"), "{:#?}", ignored[0]);
    assert_eq!(receipts(&world, &config, "processed", 15).await.len(), 15);
    assert_eq!(releases(&world).await, 15);
    world.stack.idle().await;
    assert_eq!(releases(&world).await, 15, "the loop has ended");
}

#[tokio::test]
async fn the_hops_of_a_push_are_passed_on_to_the_deliveries_of_its_release() {
    let world = World::start().await;
    let component = component_with_trigger(&world, "myorg/myapp").await;
    let config = world.docker_hub().await;
    let receiver = Receiver::accepting().await;
    subscribe(&world, &receiver.url, &json!({})).await;
    let push = async |tag: &str, lineage: Option<&str>| {
        let headers: Vec<(&str, &str)> = lineage.map(|value| (LINEAGE, value)).into_iter().collect();
        world.push(&config, &headers, &docker_hub_push(tag, 1)).await
    };
    // A push without hops, or with hops that we did not sign, counts as the first.
    let forged = ["3.00000000000000000000000000000000", "4", "", "9.x"];
    for (number, lineage) in [None].into_iter().chain(forged.map(Some)).enumerate() {
        let answer = push(&format!("v0.{number}.0"), lineage).await;
        assert_eq!(answer.body["action"], "processed", "{lineage:?}: {}", answer.body);
        let received = receiver.wait_for(number + 1).await;
        assert!(received[number].header(LINEAGE).starts_with("1."), "{lineage:?}");
    }
    // A push with the signed hops of a delivery continues its count.
    let mut signed = receiver.received()[0].header(LINEAGE).to_owned();
    for hops in 2..=4 {
        assert_eq!(push(&format!("v{hops}.0.0"), Some(&signed)).await.body["action"], "processed");
        let received = receiver.wait_for(4 + hops).await;
        signed = received.last().unwrap().header(LINEAGE).to_owned();
        assert!(signed.starts_with(&format!("{hops}.")), "{signed}");
    }
    let answer = push("v5.0.0", Some(&signed)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        (&answer.body["action"], &answer.body["reason"]),
        (&json!("ignored"), &json!("Too many hops"))
    );
    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    assert_eq!(versions["pagination"]["total"], 8);
    let path = format!(
        "/api/v1/webhook-configs/{}/receipts/{}",
        id(&config),
        answer.body["receiptId"].as_str().unwrap()
    );
    let receipt = world.get(&path).await;
    assert_eq!(receipt["data"]["reason"], "Too many hops");
    // A replay keeps the hops.
    let again = world.post(&format!("{path}/replay"), &json!({})).await;
    assert_eq!(again.data()["reason"], "Too many hops", "{}", again.body);
}

#[tokio::test]
async fn queued_requests_redeliveries_and_pulls_keep_their_hops() {
    let (world, tables, _) = world_with_proxies().await;
    component_with_trigger(&world, "myorg/myapp").await;
    let config = world.docker_hub().await;
    let receiver = Receiver::accepting().await;
    let subscription = subscribe(&world, &receiver.url, &json!({})).await;
    let fetched = subscribe(&world, "pull:", &json!({})).await;
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    let signed = receiver.wait_for(1).await[0].header(LINEAGE).to_owned();
    tables.fail(|_| Fault::ServerError);
    let queued = world.push(&config, &[(LINEAGE, &signed)], &docker_hub_push("v1.1.0", 2)).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    tables.clear_faults();
    let received = world.pass(Duration::minutes(5), &receiver, 2).await;
    assert!(received[1].header(LINEAGE).starts_with("2."), "{:?}", received[1].headers);
    let done = |rows: &[Value]| rows.iter().filter(|row| row["status"] == "delivered").count() == 2;
    let rows = world.deliveries(&subscription, done).await;
    let second =
        rows.iter().find(|row| row["deliveryId"] == received[1].header("x-stella-delivery")).unwrap();
    let path = format!("/api/v1/deliveries/{}/redeliver", second["deliveryId"].as_str().unwrap());
    assert!(world.post(&path, &json!({})).await.status.is_success());
    let received = world.pass(Duration::seconds(1), &receiver, 3).await;
    assert!(received[2].header(LINEAGE).starts_with("2."));
    let path = format!("/api/v1/webhook-subscriptions/{}/pull?max=10", id(&fetched));
    let pulled = world.rows(&path, |rows| !rows.is_empty()).await;
    let mut lineages: Vec<&str> =
        pulled.iter().filter_map(|row| row["headers"]["X-Stella-Lineage"].as_str()).collect();
    lineages.sort_unstable();
    let hops: Vec<&str> = lineages.iter().map(|value| &value[..2]).collect();
    assert_eq!(hops, ["1.", "2."]);
}

#[tokio::test]
async fn hops_signed_before_the_master_key_was_rotated_still_count() {
    let folder = tempfile::tempdir().unwrap();
    let world_on = async |functions: Functions| {
        let data = Data::Folder(folder.path().to_owned());
        World::made_of(Settings { data, functions: functions.into(), ..stella_local::settings() }).await
    };
    let (functions, environments) = record_environments();
    let world = world_on(functions).await;
    component_with_trigger(&world, "myorg/myapp").await;
    let config = world.docker_hub().await;
    let receiver = Receiver::accepting().await;
    subscribe(&world, &receiver.url, &json!({})).await;
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    let signed = receiver.wait_for(1).await[0].header(LINEAGE).to_owned();
    let environment = world.unlimited(&environments.lock().unwrap()["ApiFunction"]);
    let secrets = Aws::new(&environment).unwrap().secrets_manager();
    let rotated =
        secrets.put_secret_value().secret_id("/dev/system/master-key").secret_string("b".repeat(64));
    rotated.send().await.unwrap();
    let path = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap().to_owned();
    world.stack.stop().await;
    // After the restart the functions read the old key only when the new one does not verify the hops.
    let world = world_on(Functions::ours()).await;
    let url = format!("{}{path}", world.stack.url());
    let answer = world.push_to(&url, &[(LINEAGE, &signed)], &docker_hub_push("v1.1.0", 2)).await;
    assert_eq!(answer.body["action"], "processed", "{}", answer.body);
    assert!(receiver.wait_for(2).await[1].header(LINEAGE).starts_with("2."));
}

#[tokio::test]
async fn a_subscription_to_an_inbound_address_of_the_deployment_needs_allow_self() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let url = config["url"].as_str().unwrap();
    let path = "/api/v1/webhook-subscriptions";
    let spelled = [
        url.to_owned(),
        url.replace("127.0.0.1", "localhost"),
        url.replace("127.0.0.1", "127.0.0.2"),
        url.replace("/api/", "//x/../%61pi/"),
    ];
    for url in &spelled {
        let body = json!({"name": "s", "url": url, "events": ["release.created"]});
        let refused = world.post(path, &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["field"], "url");
    }
    let made = subscribe(&world, url, &json!({"allowSelf": true})).await;
    assert_eq!(made["allowSelf"], true);
    let one = format!("{path}/{}", id(&made));
    let patch = async |body: Value| world.admin.json(Method::PATCH, &one, &body).await.unwrap();
    assert_eq!(patch(json!({"name": "t"})).await.status, StatusCode::OK);
    assert_eq!(patch(json!({"allowSelf": false})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let elsewhere = Receiver::accepting().await;
    let moved = patch(json!({"url": elsewhere.url, "allowSelf": false})).await;
    assert_eq!((moved.status, &moved.data()["allowSelf"]), (StatusCode::OK, &json!(false)));
    assert_eq!(patch(json!({"url": url})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn pushes_over_the_release_rate_limit_are_queued_and_processed_in_the_order_of_receipt() {
    let parameters = BTreeMap::from([("ReleasesPerMinute".to_owned(), "3".to_owned())]);
    // Start at the beginning of a minute.
    let noon = SystemClock.now().timestamp().div_euclid(60) * 60;
    let time = Time::manual(chrono::DateTime::from_timestamp(noon, 0).unwrap());
    let world = World::made_of(Settings { parameters, time, ..stella_local::settings() }).await;
    component_with_trigger(&world, "myorg/myapp").await;
    world.create("/api/v1/components", &json!({"name": "other", "repositories": ["myorg/other"]})).await;
    let config = world.docker_hub().await;
    for number in 0..3 {
        // Releases sort by id, which has a resolution of one millisecond.
        world.time.advance(Duration::milliseconds(1));
        let answer = world.push(&config, &[], &docker_hub_push(&format!("v1.{number}.0"), number)).await;
        assert_eq!((answer.status, &answer.body["triggersActivated"]), (StatusCode::OK, &json!(1)));
    }
    for number in 3..8 {
        let answer = world.push(&config, &[], &docker_hub_push(&format!("v1.{number}.0"), number)).await;
        assert_eq!(
            (answer.status, &answer.body["action"]),
            (StatusCode::ACCEPTED, &json!("queued")),
            "{number}"
        );
    }
    // The limit does not delay a duplicate.
    let repeated = world.push(&config, &[], &docker_hub_push("v1.0.0", 0)).await;
    assert_eq!(repeated.body["action"], "duplicate");
    assert_eq!(releases(&world).await, 3);
    let names = async || -> Vec<String> {
        let found = world.get("/api/v1/releases?pageSize=100").await;
        let names = found["data"].as_array().unwrap().iter().rev();
        names.map(|release| release["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut most = BTreeMap::new();
    for _ in 0..40 {
        world.time.advance(Duration::seconds(5));
        for _ in 0..20 {
            world.stack.idle().await;
            world.get("/api/v1/health").await;
        }
        let minute = world.time.now().timestamp() / 60;
        most.insert(minute, releases(&world).await);
    }
    let expected: Vec<String> = (0..8).map(|number| format!("myapp-v1.{number}.0")).collect();
    assert_eq!(names().await, expected, "in the order of receipt");
    let counts: Vec<usize> = most.into_values().collect();
    assert!(counts.windows(2).all(|pair| pair[1] - pair[0] <= 3), "{counts:?}");
    assert_eq!(receipts(&world, &config, "processed", 8).await.len(), 8, "each receipt has the final action");
}
