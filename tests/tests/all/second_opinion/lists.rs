//! Every list of the API, with each of its filters, and its second page by number and by cursor.

use std::collections::BTreeMap;

use chrono::Duration;
use end_to_end::{World, docker_hub_push, id};
use http::StatusCode;
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

use super::{rows, shown};

pub(super) async fn every_one(world: &World) {
    let ids = create_rows(world).await;
    let document = stella_api::openapi();
    let mut lists = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let parameters = methods["get"]["parameters"].as_array().cloned().unwrap_or_default();
        if !parameters.iter().any(|parameter| parameter["name"] == "cursor") {
            continue;
        }
        lists += 1;
        let path = filled(path, &ids);
        pages(world, &path).await;
        for filter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            for value in values(world, &document, filter) {
                list(world, &format!("{path}?{}={value}", filter["name"].as_str().expect("a name"))).await;
            }
        }
    }
    assert!(lists > 8, "{lists} lists");
}

/// Creates at least two rows for each list; the ids for the paths.
async fn create_rows(world: &World) -> BTreeMap<&'static str, String> {
    let component = id(&rows(world, "/api/v1/components").await[0]);
    world.component(&["myorg/second"]).await;
    for name in ["one", "another"] {
        world.trigger(&component, &json!({"name": name, "on": "release"})).await;
        world.create("/api/v1/api-keys", &json!({"name": name, "role": "viewer"})).await;
        world.operator.post("/api/v1/tenants", &json!({"name": name})).await.expect("an answer");
    }
    let config = world.docker_hub().await;
    for tag in ["v7.0.0", "v7.0.1"] {
        let answer = world.push(&config, &[], &docker_hub_push(tag, 7)).await;
        assert_eq!(answer.body["action"], "processed", "{}", answer.body);
    }
    let body = json!({"name": "listed", "url": "http://127.0.0.1:9/", "events": ["promotion.approved"],
        "enabled": false});
    let subscription = world.subscription(&body).await;
    for _ in 0..2 {
        world.publish("promotion.approved").await;
    }
    super::deliveries(world, &subscription, "skipped", 2).await;
    BTreeMap::from([
        ("/components/", component),
        ("/webhook-configs/", id(&config)),
        ("/webhook-subscriptions/", id(&subscription)),
    ])
}

fn filled(path: &str, ids: &BTreeMap<&'static str, String>) -> String {
    let Some((before, after)) = path.split_once("{id}") else { return path.to_owned() };
    let (_, id) = ids.iter().find(|(kind, _)| before.ends_with(*kind)).expect("an id for this path");
    assert!(!after.contains('{'), "{path}");
    format!("{before}{id}{after}")
}

/// A page of a list, read by the operator or by the admin, as its route requires.
async fn list(world: &World, path: &str) -> Value {
    if !path.starts_with("/api/v1/tenants") {
        return shown(world, path).await;
    }
    let answer = world.operator.get(path).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body
}

/// Reads the first page, and the second by cursor and by number as of the first, which must be equal.
async fn pages(world: &World, path: &str) {
    let first = list(world, &format!("{path}?pageSize=1")).await;
    assert_eq!(first["data"].as_array().map(Vec::len), Some(1), "{path}: {first}");
    let pagination = &first["pagination"];
    assert_eq!(pagination["hasMore"], true, "{path}: {first}");
    let (cursor, as_of) = (pagination["nextCursor"].as_str(), pagination["asOf"].as_str());
    let (cursor, as_of) = (cursor.expect("a cursor"), as_of.expect("a time"));
    let by_cursor = list(world, &format!("{path}?pageSize=1&cursor={cursor}")).await;
    let by_number = list(world, &format!("{path}?pageSize=1&page=2&asOf={as_of}")).await;
    assert_eq!(by_cursor["data"], by_number["data"], "{path}");
    assert_ne!(by_cursor["data"], first["data"], "{path}");
}

/// Values for a filter: all of an enumeration, otherwise examples.
fn values(world: &World, document: &Value, filter: &Value) -> Vec<String> {
    let mut schema = &filter["schema"];
    if let Some(name) = schema["$ref"].as_str() {
        schema = document.pointer(name.trim_start_matches('#')).expect("a schema");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    if let Some(word) = schema["const"].as_str() {
        return vec![word.to_owned()];
    }
    let ago = |hours| timestamp(world.time.now() - Duration::hours(hours));
    match filter["name"].as_str().expect("a name") {
        // `pages` tests these.
        "page" | "pageSize" | "cursor" | "asOf" => Vec::new(),
        "from" | "to" => vec![ago(48), ago(0)],
        "event" => vec!["promotion.approved".to_owned(), "release.created".to_owned()],
        "channel" => vec!["stable".to_owned(), "absent".to_owned()],
        other => panic!("no example for the parameter {other}"),
    }
}
