//! Creates many other subscriptions of a tenant, and a long delivery log.

use std::collections::HashMap;

use chrono::Duration;
use dynoxide::AttributeValue;
use end_to_end::World;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

/// Creates `count` subscriptions to another event than the one that is published.
pub async fn neighbours(world: &World, count: usize) {
    for begun in (0..count).step_by(50) {
        let some = (begun..count.min(begun + 50)).map(|number| async move {
            let body = json!({"name": format!("n{number}"), "url": "http://127.0.0.1:9/hook",
                "events": ["rollback.initiated"]});
            world.subscription(&body).await
        });
        join_all(some).await;
    }
}

/// The subscription with this name, found page by page.
pub async fn find(world: &World, name: &str) -> Value {
    let mut path = "/api/v1/webhook-subscriptions?pageSize=100".to_owned();
    loop {
        let page = world.get(&path).await;
        if let Some(found) = page["data"].as_array().unwrap().iter().find(|row| row["name"] == name) {
            return found.clone();
        }
        let next = page["pagination"]["nextCursor"].as_str().expect("another page");
        path = format!("/api/v1/webhook-subscriptions?pageSize=100&cursor={next}");
    }
}

/// Writes `count` old rows into a subscription's log, directly into the table.
pub fn log(world: &World, subscription: &Value, count: u32) {
    let member = |name: &str| subscription[name].as_str().unwrap().to_owned();
    let (tenant, subscription) = (member("tenantId"), member("id"));
    let text = |text: String| AttributeValue::S(text);
    let began = world.time.now() - Duration::days(20);
    let rows = (0..count).map(|number| {
        let millis = (began + Duration::milliseconds(i64::from(number))).timestamp_millis();
        let id = Uuid::from_u128((u128::try_from(millis).unwrap() << 80) | (0x8 << 76) | u128::from(number));
        HashMap::from([
            ("pk".to_owned(), text(format!("TENANT#{tenant}#SUBSCRIPTION#{subscription}#{}", number % 4))),
            ("sk".to_owned(), text(id.to_string())),
            ("status".to_owned(), text("delivered".to_owned())),
            ("url".to_owned(), text("x".repeat(500))),
        ])
    });
    let rows: Vec<_> = rows.collect();
    for some in rows.chunks(10_000) {
        let options = dynoxide::ImportOptions::default();
        world
            .stack
            .dynamodb()
            .database()
            .import_items("dev-deliveries-table", some.to_vec(), options)
            .unwrap();
    }
}
