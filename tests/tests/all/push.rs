//! Inbound pushes over the wire: from a sender's request to a version, a release and a delivery.

use chrono::Duration;
use end_to_end::receiver::Receiver;
use end_to_end::{World, digest, docker_hub_push, harbor_push, id};
use futures_util::StreamExt as _;
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

fn every_version() -> Value {
    json!({"name": "every version", "on": "artifact.pushed", "versionRange": "*"})
}

fn sign(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn a_docker_hub_push_creates_a_release_that_is_delivered_to_a_subscriber() {
    let world = World::start().await;
    let receiver = Receiver::accepting().await;
    let component = world.component(&["myorg/myapp"]).await;
    let trigger = world.trigger(&component, &every_version()).await;
    let config = world.docker_hub().await;
    let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"]});
    world.subscription(&body).await;

    let answer = world.push(&config, &[], &docker_hub_push("v1.2.0", 1_704_067_200)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["action"], "processed");
    assert_eq!(answer.body["componentId"], component.as_str());
    assert_eq!(answer.body["versionsAdded"], 1);
    assert_eq!(answer.body["triggersActivated"], 1);

    let releases = world.get("/api/v1/releases").await;
    assert_eq!(releases["pagination"]["total"], 1);
    let release = &releases["data"][0];
    assert_eq!(release["name"], "myapp-v1.2.0");
    assert_eq!(release["status"], "created");
    assert_eq!(release["trigger"]["id"], trigger.as_str());
    let shown = world.get(&format!("/api/v1/releases/{}", id(release))).await;
    assert_eq!(shown["data"], *release);

    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    assert_eq!(versions["data"][0]["tag"], "v1.2.0");
    assert_eq!(versions["data"][0]["channel"], "stable");

    let event = receiver.wait_for(1).await.remove(0).json();
    assert_eq!(event["event"], "release.created");
    assert_eq!(event["data"]["release"]["id"], release["id"]);
    assert_eq!(event["data"]["release"]["name"], "myapp-v1.2.0");
}

#[tokio::test]
async fn a_harbor_push_is_authenticated_by_its_header_and_its_digest_is_stored() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    let body = json!({"name": "harbor", "type": "registry-push", "provider": "harbor", "secret": "s3cret"});
    let config = world.config(&body).await;
    let push = harbor_push("v1.2.0", &digest('a'), 1_704_067_200);

    for headers in [vec![], vec![("authorization", "wrong")], vec![("authorization", "")]] {
        let answer = world.push(&config, &headers, &push).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let answer = world.push(&config, &[("authorization", "s3cret")], &push).await;
    assert_eq!((answer.status, &answer.body["versionsAdded"]), (StatusCode::OK, &json!(1)));
    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    assert_eq!(versions["data"][0]["digest"], digest('a'));
    assert_eq!(versions["data"][0]["digestValid"], true);
}

#[tokio::test]
async fn a_generic_sender_is_authenticated_by_the_hmac_of_its_raw_body() {
    let world = World::start().await;
    world.component(&["myorg/myapp"]).await;
    let body = json!({"name": "own", "type": "generic", "provider": "generic", "secret": "key",
        "signatureHeader": "X-Signature", "signatureAlgorithm": "hmac-sha256"});
    let config = world.config(&body).await;
    let push =
        json!({"kind": "artifact.pushed", "repository": "myorg/myapp", "tag": "v2.0.0-rc.1"}).to_string();
    let signature = sign("key", &push);
    let answer = world.push(&config, &[("x-signature", &signature)], &push).await;
    assert_eq!(answer.body["action"], "processed", "{}", answer.body);
    let prefixed = format!("sha256={signature}");
    let answer = world.push(&config, &[("x-signature", &prefixed)], &push).await;
    assert_eq!(answer.body["action"], "duplicate", "{}", answer.body);
    let changed = push.replace("rc.1", "rc.2");
    let answer = world.push(&config, &[("x-signature", &signature)], &changed).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_duplicate_push_gets_the_counts_of_the_first_answer_and_creates_nothing() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &every_version()).await;
    let config = world.docker_hub().await;
    let push = docker_hub_push("v1.2.0", 1_704_067_200);
    let first = world.push(&config, &[], &push).await;
    let second = world.push(&config, &[], &push).await;
    assert_eq!(second.body["action"], "duplicate");
    for figure in ["componentId", "versionsAdded", "triggersActivated"] {
        assert_eq!(second.body[figure], first.body[figure], "{figure}");
    }
    assert_eq!(world.get("/api/v1/releases").await["pagination"]["total"], 1);
    assert_eq!(world.get("/api/v1/events").await["pagination"]["total"], 1);
}

#[tokio::test]
async fn fifty_concurrent_copies_of_a_push_create_one_release() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &every_version()).await;
    let config = world.docker_hub().await;
    let push = docker_hub_push("v1.2.0", 1_704_067_200);
    let pushes = (0..50).map(|_| world.push(&config, &[], &push));
    let answers = futures_util::future::join_all(pushes).await;
    let processed = answers.iter().filter(|answer| answer.body["action"] == "processed").count();
    assert_eq!(processed, 1, "{answers:#?}");
    assert!(answers.iter().all(|answer| answer.status.is_success()));
    let releases = world.rows("/api/v1/releases", |rows| !rows.is_empty()).await;
    assert_eq!(releases.len(), 1);
}

#[tokio::test]
async fn every_move_of_a_tag_is_a_retag_and_its_history_is_kept() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let body = json!({"name": "harbor", "type": "registry-push", "provider": "harbor", "secret": "s3cret"});
    let config = world.config(&body).await;
    for (number, of) in ['a', 'b', 'a'].into_iter().enumerate() {
        let at = 1_704_067_200 + i64::try_from(number).unwrap();
        let push = harbor_push("latest", &digest(of), at);
        let answer = world.push(&config, &[("authorization", "s3cret")], &push).await;
        assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    }
    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    let version = &versions["data"][0];
    assert_eq!(versions["pagination"]["total"], 1);
    assert_eq!(version["digest"], digest('a'));
    assert_eq!(version["history"][0]["digest"], digest('b'));
    assert_eq!(version["history"][1]["digest"], digest('a'));
    // A newer push of the same content adds no version.
    let push = harbor_push("latest", &digest('a'), 1_704_067_300);
    let answer = world.push(&config, &[("authorization", "s3cret")], &push).await;
    assert_eq!((&answer.body["action"], &answer.body["versionsAdded"]), (&json!("processed"), &json!(0)));
    assert_eq!(world.get("/api/v1/releases").await["pagination"]["total"], 3);
}

#[tokio::test]
async fn a_tag_moved_there_and_back_without_timestamps_is_two_retags_and_then_a_duplicate() {
    let world = World::at("2026-01-09T10:30:00Z").await;
    let component = world.component(&["docker-local/myapp"]).await;
    let body =
        json!({"name": "jfrog", "type": "registry-push", "provider": "artifactory", "secret": "s3cret"});
    let config = world.config(&body).await;
    let push = async |of: char| {
        let body = json!({"domain": "docker", "event_type": "pushed", "jpd_origin": "https://example.jfrog.io",
            "data": {"repo_key": "docker-local", "image_name": "myapp", "tag": "latest",
                "name": "manifest.json", "sha256": of.to_string().repeat(64)}});
        world.push(&config, &[("x-jfrog-event-auth", "s3cret")], &body.to_string()).await.body
    };
    for of in ['a', 'b', 'a'] {
        // The same bytes are a repetition for 5 minutes.
        world.time.advance(Duration::minutes(6));
        let answer = push(of).await;
        assert_eq!(
            (&answer["action"], &answer["versionsAdded"]),
            (&json!("processed"), &json!(1)),
            "{answer}"
        );
    }
    assert_eq!(push('a').await["action"], "duplicate");
    world.time.advance(Duration::minutes(6));
    assert_eq!(push('a').await["versionsAdded"], 0, "the tag points at this still");
    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    assert_eq!(versions["data"][0]["history"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_irrelevant_push_is_ignored_with_a_reason() {
    let world = World::start().await;
    world.component(&["myorg/other"]).await;
    let config = world.docker_hub().await;
    let answer = world.push(&config, &[], &docker_hub_push("v1", 1)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["action"], "ignored");
    assert_eq!(answer.body["reason"], "No matching component");
    assert!(answer.body["receiptId"].is_string());

    let body = json!({"name": "bound", "type": "registry-push", "provider": "dockerhub",
        "repositories": ["elsewhere/*"]});
    let bound = world.config(&body).await;
    let answer = world.push(&bound, &[], &docker_hub_push("v1", 1)).await;
    assert_eq!(answer.body["reason"], "The webhook config may not speak for this repository");

    let filter = json!([{"field": "$.tag", "operator": "matches", "value": "^v\\d+\\.\\d+\\.\\d+$"}]);
    let body = json!({"name": "f", "type": "registry-push", "provider": "dockerhub", "filters": filter});
    let filtered = world.config(&body).await;
    let answer = world.push(&filtered, &[], &docker_hub_push("latest", 1)).await;
    assert_eq!(answer.body["reason"], "The webhook config's filters do not match");
}

#[tokio::test]
async fn unknown_disabled_and_mistyped_addresses_get_the_same_answer() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let url = config["url"].as_str().unwrap();
    let base = world.stack.url();
    let push = docker_hub_push("v1", 1);
    let unknown = format!("{base}/api/v1/webhooks/registry/0192aaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee");
    let reads = world.stack.calls().of("dynamodb", "GetItem");
    let answers = [
        world.push_to(&unknown, &[], &push).await,
        world.push_to(&format!("{base}/api/v1/webhooks/registry/junk"), &[], &push).await,
        world.push_to(&format!("{base}/api/v1/webhooks/nothing/{}", id(&config)), &[], &push).await,
    ];
    assert_eq!(world.stack.calls().of("dynamodb", "GetItem"), reads, "made-up ids cost no read");
    let wrong_type = url.replace("/registry/", "/github/");
    let wrong_type = world.push_to(&wrong_type, &[], &push).await;
    let path = format!("/api/v1/webhook-configs/{}", id(&config));
    let other = world
        .config(&json!({"name": "off", "type": "registry-push", "provider": "dockerhub",
        "enabled": false}))
        .await;
    let disabled = world.push(&other, &[], &push).await;
    for answer in answers.iter().chain([&wrong_type, &disabled]) {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
        assert_eq!(answer.body, answers[0].body);
    }
    let deleted = world.admin.json(Method::DELETE, &path, &Value::Null).await.unwrap();
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_missing_or_wrong_url_token_is_answered_401() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let url = config["url"].as_str().unwrap();
    let (bare, token) = url.rsplit_once('/').unwrap();
    let push = docker_hub_push("v1", 1);
    assert_eq!(world.push_to(bare, &[], &push).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.push_to(&format!("{bare}/wrong"), &[], &push).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.push_to(&format!("{bare}?token={token}"), &[], &push).await.status, StatusCode::OK);
    // The token is shown only in the answer to the creation.
    let shown = world.get(&format!("/api/v1/webhook-configs/{}", id(&config))).await;
    assert_eq!(shown["data"]["url"], bare);
}

#[tokio::test]
async fn an_unreadable_body_is_refused_with_the_reason() {
    let world = World::start().await;
    let config = world.docker_hub().await;
    let answer = world.push(&config, &[], "{\"push_data\": ").await;
    assert_eq!((answer.status, &answer.body["code"]), (StatusCode::BAD_REQUEST, &json!("malformed_json")));
    let large = format!("\"{}\"", "x".repeat(4 * 1024 * 1024));
    let answer = world.push(&config, &[], &large).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
    let url = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap().to_owned();
    let sender = world.anonymous();
    let xml = [("content-type", "application/xml")];
    let answer = sender.send(Method::POST, &url, &xml, "<push/>".into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.get("/api/v1/events").await["pagination"]["total"], 0);
}

#[tokio::test]
async fn all_errors_in_a_config_component_or_trigger_are_reported_at_once() {
    let world = World::start().await;
    let component = world.component(&["myorg/myapp"]).await;
    for (path, body, fields) in [
        (
            "/api/v1/webhook-configs".to_owned(),
            json!({"type": "registry", "provider": "nobody", "enabled": "yes", "colour": 1}),
            vec!["name", "type", "provider", "enabled", "colour"],
        ),
        (
            "/api/v1/components".to_owned(),
            json!({"repositories": ["a b#"], "channelRules": [{"pattern": "(", "channel": "x"}], "extra": 1}),
            vec!["name", "repositories[0]", "channelRules[0].pattern", "extra"],
        ),
        (
            format!("/api/v1/components/{component}/triggers"),
            json!({"on": "monday", "versionRange": "not a range", "extra": 1}),
            vec!["name", "on", "versionRange", "extra"],
        ),
    ] {
        let answer = world.post(&path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", answer.body);
        let named: Vec<&str> =
            answer.body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        for field in fields {
            assert!(named.contains(&field), "{path}: {field} is not among {named:?}");
        }
    }
}

#[tokio::test]
async fn requests_over_a_configs_rate_limit_are_answered_429() {
    let world = World::with_manual_clock().await;
    let config = world.docker_hub().await;
    // Not all at once: a slow machine would answer some of them 503, which use up no rate.
    let pushes = futures_util::stream::iter(0..1100).map(|_| world.push(&config, &[], "{}"));
    let answers: Vec<_> = pushes.buffer_unordered(20).collect().await;
    let limited: Vec<_> =
        answers.iter().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert_eq!(limited.len(), 100, "two seconds' worth of 500 pass at once");
    assert!(limited.iter().all(|answer| answer.headers["retry-after"] == "1"));
    world.time.advance(Duration::seconds(1));
    assert_eq!(world.push(&config, &[], "{}").await.status, StatusCode::OK);
}
