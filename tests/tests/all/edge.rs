//! The edge of the inbound side: sizes, refusals that are counted, methods, media types and odd addresses.

use std::fmt::Write as _;

use chrono::Duration;
use end_to_end::faults::Fault;
use end_to_end::{World, docker_hub_push, id};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stella_local::client::Answer;

use super::queued::world_with_proxies;

/// The most bytes of a body.
const MOST: usize = 4 * 1024 * 1024;

/// A push of this many bytes, filled up with this text.
fn padded(tag: &str, size: usize, mut fill: impl FnMut(usize) -> String) -> String {
    let mut push: Value = serde_json::from_str(&docker_hub_push(tag, 1)).unwrap();
    push["padding"] = json!("");
    let empty = push.to_string().len();
    push["padding"] = json!(fill(size - empty));
    push.to_string()
}

fn filled(tag: &str, size: usize) -> String {
    padded(tag, size, |room| "x".repeat(room))
}

/// Hexadecimal digits that compress to half their size at best.
fn hexadecimal(size: usize) -> String {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(text, "{state:016x}").unwrap();
    }
    text.truncate(size);
    text
}

fn path_of(world: &World, config: &Value) -> String {
    config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap().to_owned()
}

async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    world.anonymous().send(method, path, headers, body.to_owned().into()).await.unwrap()
}

#[tokio::test]
async fn a_body_that_lambda_cannot_be_invoked_with_is_answered_413() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    // A quote takes two bytes in the event, and a form is base64 in it.
    let quotes = format!("\"{}\"", "\\\"".repeat(MOST / 2 - 1));
    assert!(quotes.len() <= MOST);
    let form = "x".repeat(MOST + MOST / 4);
    for (kind, body) in [("application/json", &quotes), ("application/x-www-form-urlencoded", &form)] {
        let path = path_of(&world, &config);
        let answer = send(&world, Method::POST, &path, &[("content-type", kind)], body).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{kind}");
        assert_eq!(answer.body["code"], "body_too_large");
        assert!(answer.body["detail"].as_str().unwrap().contains("6291456"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_preview_takes_a_mebibyte() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let path = format!("/api/v1/webhook-configs/{}/preview", id(&config));
    let most = 1024 * 1024 - 100;
    let preview = world.post(&path, &json!({"body": filled("v1.0.0", most - 2_000)})).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.body);
    assert_eq!(preview.data()["events"][0]["tag"], "v1.0.0");
    let refused = world.post(&path, &json!({"body": filled("v1.0.0", most + 2_000)})).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_large_request_is_queued_compressed_and_its_receipt_is_cut() {
    let (world, tables, queues) = world_with_proxies().await;
    world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    // The config is cached from here on.
    world.push(&config, &[], &docker_hub_push("v1.0.0", 1)).await;
    tables.fail(|_| Fault::ServerError);
    world.time.advance(Duration::seconds(1));
    // 4 MiB that compress well; and a body of which half a megabyte is left, more than a DynamoDB item has.
    let compressed = padded("v1.2.0", 900_000, hexadecimal);
    let mut queued = Vec::new();
    for push in [filled("v1.1.0", MOST), compressed] {
        let answer = world.push(&config, &[], &push).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{} bytes: {}", push.len(), answer.body);
        queued.push(answer.body["receiptId"].as_str().unwrap().to_owned());
    }
    let too_large = world.push(&config, &[], &padded("v1.3.0", 2_000_000, hexadecimal)).await;
    assert_eq!(too_large.status, StatusCode::SERVICE_UNAVAILABLE, "it fits no message");
    assert!(too_large.headers.contains_key("retry-after"));
    tables.clear_faults();
    drop(queues);
    for receipt in queued {
        let path = format!("/api/v1/webhook-configs/{}/receipts/{receipt}", id(&config));
        let mut tries = 0;
        let found = loop {
            world.time.advance(Duration::minutes(5));
            let found = world.admin.get(&path).await.unwrap();
            if found.status == StatusCode::OK && found.data()["action"] == "processed" {
                break found;
            }
            tries += 1;
            assert!(tries < 500, "{receipt} was not processed: {}", found.body);
        };
        assert_eq!(found.data()["replayable"], false);
        assert!(found.data()["body"].as_str().unwrap().len() <= 64 * 1024);
    }
    let letters = world.operator.get("/api/v1/dead-letters").await.unwrap();
    assert_eq!(letters.data()["approximateMessages"], 0, "{}", letters.body);
}
