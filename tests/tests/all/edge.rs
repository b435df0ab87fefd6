//! The edge of the inbound side: sizes, refusals that are counted, methods, media types and odd addresses.

use std::fmt::Write as _;

use chrono::Duration;
use end_to_end::faults::Fault;
use end_to_end::{World, digest, docker_hub_push, harbor_push, id};
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
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

async fn shown(world: &World, config: &Value) -> Value {
    world.get(&format!("/api/v1/webhook-configs/{}", id(config))).await["data"].clone()
}

async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    world.anonymous().send(method, path, headers, body.to_owned().into()).await.unwrap()
}

#[tokio::test]
async fn a_body_has_at_most_four_mebibytes_and_larger_ones_are_counted_on_the_config() {
    let world = World::start().await;
    world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    let answer = world.push(&config, &[], &filled("v1.0.0", MOST)).await;
    assert_eq!(
        (answer.status, &answer.body["versionsAdded"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    assert_eq!(shown(&world, &config).await["rejections"], json!({"unauthenticated": 0, "tooLarge": 0}));

    // The size is checked before the token.
    let (bare, _) = config["url"].as_str().unwrap().rsplit_once('/').unwrap();
    let answer = world.push_to(bare, &[], &filled("v1.1.0", MOST + 1)).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
    assert!(answer.body["detail"].as_str().unwrap().contains("4 MiB"), "{}", answer.body);
    let counted = world.eventually(&path, |seen| seen["rejections"]["tooLarge"] == 1).await;
    let config = &counted;
    assert_eq!(
        (&config["rejectedLast24h"], &config["rejections"]["unauthenticated"]),
        (&json!(0), &json!(0))
    );
    assert!(config["rejections"]["lastAt"].is_string(), "{config}");
    assert_eq!(config.get("authenticationHint"), None);
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

#[tokio::test]
async fn a_config_that_has_accepted_nothing_says_why_requests_are_refused() {
    let world = World::with_manual_clock().await;
    let config = json!({"name": "h", "type": "registry-push", "provider": "harbor", "secret": "s3cret"});
    let config = world.config(&config).await;
    let push = harbor_push("v1.0.0", &digest('a'), 1_704_067_200);
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    assert_eq!(shown(&world, &config).await.get("authenticationHint"), None);
    assert_eq!(world.push(&config, &[], &push).await.status, StatusCode::UNAUTHORIZED);
    let seen = world.eventually(&path, |seen| seen["authenticationHint"].is_string()).await;
    let hint = seen["authenticationHint"].as_str().unwrap();
    assert!(hint.contains("Authorization is missing"), "{hint}");
    assert_eq!(seen["rejections"]["unauthenticated"], 1);

    world.time.advance(Duration::seconds(20));
    assert_eq!(
        world.push(&config, &[("authorization", "wrong")], &push).await.status,
        StatusCode::UNAUTHORIZED
    );
    let both = |seen: &Value| seen["rejections"]["unauthenticated"] == 2;
    let seen = world.eventually(&path, both).await;
    let hint = seen["authenticationHint"].as_str().unwrap();
    assert!(hint.contains("does not match"), "{hint}");

    // What is not JSON is refused, and has authenticated nevertheless.
    let proof = [("authorization", "s3cret")];
    world.time.advance(Duration::seconds(20));
    assert_eq!(world.push(&config, &proof, "{").await.status, StatusCode::BAD_REQUEST);
    let seen = world.eventually(&path, |seen| seen.get("authenticationHint").is_none()).await;
    assert_eq!(seen["rejectedLast24h"], 2);
}

#[tokio::test]
async fn an_accepted_request_ends_the_hint_and_a_day_without_refusals_too() {
    let world = World::with_manual_clock().await;
    let mut configs = Vec::new();
    for name in ["accepts", "rests"] {
        let config =
            world.config(&json!({"name": name, "type": "registry-push", "provider": "dockerhub"})).await;
        let (bare, _) = config["url"].as_str().unwrap().rsplit_once('/').unwrap();
        world.push_to(bare, &[], "{}").await;
        let path = format!("/api/v1/webhook-configs/{}", id(&config));
        world.eventually(&path, |seen| seen["authenticationHint"].is_string()).await;
        configs.push(config);
    }
    assert_eq!(world.push(&configs[0], &[], &docker_hub_push("v1", 1)).await.status, StatusCode::OK);
    assert_eq!(shown(&world, &configs[0]).await.get("authenticationHint"), None);
    world.time.advance(Duration::hours(25));
    let rested = shown(&world, &configs[1]).await;
    assert_eq!(rested.get("authenticationHint"), None);
    assert_eq!(
        (&rested["rejectedLast24h"], &rested["rejections"]["unauthenticated"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn a_secret_with_a_line_break_at_its_end_is_refused_when_it_is_saved() {
    let world = World::start().await;
    let body = json!({"name": "g", "type": "github-app", "secret": "key\n"});
    let answer = world.post("/api/v1/webhook-configs", &body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"][0]["field"], "secret");
    assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains("line breaks"), "{}", answer.body);
}

#[tokio::test]
async fn every_405_names_the_methods_that_are_allowed() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let known = path_of(&world, &config);
    let (bare, _) = known.rsplit_once('/').unwrap();
    for path in [
        known.as_str(),
        bare,
        &format!("{bare}/"),
        "/api/v1/webhooks/registry/unknown",
        "/api/v1/webhooks/nothing/unknown/at/all",
        "/api/v1/webhooks/x",
        "/api/v1/webhooks//",
        "/api/v1/webhooks/./registry/unknown",
        "/api/v1/webhooks/registry/../unknown",
        "/api/v1/./webhooks/registry/unknown",
        "/api/v1/webhooks/%2e%2e/%00",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = send(&world, method.clone(), path, &[], "").await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {}", answer.body);
            assert_eq!(answer.headers["allow"], "POST, OPTIONS", "{method} {path}");
            assert_eq!(answer.body["detail"], "Webhooks are posted");
        }
    }
    for (method, path, allowed) in [
        (Method::PUT, "/api/v1/components", "GET,HEAD,POST"),
        (Method::POST, "/api/v1/webhook-configs/x", "GET,HEAD,PUT,PATCH,DELETE"),
    ] {
        let answer = world.admin.send(method.clone(), path, &[], "".into()).await.unwrap();
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn an_address_may_end_in_one_slash() {
    let world = World::start().await;
    world.component(&["myorg/myapp"]).await;
    let config = world.docker_hub().await;
    let with_token = path_of(&world, &config);
    let (bare, token) = with_token.rsplit_once('/').unwrap();
    let json = [("content-type", "application/json")];
    for (number, path) in [format!("{with_token}/"), format!("{bare}/?token={token}")].iter().enumerate() {
        let push = docker_hub_push(&format!("v1.{number}.0"), 1);
        let answer = send(&world, Method::POST, path, &json, &push).await;
        assert_eq!((answer.status, &answer.body["action"]), (StatusCode::OK, &json!("processed")), "{path}");
    }
    let origin = [("webhook-request-origin", "events.example")];
    let asked = send(&world, Method::OPTIONS, &format!("{with_token}/"), &origin, "").await;
    assert_eq!(asked.status, StatusCode::OK);
    assert_eq!(
        send(&world, Method::POST, &format!("{bare}/"), &json, "{}").await.status,
        StatusCode::UNAUTHORIZED
    );
    for path in [
        format!("{with_token}//"),
        with_token.replace("/registry/", "/registry//"),
        with_token.replace("/webhooks/", "/webhooks//"),
        format!("{with_token}/x"),
        "/api/v1/webhooks/registry/".to_owned(),
    ] {
        let answer = send(&world, Method::POST, &path, &json, "{}").await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_by_the_name_of_its_type_or_coding() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let path = path_of(&world, &config);
    let push = docker_hub_push("v1", 1);
    let form = "application/x-www-form-urlencoded";
    let as_form = format!("payload={}", push.replace('"', "%22"));
    for (headers, body, status, named) in [
        (vec![("content-type", "text/plain")], &push, 415, "text/plain"),
        (vec![("content-type", form)], &push, 400, form),
        (vec![("content-type", form)], &as_form, 415, form),
        (vec![("content-type", "application/json"), ("content-encoding", "gzip")], &push, 415, "gzip"),
    ] {
        let answer = send(&world, Method::POST, &path, &headers, body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{}", answer.body);
    }
    let identity = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert_eq!(send(&world, Method::POST, &path, &identity, &push).await.status, StatusCode::OK);

    let component = json!({"name": "x", "repositories": ["a/b"]}).to_string();
    for (headers, named) in [
        (vec![("content-type", form)], form),
        (vec![("content-type", "application/json"), ("content-encoding", "br")], "br"),
    ] {
        let body = component.clone().into();
        let answer = world.admin.send(Method::POST, "/api/v1/components", &headers, body).await.unwrap();
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{}", answer.body);
    }
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn signed_json_cannot_be_passed_off_as_a_form() {
    let world = World::start().await;
    let component = json!({"name": "repo", "repositories": [], "sourceRepositories": ["victim/repo"]});
    world.create("/api/v1/components", &component).await;
    let config = world.config(&json!({"name": "g", "type": "github-app", "secret": "key"})).await;
    let path = path_of(&world, &config);
    let tag = json!({"ref": "refs/tags/v9.9.9", "after": "6f2d1c0a6f2d1c0a6f2d1c0a6f2d1c0a6f2d1c0a",
        "repository": {"full_name": "victim/repo", "html_url": "https://github.com/victim/repo"}});
    let mut encoded = String::new();
    for byte in tag.to_string().bytes() {
        write!(encoded, "%{byte:02X}").unwrap();
    }
    let post = async |kind: &str, event: &str, body: &str| {
        let headers =
            [("content-type", kind), ("x-github-event", event), ("x-hub-signature-256", &signature(body))];
        send(&world, Method::POST, &path, &headers, body).await
    };
    let form = "application/x-www-form-urlencoded";
    // Somebody opens a pull request with this title; GitHub signs it.
    let title = format!("nice&payload={encoded}&x=");
    let request = json!({"action": "opened", "pull_request": {"title": title, "number": 1},
        "repository": {"full_name": "victim/repo"}});
    let answer = post(form, "push", &request.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains(form), "{}", answer.body);
    assert_eq!(post(form, "push", &format!("x=1&payload={encoded}")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get("/api/v1/releases").await["pagination"]["total"], 0);
    // GitHub's own form.
    let answer = post(form, "push", &format!("payload={encoded}")).await;
    assert_eq!(
        (answer.status, &answer.body["versionsAdded"]),
        (StatusCode::OK, &json!(1)),
        "{}",
        answer.body
    );
}
