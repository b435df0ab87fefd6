//! The Lambda binaries, run against the runtime API with the events of `events/lambda`.

use std::sync::PoisonError;

use end_to_end::World;
use end_to_end::runtime::{Runtime, metrics, record_environments};
use sam_local::Time;
use serde_json::{Value, json};

/// Starts a function's binary with its variables of a running stack.
macro_rules! start {
    ($environments:ident, $function:literal, $binary:literal) => {{
        let variables =
            $environments.lock().unwrap_or_else(PoisonError::into_inner)[$function].variables().clone();
        Runtime::start($binary, &variables).await
    }};
}

/// An event in `events/lambda`.
macro_rules! event {
    ($name:literal) => {
        include_str!(concat!("../../../events/lambda/", $name, ".json"))
    };
}

#[tokio::test]
async fn inbound_answers_a_sender_and_processes_queued_requests() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut function = start!(environments, "InboundFunction", "stella-inbound");
    let answer = function.invoke(event!("inbound")).await.unwrap();
    assert_eq!(answer["statusCode"], 404, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    let answer = function.invoke(event!("inbound-retry")).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "its config does not exist");
    let error = function.invoke("{}").await.unwrap_err();
    assert_eq!(
        error["errorType"], "Stella.Fault",
        "named by its kind, so that equal kinds are counted together"
    );
    assert_eq!(error["errorMessage"], "the event is not one of an HTTP API");
}

#[tokio::test]
async fn api_answers_a_caller() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut function = start!(environments, "ApiFunction", "stella-api");
    let answer = function.invoke(event!("api")).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn portal_serves_its_page() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut function = start!(environments, "PortalFunction", "stella-portal");
    let answer = function.invoke(event!("portal")).await.unwrap();
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["cache-control"]),
        (&json!(200), &json!("no-cache"))
    );
    assert!(answer["body"].as_str().unwrap().starts_with("<!doctype html>"), "{answer}");
}

#[tokio::test]
async fn fanout_accepts_an_event_without_subscribers() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut function = start!(environments, "FanoutFunction", "stella-fanout");
    let answer = function.invoke(event!("fanout")).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn both_lanes_skip_a_delivery_whose_subscription_is_deleted() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut fast = start!(environments, "DeliverFunction", "stella-deliver");
    let mut slow = start!(environments, "RetryFunction", "stella-deliver");
    for lane in [&mut fast, &mut slow] {
        let answer = lane.invoke(event!("deliver")).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
}

#[tokio::test]
async fn sweep_runs_on_schedule_reports_metrics_and_executes_commands() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut function = start!(environments, "SweepFunction", "stella-sweep");
    assert_eq!(function.invoke(event!("sweep")).await.unwrap(), Value::Null);
    let answer = function.invoke(event!("sweep-command")).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let reported = metrics(&function.kill().await);
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!((&reported[0]["Stage"], &reported[0]["DueSent"]), (&json!("dev"), &json!(0)));
}

#[tokio::test]
async fn counters_are_flushed_before_a_function_shuts_down() {
    let (functions, environments) = record_environments();
    let world = World::with(functions, Time::system()).await;
    let config = world.docker_hub().await;
    let path = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap();
    let mut function = start!(environments, "InboundFunction", "stella-inbound");
    let mut event: Value = serde_json::from_str(event!("inbound")).unwrap();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    for _ in 0..3 {
        let answer = function.invoke(&event.to_string()).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
    }
    let counted = async || world.get("/api/v1/overview").await["data"]["pushes"]["ignored"].clone();
    assert_eq!(counted().await, 1, "the other counts are still buffered");
    let exited = function.shut_down().await;
    assert!(exited.status.success(), "{exited:?}");
    assert_eq!(counted().await, 3);
}

#[tokio::test]
async fn a_function_that_lacks_a_variable_names_it_and_does_not_start() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut variables =
        environments.lock().unwrap_or_else(PoisonError::into_inner)["FanoutFunction"].variables().clone();
    variables.remove("DELIVERIES_QUEUE_URL");
    let exited = Runtime::start("stella-fanout", &variables).await.exited().await;
    assert!(!exited.status.success());
    assert!(String::from_utf8_lossy(&exited.stderr).contains("DELIVERIES_QUEUE_URL"));
}
