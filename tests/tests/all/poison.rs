//! A message, item or stream record that can never be processed, ahead of a hundred good events of another
//! tenant: the good ones arrive in the same round of the manual clock, and the failure is shown to its owner.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use chrono::Duration;
use end_to_end::faults::FaultProxy;
use end_to_end::no_op::NoOp;
use end_to_end::receiver::{Received, Receiver};
use end_to_end::{World, id};
use http::{Request, StatusCode};
use lambda_runtime::tower::ServiceExt as _;
use sam_local::{Settings, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;
use stella_local::client::Client;

/// The number of good events behind a bad one.
const GOOD: usize = 100;

/// A second tenant with a receiver.
struct OtherTenant {
    admin: Client,
    receiver: Receiver,
}

impl OtherTenant {
    async fn create(world: &World) -> Self {
        let (admin, receiver) = (world.stranger().await, Receiver::accepting().await);
        subscribe(&admin, &receiver.url).await;
        Self { admin, receiver }
    }

    async fn publish_good_events(&self, world: &World) {
        for _ in 0..GOOD {
            publish(&self.admin, &world.example("deployment.started")).await;
        }
    }

    /// Waits for its events without moving the clock: each arrives once.
    async fn receives_all(&self) {
        let received = self.receiver.wait_for(GOOD).await;
        let ids: std::collections::BTreeSet<&str> =
            received.iter().map(|request| request.header("x-stella-delivery")).collect();
        assert_eq!((received.len(), ids.len()), (GOOD, GOOD));
    }
}

async fn subscribe(admin: &Client, url: &str) -> Value {
    let body = json!({"name": "s", "url": url, "events": ["deployment.started", "release.created"]});
    let made = admin.post("/api/v1/webhook-subscriptions", &body).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.data().clone()
}

async fn publish(admin: &Client, data: &Value) -> String {
    let body = json!({"event": "deployment.started", "data": data});
    let answer = admin.post("/api/v1/events", &body).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    id(answer.data())
}

/// Waits until an event's fan-out has ended; its result.
async fn fan_out(world: &World, event: &str) -> Value {
    let path = format!("/api/v1/events/{event}");
    world.eventually(&path, |event| event["fanOut"]["status"] != "pending").await["fanOut"].take()
}

fn event_of(request: &Received) -> Value {
    request.json()["data"].clone()
}

/// A system in which a function calls a service through a proxy; with the proxy.
async fn world_with_proxy(code: &'static str, variable: &'static str) -> (World, FaultProxy) {
    let proxy: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
    let made = Arc::clone(&proxy);
    let between = async move |environment: stella::environment::Environment| {
        let proxy = FaultProxy::of(&environment, variable).await?;
        *made.lock().unwrap() = Some(proxy.clone());
        Ok::<_, stella::error::Error>(environment.with(variable, &proxy.url))
    };
    let between = Arc::new(between);
    let functions = match code {
        "fanout" => Functions::ours().with(code, move |environment| {
            let between = Arc::clone(&between);
            async move { stella_fanout::start(between(environment).await?).await }
        }),
        _ => Functions::ours().with(code, move |environment| {
            let between = Arc::clone(&between);
            async move { stella_sweep::start(between(environment).await?).await }
        }),
    };
    let world = World::with(functions, Time::manual(SystemClock.now())).await;
    let proxy = proxy.lock().unwrap().clone().expect("the proxy is started");
    (world, proxy)
}

/// Writes an item directly into a table, without any validation of ours.
async fn plant(world: &World, table: &str, item: &Value) {
    let request = Request::post("/")
        .header("x-amz-target", "DynamoDB_20120810.PutItem")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260301T120000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260301/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00",
        )
        .body(Body::from(json!({"TableName": table, "Item": item}).to_string()))
        .unwrap();
    assert_eq!(world.stack.dynamodb().router().oneshot(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn every_character_that_json_allows_reaches_the_receiver() {
    let world = World::with_manual_clock().await;
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    subscribe(&world.admin, &receiver.url).await;
    let odd = "\u{ffff}\u{fffe}\0\u{1}\u{7f}\u{85}\u{2028}\u{feff}\u{fdd0}\u{1ffff}\u{10ffff}\\uffff\"";
    let mut data = world.example("deployment.started");
    data["note"] = json!(odd);
    data[odd] = json!({odd: [odd]});
    publish(&world.admin, &data).await;
    // Too large to be carried in the message: the attempt reads it from the table.
    let mut large = data.clone();
    large["padding"] = json!("x".repeat(10_000));
    publish(&world.admin, &large).await;
    other.publish_good_events(&world).await;
    let received = receiver.wait_for(2).await;
    let mut got: Vec<Value> = received.iter().map(event_of).collect();
    got.sort_by_key(|data| data.to_string().len());
    assert_eq!(got, [data, large]);
    other.receives_all().await;
}

#[tokio::test]
async fn a_tag_with_any_character_is_released_and_delivered() {
    let world = World::with_manual_clock().await;
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    subscribe(&world.admin, &receiver.url).await;
    let component = json!({"name": "myapp", "sourceRepositories": ["myorg/myapp"]});
    let component = world.create("/api/v1/components", &component).await;
    world.trigger(&id(&component), &json!({"name": "all", "on": "git.tag", "tagPattern": "."})).await;
    let config = world.config(&json!({"name": "g", "type": "generic", "provider": "generic"})).await;
    let push = json!({"kind": "git.tag", "repository": "myorg/myapp", "tag": "v1.0.0\u{ffff}"});
    let answer = world.push(&config, &[], &push.to_string()).await;
    assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    other.publish_good_events(&world).await;
    let received = receiver.wait_for(1).await;
    assert_eq!(event_of(&received[0])["release"]["components"][0]["tag"], "v1.0.0\u{ffff}");
    other.receives_all().await;
}

#[tokio::test]
async fn a_message_whose_data_sqs_rejects_is_sent_without_the_data() {
    let (world, queues) = world_with_proxy("fanout", "AWS_ENDPOINT_URL_SQS").await;
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    subscribe(&world.admin, &receiver.url).await;
    queues.reject("poison");
    let mut data = world.example("deployment.started");
    data["note"] = json!("poison");
    let event = publish(&world.admin, &data).await;
    other.publish_good_events(&world).await;
    assert_eq!(event_of(&receiver.wait_for(1).await[0]), data);
    assert_eq!(fan_out(&world, &event).await["status"], "done");
    other.receives_all().await;
}

#[tokio::test]
async fn a_message_that_sqs_always_rejects_is_set_aside_with_the_reason_and_delays_no_other() {
    let (world, queues) = world_with_proxy("fanout", "AWS_ENDPOINT_URL_SQS").await;
    let (refused, taken) = (Receiver::accepting().await, Receiver::accepting().await);
    let other = OtherTenant::create(&world).await;
    let poison = subscribe(&world.admin, &refused.url).await;
    subscribe(&world.admin, &taken.url).await;
    queues.reject(&id(&poison));
    let events = [
        publish(&world.admin, &world.example("deployment.started")).await,
        publish(&world.admin, &world.example("deployment.started")).await,
    ];
    other.publish_good_events(&world).await;
    other.receives_all().await;
    // The event's other subscription gets it.
    taken.wait_for(2).await;
    for event in &events {
        let shown = fan_out(&world, event).await;
        assert_eq!(shown["status"], "failed", "{shown}");
        assert_eq!(shown["reason"], "SQS refuses the message of a delivery");
    }
    // Neither the stream nor the sweep tries it again.
    queues.clear_faults();
    for _ in 0..30 {
        world.time.advance(Duration::minutes(1));
        world.stack.idle().await;
    }
    assert_eq!((refused.received().len(), taken.received().len()), (0, 2));
    assert_eq!(other.receiver.received().len(), GOOD);
}

#[tokio::test]
async fn a_fan_out_mark_that_dynamodb_always_rejects_delays_no_other_tenant() {
    let (world, tables) = world_with_proxy("fanout", "AWS_ENDPOINT_URL_DYNAMODB").await;
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    let subscription = subscribe(&world.admin, &receiver.url).await;
    tables.reject(subscription["tenantId"].as_str().unwrap());
    publish(&world.admin, &world.example("deployment.started")).await;
    other.publish_good_events(&world).await;
    receiver.wait_for(1).await;
    other.receives_all().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn an_unreadable_subscription_is_reported_and_affects_no_other() {
    let world = World::with_manual_clock().await;
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    let subscription = subscribe(&world.admin, &receiver.url).await;
    let tenant = subscription["tenantId"].as_str().unwrap();
    plant(
        &world,
        "dev-core-table",
        &json!({"pk": {"S": format!("TENANT#{tenant}#EVENTTYPE#*")}, "sk": {"S": "SUBSCRIPTION#0"}, "terms": {"S": "?"}}),
    )
    .await;
    let event = publish(&world.admin, &world.example("deployment.started")).await;
    other.publish_good_events(&world).await;
    receiver.wait_for(1).await;
    let shown = fan_out(&world, &event).await;
    assert_eq!(shown["reason"], "A subscription cannot be read", "{shown}");
    other.receives_all().await;
}

#[tokio::test]
async fn a_stream_record_that_is_no_event_is_skipped() {
    let world = World::with_manual_clock().await;
    let other = OtherTenant::create(&world).await;
    for (number, item) in [
        json!({"entity": {"S": "event"}}),
        json!({"entity": {"S": "event"}, "id": {"S": "?"}, "tenantId": {"N": "1"}, "data": {"L": []}}),
        json!({"entity": {"S": "event"}, "data": {"S": "x".repeat(300_000)}}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut item = item;
        item["pk"] = json!({"S": "TENANT#0#EVENTS#2026-01-01#0"});
        item["sk"] = json!({"S": format!("odd {number}")});
        plant(&world, "dev-core-table", &item).await;
    }
    other.publish_good_events(&world).await;
    other.receives_all().await;
}

#[tokio::test]
async fn an_unreadable_message_delays_no_other_on_any_queue() {
    let world = World::with_manual_clock().await;
    let other = OtherTenant::create(&world).await;
    // One first attempt in three fails, which does not open the breaker.
    let firsts = AtomicUsize::new(0);
    let failing = Receiver::start(move |_, request| {
        let is_first = request.header("x-stella-attempt") == "1";
        if is_first && firsts.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            500.into()
        } else {
            200.into()
        }
    })
    .await;
    let body = json!({"name": "f", "url": failing.url, "events": ["release.created"],
        "retryPolicy": {"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 1}});
    let made = other.admin.post("/api/v1/webhook-subscriptions", &body).await.unwrap();
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let unknown = uuid::Uuid::nil();
    for queue in
        ["dev-deliveries-queue", "dev-retries-queue", "dev-commands-queue", "dev-inbound-retry-queue"]
    {
        for body in [
            "?".to_owned(),
            "{}".to_owned(),
            "null".to_owned(),
            "[".repeat(1_000),
            json!({"command": "unheard of"}).to_string(),
            json!({"command": "resume", "tenantId": unknown, "subscriptionId": unknown, "after": "x".repeat(2_000)})
                .to_string(),
            json!({"tenantId": unknown, "configId": unknown, "receiptId": unknown, "receivedAt": "2026-01-01T00:00:00Z",
                "headers": {"a": "\n"}, "body": "?", "tries": 4_000_000_000_u32})
            .to_string(),
        ] {
            world.stack.sqs().send(queue, &body).unwrap();
        }
    }
    other.publish_good_events(&world).await;
    other.receives_all().await;
    // Retries, which wait in the retry queue, arrive too.
    for _ in 0..GOOD {
        let body = json!({"event": "release.created", "data": world.example("release.created")});
        assert_eq!(other.admin.post("/api/v1/events", &body).await.unwrap().status, StatusCode::ACCEPTED);
    }
    failing.wait_for(GOOD).await;
    world.pass(Duration::seconds(2), &failing, GOOD + GOOD.div_ceil(3)).await;
}

#[tokio::test]
async fn discarded_stream_records_are_shown_to_the_operator() {
    let world = World::with_manual_clock().await;
    let discarded =
        json!({"DDBStreamBatchInfo": {"shardId": "shardId-7", "startSequenceNumber": "1"}}).to_string();
    world.stack.sqs().send("dev-fanout-dead-letters", &discarded).unwrap();
    let shown = world.operator.get("/api/v1/dead-letters").await.unwrap();
    let sample = &shown.data()["sample"][0];
    assert_eq!(sample["queue"], "fanout", "{}", shown.body);
    assert!(sample["body"].as_str().unwrap().contains("shardId-7"));
}

#[tokio::test]
async fn unreadable_rows_are_removed_from_the_due_index_and_the_rows_after_them_are_sent() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|number, _| if number == 0 { 500.into() } else { 200.into() }).await;
    let body = json!({"name": "f", "url": receiver.url, "events": ["release.created"],
        "retryPolicy": {"maxRetries": 1, "backoffType": "fixed", "backoffSeconds": 7_200}});
    let subscription = world.subscription(&body).await;
    world.publish("release.created").await;
    world.deliveries(&subscription, |rows| rows.iter().any(|row| row["status"] == "retrying")).await;
    // More than one batch, due earlier, in each partition of the due index.
    for number in 0..440 {
        plant(
            &world,
            "dev-deliveries-table",
            &json!({"pk": {"S": "TENANT#0#SUBSCRIPTION#0#0"}, "sk": {"S": format!("odd {number:03}")},
                "duePk": {"S": format!("DUE#{}", number % 4)}, "dueAt": {"S": "2026-01-01T00:00:00.000Z"},
                "attempts": {"S": "?"}}),
        )
        .await;
    }
    world.pass(Duration::hours(2), &receiver, 2).await;
}

#[tokio::test]
async fn missed_events_of_a_throttled_tenant_delay_no_other_and_are_fanned_out_later() {
    let proxy: Arc<Mutex<Option<FaultProxy>>> = Arc::default();
    let made = Arc::clone(&proxy);
    let functions =
        Functions::ours().with("fanout", |_| async { Ok(NoOp) }).with("sweep", move |environment| {
            let made = Arc::clone(&made);
            async move {
                let proxy = FaultProxy::of(&environment, "AWS_ENDPOINT_URL_DYNAMODB").await?;
                *made.lock().unwrap() = Some(proxy.clone());
                stella_sweep::start(environment.with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url)).await
            }
        });
    let time = Time::manual(SystemClock.now());
    let world =
        World::made_of(Settings { functions: functions.into(), time, ..stella_local::settings() }).await;
    let tables = proxy.lock().unwrap().clone().expect("the proxy is started");
    let (receiver, other) = (Receiver::accepting().await, OtherTenant::create(&world).await);
    let subscription = subscribe(&world.admin, &receiver.url).await;
    tables.throttle(&format!("TENANT#{}#EVENTS#DAYS", subscription["tenantId"].as_str().unwrap()));
    publish(&world.admin, &world.example("deployment.started")).await;
    other.publish_good_events(&world).await;
    world.pass(Duration::minutes(16), &other.receiver, GOOD).await;
    other.receives_all().await;
    assert!(receiver.received().is_empty());
    tables.clear_faults();
    world.pass(Duration::minutes(1), &receiver, 1).await;
    assert_eq!(other.receiver.received().len(), GOOD);
}
