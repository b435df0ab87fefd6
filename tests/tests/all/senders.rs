//! Two unusual senders: Drone signs by HTTP signature, and a Quay push has neither an id nor a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Duration;
use end_to_end::World;
use hmac::{Hmac, Mac as _};
use http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

#[tokio::test]
async fn every_listed_sender_can_be_configured_as_listed() {
    let world = World::start().await;
    let listed = world.get("/api/v1/senders").await;
    let senders = listed["data"].as_array().unwrap();
    let quay = senders.iter().find(|sender| sender["title"] == "Quay").unwrap();
    assert_eq!(quay["types"], json!(["registry-push", "generic"]));
    assert_eq!((&quay["provider"], &quay["authentication"]), (&json!("quay"), &json!({"type": "none"})));
    assert!(quay["docs"].as_str().unwrap().starts_with("# Quay\n"));
    for sender in senders {
        let provider = &sender["provider"];
        for webhook_type in sender["types"].as_array().unwrap() {
            let mut config = json!({"name": "x", "type": webhook_type, "provider": provider});
            if sender["authentication"]["type"] != "none" {
                config["secret"] = json!("user:password");
            }
            // With the sender's preset, and with the same authentication set by the config.
            world.config(&config).await;
            config["authentication"] = sender["authentication"].clone();
            let made = world.config(&config).await;
            assert_eq!(made["provider"], *provider);
        }
    }
}

#[tokio::test]
async fn drone_builds_are_verified_by_http_signature_and_read_by_a_mapping() {
    let world = World::at("2024-05-14T09:30:00Z").await;
    let component = json!({"name": "myapp", "sourceRepositories": ["myorg/myapp"]});
    let component = world.create("/api/v1/components", &component).await;
    let trigger = json!({"name": "built", "on": "ci.finished"});
    world.trigger(component["id"].as_str().unwrap(), &trigger).await;
    let config = world
        .config(&json!({
            "name": "drone", "type": "generic", "provider": "generic", "secret": "drone-secret",
            "authentication": {"type": "httpSignature"},
            "mapping": {"kind": "ci.finished", "repository": "$.repo.slug", "commit": "$.build.after",
                "branch": "$.build.target", "result": "$.build.status",
                "pullRequest": "$[?@.event == 'pull_request'].ref", "sourceRepository": "$.build.source_repo"}}))
        .await;
    let build_of = |status: &str, event: &str, reference: &str, commit: &str| {
        json!({"event": "build", "action": "completed", "repo": {"slug": "myorg/myapp"},
            "build": {"status": status, "event": event, "ref": reference, "after": commit.repeat(4), "target": "main",
                "source_repo": "forky/myapp"}})
        .to_string()
    };
    let build = |status: &str| build_of(status, "push", "refs/heads/main", "5f3c1d2e9a");
    let sign = |date: &str, body: &str| {
        let digest = format!("SHA-256={}", STANDARD.encode(Sha256::digest(body)));
        let text = format!("date: {date}\ndigest: {digest}");
        let mac = Hmac::<Sha256>::new_from_slice(b"drone-secret").unwrap().chain_update(text);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let value = format!(
            r#"keyId="hmac-key",algorithm="hmac-sha256",signature="{signature}",headers="date digest""#
        );
        [("date", date.to_owned()), ("digest", digest), ("signature", value)]
    };
    let post = async |headers: &[(&str, String)], body: &str| {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.push(&config, &headers, body).await
    };
    let now = "Tue, 14 May 2024 09:29:30 GMT";
    let (built, failed) = (build("success"), build("failure"));
    let answer = post(&sign(now, &built), &built).await;
    assert_eq!(answer.body["triggersActivated"], 1, "{}", answer.body);
    assert_eq!(post(&sign(now, &built), &failed).await.status, StatusCode::UNAUTHORIZED);
    let requested = build_of("success", "pull_request", "refs/pull/5/head", "6f3c1d2e9a");
    let answer = post(&sign(now, &requested), &requested).await;
    assert_eq!(answer.body["action"], "ignored", "{}", answer.body);
    let stale = sign("Tue, 14 May 2024 09:20:00 GMT", &built);
    assert_eq!(post(&stale, &built).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_body_without_id_or_time_is_a_duplicate_for_five_minutes_and_new_after_them() {
    let world = World::at("2026-01-09T10:30:00Z").await;
    let component = world.component(&["quay.io/myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let config = world.config(&json!({"name": "q", "type": "registry-push", "provider": "quay"})).await;
    let push = json!({"repository": "myorg/myapp", "namespace": "myorg", "name": "myapp",
        "docker_url": "quay.io/myorg/myapp", "updated_tags": ["latest"]})
    .to_string();
    for (minutes, expected) in [(0, "processed"), (0, "duplicate"), (4, "duplicate"), (2, "processed")] {
        world.time.advance(Duration::minutes(minutes));
        let answer = world.push(&config, &[], &push).await;
        assert_eq!(answer.body["action"], expected, "after {minutes} minutes: {}", answer.body);
    }
    assert_eq!(world.get("/api/v1/releases").await["pagination"]["total"], 2);
}
