//! Pushes that are queued because DynamoDB fails after their sender was authenticated, and processed later.

use std::sync::{Arc, Mutex};

use chrono::Duration;
use end_to_end::faults::{Fault, FaultProxy};
use end_to_end::{World, docker_hub_push, id};
use http::StatusCode;
use sam_local::Time;
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;

/// A system whose `inbound` calls DynamoDB and SQS through proxies; with the proxies of both.
pub async fn world_with_proxies() -> (World, FaultProxy, FaultProxy) {
    let proxies: Arc<Mutex<Option<(FaultProxy, FaultProxy)>>> = Arc::default();
    let made = Arc::clone(&proxies);
    let functions = Functions::ours().with("inbound", move |environment| {
        let made = Arc::clone(&made);
        async move {
            let tables = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_DYNAMODB").await?;
            let queues = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_SQS").await?;
            *made.lock().unwrap() = Some((tables.clone(), queues.clone()));
            let environment = environment
                .with("AWS_ENDPOINT_URL_DYNAMODB", &tables.url)
                .with("AWS_ENDPOINT_URL_SQS", &queues.url);
            stella_inbound::start(environment).await
        }
    });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let (tables, queues) = proxies.lock().unwrap().clone().expect("the proxies are started");
    (world, tables, queues)
}

#[tokio::test]
async fn a_push_is_queued_while_dynamodb_fails_and_processed_when_it_recovers() {
    let (world, tables, _) = world_with_proxies().await;
    let component = world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    // The config is cached from here on.
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    tables.fail(|_| Fault::ServerError);
    world.time.advance(Duration::seconds(1));
    let answer = world.push(&config, &[], &docker_hub_push("v1.1.0", 2)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!((&answer.body["action"], &answer.body["success"]), (&json!("queued"), &json!(true)));
    assert!(answer.body["receiptId"].is_string());
    // Two hours of failures do not exhaust the retries.
    for _ in 0..24 {
        world.time.advance(Duration::minutes(5));
        tokio::task::yield_now().await;
    }
    tables.clear_faults();
    let receipts = format!("/api/v1/webhook-configs/{}/receipts?action=processed", id(&config));
    for _ in 0..200 {
        world.time.advance(Duration::minutes(5));
        let processed = world.get(&receipts).await;
        if processed["pagination"]["total"] == 2 {
            assert_eq!(
                processed["data"][0]["id"], answer.body["receiptId"],
                "the receipt has the final action"
            );
            let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
            assert_eq!(versions["pagination"]["total"], 2);
            assert_eq!(versions["data"][0]["tag"], "v1.1.0");
            return;
        }
    }
    panic!("the queued push was not processed");
}

#[tokio::test]
async fn a_transaction_whose_response_is_lost_takes_effect_once() {
    let (world, tables, _) = world_with_proxies().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let config = world.docker_hub().await;
    tables.fail(|operation| match operation {
        "TransactWriteItems" => Fault::ResponseLost,
        _ => Fault::None,
    });
    let answer = world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    assert_ne!(answer.body["action"], "duplicate", "the SDK's retry is no duplicate");
    tables.clear_faults();
    for _ in 0..50 {
        world.time.advance(Duration::minutes(5));
        world.get("/api/v1/health").await;
    }
    let releases = world.rows("/api/v1/releases", |rows| !rows.is_empty()).await;
    assert_eq!(releases.len(), 1);
}

#[tokio::test]
async fn if_sqs_fails_too_the_sender_is_answered_503_with_retry_after() {
    let (world, tables, queues) = world_with_proxies().await;
    world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    tables.fail(|_| Fault::ServerError);
    let unknown = world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE, "the config cannot be read");
    tables.clear_faults();
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    tables.fail(|_| Fault::ServerError);
    queues.fail(|_| Fault::ServerError);
    let answer = world.push(&config, &[], &docker_hub_push("v1.1.0", 2)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.body.get("detail"), None);
}
