//! Budgets of filters, patterns and mappings: expensive expressions delay no other tenant, and their owner
//! sees which of them failed.

use std::sync::{Arc, Mutex};

use chrono::Duration;
use end_to_end::faults::{Fault, FaultProxy};
use end_to_end::no_op::NoOp;
use end_to_end::receiver::Receiver;
use end_to_end::{World, id};
use http::{Method, StatusCode};
use sam_local::{Data, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;
use stella_local::client::Client;

/// A pattern that visits the maximum number of states at every byte.
const WORST_PATTERN: &str = "[01]*1[01]{300}$.";

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |value, _| json!([value]))
}

fn filter(field: &str, operator: &str, value: &Value) -> Value {
    json!({"field": field, "operator": operator, "value": value})
}

/// A subscription whose filters exhaust their budget on `hostile_data`.
fn hostile(number: usize) -> Value {
    let filters = if number.is_multiple_of(2) {
        json!([filter("$..[?@.a != @.b]", "equals", &json!("nowhere"))])
    } else {
        json!([filter("$.data.texts[*]", "matches", &json!(WORST_PATTERN))])
    };
    json!({"name": format!("hostile {number}"), "url": "pull:", "events": ["release.created"], "filters": filters})
}

/// Data with very many nodes, and texts of the maximum length for a pattern.
fn hostile_data(world: &World) -> Value {
    let mut data = world.example("release.created");
    data["many"] = json!(vec![json!({"a": [0], "b": [0]}); 9_000]);
    data["texts"] = json!(vec!["1".repeat(700); 40]);
    data
}

async fn publish(world: &World, data: &Value) {
    let answer = world.post("/api/v1/events", &json!({"event": "release.created", "data": data})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

async fn subscribe_healthy(stranger: &Client, receiver: &Receiver) {
    let body = json!({"name": "healthy", "url": receiver.url, "events": ["release.created"]});
    let made = stranger.post("/api/v1/webhook-subscriptions", &body).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

async fn publish_as(stranger: &Client, world: &World) {
    let body = json!({"event": "release.created", "data": world.example("release.created")});
    let answer = stranger.post("/api/v1/events", &body).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

/// Waits until the resource at a path has `filterErrors`; these.
async fn filter_errors(world: &World, path: &str) -> Value {
    for _ in 0..10_000 {
        let shown = world.get(path).await["data"]["filterErrors"].clone();
        if shown["count"].as_u64().is_some_and(|count| count > 0) {
            return shown;
        }
        tokio::task::yield_now().await;
    }
    panic!("{path} has no filter errors");
}

#[tokio::test]
async fn a_tenants_most_expensive_filters_do_not_delay_other_tenants() {
    let world = World::with_manual_clock().await;
    let (stranger, receiver) = (world.stranger().await, Receiver::accepting().await);
    subscribe_healthy(&stranger, &receiver).await;
    let mut ids = Vec::new();
    for number in 0..24 {
        // Subscriptions are matched in the order of their creation, by the millisecond.
        world.time.advance(Duration::milliseconds(1));
        ids.push(id(&world.subscription(&hostile(number)).await));
    }
    let data = hostile_data(&world);
    for _ in 0..10 {
        publish(&world, &data).await;
    }
    publish_as(&stranger, &world).await;
    // The clock does not move, so the delivery is made in the first round of fan-out.
    receiver.wait_for(1).await;
    for (number, what) in
        [(0, "nodes"), (1, "regular expression steps"), (23, "the tenant's other expressions")]
    {
        let path = format!("/api/v1/webhook-subscriptions/{}", ids[number]);
        let errors = filter_errors(&world, &path).await;
        let message = errors["message"].as_str().unwrap();
        assert!(message.starts_with("filters[0] ") && message.contains(what), "{errors}");
        assert!(errors["lastAt"].is_string(), "{errors}");
        let listed = world.get("/api/v1/webhook-subscriptions?pageSize=100").await["data"].clone();
        let listed = listed.as_array().unwrap().iter().find(|row| row["id"] == ids[number]).cloned().unwrap();
        assert!(listed["filterErrors"]["count"].as_u64() >= Some(1), "{listed}");
    }
    assert!(world.get("/api/v1/deliveries").await["data"].as_array().unwrap().is_empty(), "none matched");
}

#[tokio::test]
async fn events_deferred_because_of_expensive_filters_are_fanned_out_later() {
    let proxy: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
    let made = Arc::clone(&proxy);
    let functions = Functions::ours().with("fanout", move |environment| {
        let made = Arc::clone(&made);
        async move {
            let proxy = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_DYNAMODB").await?;
            *made.lock().unwrap() = Some(proxy.clone());
            stella_fanout::start(environment.with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url)).await
        }
    });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let tables = proxy.lock().unwrap().clone().expect("the proxy is started");
    for number in 0..24 {
        world.subscription(&hostile(number)).await;
    }
    let receiver = Receiver::accepting().await;
    let unfiltered = json!({"name": "unfiltered", "url": receiver.url, "events": ["release.created"]});
    world.subscription(&unfiltered).await;
    // The events collect while DynamoDB fails, and make one batch when it recovers.
    tables.fail(|_| Fault::ServerError);
    let data = hostile_data(&world);
    for _ in 0..20 {
        publish(&world, &data).await;
    }
    tables.clear_faults();
    receiver.wait_for(20).await;
    let events = world.get("/api/v1/events?pageSize=100").await["data"].clone();
    for event in events.as_array().unwrap() {
        let path = format!("/api/v1/events/{}", id(event));
        while world.get(&path).await["data"]["fanOut"]["status"] != "done" {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((events.as_array().unwrap().len(), receiver.received().len()), (20, 20));
}

#[tokio::test]
async fn filter_errors_survive_a_restart_and_are_cleared_by_the_next_change() {
    let folder = tempfile::tempdir().unwrap();
    let (data, time) = (Data::Folder(folder.path().to_owned()), Time::manual(SystemClock.now()));
    let world = World::of(data.clone(), time.clone()).await;
    let subscription = world.subscription(&hostile(0)).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&subscription));
    publish(&world, &hostile_data(&world)).await;
    filter_errors(&world, &path).await;
    world.stack.stop().await;
    let world = World::of(data, time).await;
    assert_eq!(world.get(&path).await["data"]["filterErrors"]["count"], 1);
    let (stranger, receiver) = (world.stranger().await, Receiver::accepting().await);
    subscribe_healthy(&stranger, &receiver).await;
    publish(&world, &hostile_data(&world)).await;
    publish_as(&stranger, &world).await;
    receiver.wait_for(1).await;
    // A change of the subscription clears its errors.
    world.time.advance(Duration::seconds(1));
    let change = json!({"filters": []});
    let changed = world.admin.json(Method::PATCH, &path, &change).await.unwrap();
    assert_eq!(changed.data().get("filterErrors"), None, "{}", changed.body);
}

#[tokio::test]
async fn expressions_of_multiplying_cost_are_refused_wherever_they_are_saved_and_named_by_path() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    let paths =
        ["$..*..*..*..*", "$[*,*,*,*]", "$.data.x[?$.data.x[?@==\"b\"]]", "$[?@..a]", "$[?match(@, 'a')]"];
    let filters: Vec<Value> = paths.iter().map(|path| filter(path, "exists", &Value::Null)).collect();
    let mut places: Vec<String> = (0..filters.len()).map(|at| format!("filters[{at}].field")).collect();
    let patterns = [WORST_PATTERN.replace("300", "3000"), "(a{1000}){1000}".to_owned(), "(".to_owned()];
    let matching = patterns.iter().map(|pattern| filter("$.tag", "matches", &json!(pattern)));
    let filters: Vec<Value> = filters.into_iter().chain(matching).collect();
    places.extend((paths.len()..filters.len()).map(|at| format!("filters[{at}].value")));
    let refused = async |path: &str, body: &Value, places: &[String]| {
        let answer = world.post(path, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        let mut named: Vec<String> = answer.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect();
        named.sort_unstable();
        assert_eq!(named, places, "{}", answer.body);
    };
    let body = json!({"name": "a", "url": "pull:", "events": ["*"], "filters": filters});
    refused("/api/v1/webhook-subscriptions", &body, &places).await;
    let body = json!({"event": "release.created", "filters": filters});
    refused("/api/v1/webhook-subscriptions/preview", &body, &places).await;
    let body = json!({"name": "a", "type": "registry-push", "provider": "dockerhub", "filters": filters});
    refused("/api/v1/webhook-configs", &body, &places).await;
    let body = json!({"name": "a", "on": "release", "filters": filters, "tagPattern": patterns[0]});
    let with_pattern: Vec<String> = places.iter().cloned().chain(["tagPattern".to_owned()]).collect();
    refused(&format!("/api/v1/components/{component}/triggers"), &body, &with_pattern).await;
    let body = json!({"name": "a", "type": "generic", "provider": "generic",
        "mapping": {"repository": "$..*..*..*", "tag": "$.tag"}});
    refused("/api/v1/webhook-configs", &body, &["mapping.repository".to_owned()]).await;
    let body = json!({"name": "b", "repositories": ["a/b"], "channelRules": [{"pattern": patterns[1], "channel": "a"}]});
    refused("/api/v1/components", &body, &["channelRules[0].pattern".to_owned()]).await;
}

#[tokio::test]
async fn event_data_may_be_thirty_two_levels_deep_and_filters_reach_the_deepest() {
    let world = World::start().await;
    let deep = format!("$.data.deep{}", "[0]".repeat(31));
    let filters = json!([filter(&deep, "equals", &json!(1))]);
    let receiver = Receiver::accepting().await;
    let body =
        json!({"name": "deep", "url": receiver.url, "events": ["release.created"], "filters": filters});
    world.subscription(&body).await;
    let mut data = world.example("release.created");
    data["deep"] = nested(31);
    publish(&world, &data).await;
    receiver.wait_for(1).await;
    data["deep"] = nested(32);
    let answer = world.post("/api/v1/events", &json!({"event": "release.created", "data": data})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"][0]["field"], "data", "{}", answer.body);
}

#[tokio::test]
async fn a_preview_stops_at_its_budget_and_names_the_filter_that_failed() {
    let world = World::start().await;
    let made = world.post("/api/v1/api-keys", &json!({"name": "v", "role": "viewer"})).await;
    let viewer = world.admin.with_key(made.data()["key"].as_str().unwrap());
    let asked = async |data: &Value| {
        let filters =
            json!([filter("$..*", "equals", &json!("nowhere")), filter("event", "exists", &json!(true))]);
        let body = json!({"event": "release.created", "filters": filters, "data": data});
        viewer.post("/api/v1/webhook-subscriptions/preview", &body).await.unwrap()
    };
    let large = asked(&json!(vec![json!([[1, 2], [3, 4]]); 9_000])).await;
    assert_eq!(large.status, StatusCode::OK, "{}", large.body);
    assert_eq!((&large.data()["matched"], &large.data()["filters"]), (&json!(false), &json!([false, false])));
    assert_eq!(large.data()["filterErrors"][0]["field"], "filters[0]");
    let deep = asked(&nested(110)).await;
    assert_eq!(
        (deep.status, &deep.body["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("data"))
    );
}

#[tokio::test]
async fn errors_of_mappings_and_trigger_filters_are_shown_on_the_config() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    let body = json!({"name": "mapped", "type": "generic", "provider": "generic",
        "mapping": {"repository": "$..repository", "tag": "$.tag"}});
    let mapped = world.config(&body).await;
    let path = format!("/api/v1/webhook-configs/{}", id(&mapped));
    let answer = world.push(&mapped, &[], &nested(110).to_string()).await;
    assert_eq!(
        (answer.status, &answer.body["action"]),
        (StatusCode::OK, &json!("ignored")),
        "{}",
        answer.body
    );
    let errors = filter_errors(&world, &path).await;
    assert_eq!(errors["message"], "mapping.repository would have to look more than 32 levels deep");
    let listed = world.get("/api/v1/webhook-configs").await["data"][0]["filterErrors"].clone();
    assert_eq!(listed, errors);

    let filters = json!([filter("$.payload.text", "matches", &json!(WORST_PATTERN))]);
    let trigger = json!({"name": "hungry", "on": "artifact.pushed", "filters": filters});
    let trigger = world.trigger(&component, &trigger).await;
    let body = json!({"name": "plain", "type": "generic", "provider": "generic"});
    let plain = world.config(&body).await;
    let push = json!({"repository": "myorg/myapp", "tag": "v1", "text": "1".repeat(200_000)});
    let path = format!("/api/v1/webhook-configs/{}", id(&plain));
    let preview = world.post(&format!("{path}/preview"), &json!({ "body": push })).await;
    let reason = preview.data()["decisions"][0]["reason"].clone();
    let answer = world.push(&plain, &[], &push.to_string()).await;
    assert_eq!((&answer.body["versionsAdded"], &answer.body["triggersActivated"]), (&json!(1), &json!(0)));
    let errors = filter_errors(&world, &path).await;
    let expected = format!("trigger {trigger}: filters[0] would have to look at a longer text");
    assert!(errors["message"].as_str().unwrap().starts_with(&expected), "{errors}");
    assert!(reason.as_str().unwrap().starts_with(&expected), "{reason}");
}

#[tokio::test]
async fn filter_errors_are_also_counted_when_the_sweep_fans_out_a_missed_event() {
    let functions = Functions::ours().with("fanout", |_| async { Ok(NoOp) });
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let (stranger, receiver) = (world.stranger().await, Receiver::accepting().await);
    subscribe_healthy(&stranger, &receiver).await;
    let path = format!("/api/v1/webhook-subscriptions/{}", id(&world.subscription(&hostile(0)).await));
    publish(&world, &hostile_data(&world)).await;
    publish_as(&stranger, &world).await;
    world.pass(Duration::minutes(6), &receiver, 1).await;
    assert_eq!(filter_errors(&world, &path).await["count"], 1);
}
