//! Pagination: no answer exceeds Lambda's response limit, and cursors reach every row once.

use std::collections::BTreeSet;

use chrono::Duration;
use end_to_end::receiver::Receiver;
use end_to_end::{World, id};
use http::StatusCode;
use serde_json::{Value, json};

/// All rows of a list, read by its cursors, and the number of pages that were cut.
async fn walk(world: &World, path: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut cut, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = world.get(&format!("{path}{cursor}")).await;
        let found = page["data"].as_array().expect("rows").clone();
        let pagination = &page["pagination"];
        if pagination["cut"] == true {
            assert_eq!(pagination["hasMore"], true);
            cut += 1;
        }
        rows.extend(found);
        let Some(next) = pagination["nextCursor"].as_str() else { return (rows, cut) };
        cursor = format!("&cursor={next}");
    }
}

fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(id).collect()
}

#[tokio::test]
async fn a_page_of_large_events_is_cut_and_its_cursor_continues_right_after_it() {
    let world = World::with_manual_clock().await;
    let mut expected = BTreeSet::new();
    for number in 0..45 {
        let mut data = world.example("deployment.started");
        // A quote takes four bytes in Lambda's response: it is escaped in the body, and the body is a JSON
        // string.
        data["note"] = json!("\"\\".repeat(if number % 3 == 0 { 60_000 } else { 20_000 }));
        let answer =
            world.post("/api/v1/events", &json!({"event": "deployment.started", "data": data})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        expected.insert(id(answer.data()));
    }
    for size in [20, 100] {
        let (rows, cut) = walk(&world, &format!("/api/v1/events?pageSize={size}")).await;
        assert_eq!((rows.len(), ids(&rows)), (45, expected.clone()), "each row once");
        assert!(cut > 0);
    }
    // Page numbers count uncut pages.
    let second = world.get("/api/v1/events?pageSize=40&page=2").await;
    assert_eq!(second["data"].as_array().expect("rows").len(), 5);
}

/// Publishes an event whose data has very many quotes. In a delivery's body, within Lambda's response, each
/// takes eight bytes.
async fn publish_quotes(world: &World) {
    let mut data = world.example("deployment.started");
    data["note"] = json!("\"".repeat(100_000));
    let event = json!({"event": "deployment.started", "data": data});
    assert_eq!(world.post("/api/v1/events", &event).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_page_of_a_delivery_log_with_bodies_is_cut() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["deployment.started"]});
    let subscription = world.subscription(&body).await;
    for _ in 0..20 {
        publish_quotes(&world).await;
    }
    world.deliveries(&subscription, |rows| rows.len() == 20).await;
    let log =
        format!("/api/v1/webhook-subscriptions/{}/deliveries?include=body&pageSize=20", id(&subscription));
    let (rows, cut) = walk(&world, &log).await;
    assert_eq!((rows.len(), ids(&rows).len()), (20, 20));
    assert!(cut > 0 && rows.iter().all(|row| row["body"].is_string()));
}

#[tokio::test]
async fn a_delivery_with_too_many_attempts_for_one_answer_omits_the_older_bodies() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::start(|_, _| 500.into()).await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["deployment.started"],
        "retryPolicy": {"maxRetries": 11, "backoffType": "fixed", "backoffSeconds": 1}});
    let subscription = world.subscription(&body).await;
    publish_quotes(&world).await;
    let tried = |rows: &[Value]| rows.iter().any(|row| row["attempts"] == 12);
    let rows = world.pass_until(Duration::seconds(5), &subscription, tried).await;
    let whole = world.get(&format!("/api/v1/deliveries/{}", id(&rows[0]))).await;
    let log = whole["data"]["log"].as_array().expect("a log").clone();
    assert_eq!(log.len(), 12);
    assert!(log[0]["cut"] == true && log[0].get("body").is_none(), "the oldest attempt has no body");
    assert!(log[11]["body"].is_string() && log[11].get("cut").is_none(), "the newest attempt has its body");
}

#[tokio::test]
async fn a_cursor_used_with_another_page_size_skips_no_row() {
    let world = World::with_manual_clock().await;
    for number in 0..30 {
        world.component(&[&format!("myorg/app{number}")]).await;
    }
    let first = world.get("/api/v1/components?pageSize=5").await;
    let cursor = first["pagination"]["nextCursor"].as_str().expect("a cursor");
    let rest = world.get(&format!("/api/v1/components?pageSize=50&cursor={cursor}")).await;
    assert_eq!(rest["data"].as_array().expect("rows").len(), 25);
}

#[tokio::test]
async fn a_forged_cursor_is_refused() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let world = World::with_manual_clock().await;
    for _ in 0..3 {
        world.publish("release.created").await;
    }
    let page = world.get("/api/v1/events?pageSize=1").await;
    let cursor = page["pagination"]["nextCursor"].as_str().expect("a cursor");
    let read: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    for after in [json!(""), json!("x".repeat(1_025)), json!(7), Value::Null] {
        let mut made_up = read.clone();
        made_up["after"] = after.clone();
        let made_up = URL_SAFE_NO_PAD.encode(made_up.to_string());
        let answer = world.admin.get(&format!("/api/v1/events?cursor={made_up}")).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{after}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_cursor_is_valid_only_for_its_own_list() {
    let world = World::start().await;
    for name in ["a", "b"] {
        let body = json!({"name": name, "url": "http://127.0.0.1:9/", "events": ["*", "*"]});
        let made = world.subscription(&body).await;
        assert_eq!(made["events"], json!(["*"]), "duplicates are removed");
        world.component(&["myorg/myapp"]).await;
        world.publish("release.created").await;
    }
    let lists = ["webhook-subscriptions", "components", "events", "api-keys"];
    let mut cursors = Vec::new();
    for list in lists {
        let page = world.get(&format!("/api/v1/{list}?pageSize=1")).await;
        cursors.push(page["pagination"]["nextCursor"].as_str().map(str::to_owned));
    }
    for (list, own) in lists.iter().zip(&cursors) {
        for cursor in cursors.iter().flatten() {
            let path = format!("/api/v1/{list}?pageSize=1&cursor={cursor}");
            let answer = world.admin.get(&path).await.unwrap();
            let expected =
                if own.as_ref() == Some(cursor) { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            assert_eq!(answer.status, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn pages_of_a_log_do_not_shift_while_it_grows() {
    let world = World::with_manual_clock().await;
    let receiver = Receiver::accepting().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    let subscription = world.subscription(&body).await;
    let path = format!("/api/v1/webhook-subscriptions/{}/deliveries", id(&subscription));
    let publish = async |count: usize| {
        for _ in 0..count {
            world.time.advance(Duration::seconds(1));
            world.publish("release.created").await;
        }
    };
    publish(5).await;
    world.deliveries(&subscription, |rows| rows.len() == 5).await;
    let whole: Vec<String> = world.get(&path).await["data"].as_array().unwrap().iter().map(id).collect();
    let first = world.get(&format!("{path}?pageSize=2")).await;
    let (as_of, cursor) = (&first["pagination"]["asOf"], &first["pagination"]["nextCursor"]);
    publish(3).await;
    world.deliveries(&subscription, |rows| rows.len() == 8).await;
    let ids = |page: &Value| page["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    let by_number = world.get(&format!("{path}?pageSize=2&page=2&asOf={}", as_of.as_str().unwrap())).await;
    assert_eq!(ids(&by_number), whole[2..4]);
    let by_cursor = world.get(&format!("{path}?pageSize=2&cursor={}", cursor.as_str().unwrap())).await;
    assert_eq!(ids(&by_cursor), whole[2..4]);
    assert_eq!(by_cursor["pagination"]["total"], 5);
    // `from` filters by the time of creation.
    let from = world.time.now() - Duration::seconds(2);
    let late = world.get(&format!("{path}?from={}", stella::domain::shared::time::timestamp(from))).await;
    assert_eq!(late["pagination"]["total"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_value_of_a_list_parameter_is_refused() {
    let world = World::start().await;
    let config = id(&world.docker_hub().await);
    let subscription = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["*"]});
    let subscription = id(&world.subscription(&subscription).await);
    for path in [
        format!("webhook-configs/{config}/receipts?action=thrown-away"),
        format!("webhook-subscriptions/{subscription}/deliveries?status=lost"),
        format!("webhook-subscriptions/{subscription}/deliveries?include=everything"),
        "events?event=release.forgotten".to_owned(),
    ] {
        let answer = world.admin.get(&format!("/api/v1/{path}")).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.body);
        let field = path.split(['?', '=']).nth(1).unwrap();
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
}
