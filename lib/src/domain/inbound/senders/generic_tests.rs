//! What generic bodies are read as.

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::mapping::Mapping;
use crate::domain::inbound::normalise::tests::{assert_bodies, at, events, parsed, reason};
use crate::domain::inbound::normalise::{Parsed, Settings, normalise};
use crate::domain::inbound::provider::Provider;

const NORMALISED: &str = include_str!("../../../../../events/inbound/generic/normalised.json");
const BATCH: &str = include_str!("../../../../../events/inbound/generic/normalised-batch.json");
const OTHER: &str = include_str!("../../../../../events/inbound/generic/other-shape.json");

fn mapped(webhook_type: WebhookType, mapping: &Value, headers: &HeaderMap, body: &str) -> Parsed {
    let mapping: Mapping = serde_json::from_value(mapping.clone()).expect("a mapping");
    let verified = Verified::was_verified_before(headers, body.as_bytes());
    let settings = Settings::of(webhook_type, Provider::Named(&GENERIC)).mapped_by(&mapping);
    normalise(&verified, &settings, at()).expect("read")
}

#[test]
fn example_bodies_normalise_to_these_events() {
    assert_bodies(
        &GENERIC,
        &[
            "ci-image: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:34bd at 2024-01-01T00:00:00Z",
            "drone: ignored: The event names no repository",
            "drone-pull-request: ignored: The event names no repository",
            "drone-running: ignored: The event names no repository",
            "git-tag-deleted: git.tag myorg/myapp:v1.2.0 before=6f2d1c0 deleted",
            "image-by-parts: ignored: The event names no repository",
            "image-update: ignored: The event names no repository",
            "pull-request: ci.finished myorg/myapp branch=main commit=6f2d1c0 result=success text=passed pipeline=build run=43 runId=42 request=5 of a fork",
            "normalised: artifact.pushed ghcr.io/myorg/myapp:v1.2.0@sha256:34bd by builder at 2024-01-01T00:00:00Z",
            "normalised-batch: artifact.pushed myorg/myapp:v1.2.0@sha256:34bd at 2024-01-01T00:00:00Z",
            "normalised-batch: ci.finished myorg/myapp commit=0a0b0c0 result=success run=42",
            "other-shape: ignored: The event names no repository",
        ],
    );
}

#[test]
fn a_body_in_the_normalised_form_is_taken_as_it_is() {
    let event = events(&GENERIC, NORMALISED).remove(0);
    assert_eq!(event.kind, EventKind::ArtifactPushed);
    assert_eq!((event.registry.as_deref(), event.repository.as_str()), (Some("ghcr.io"), "myorg/myapp"));
    assert_eq!(event.tag.as_deref(), Some("v1.2.0"));
    assert!(event.digest_valid);
    assert_eq!(event.pushed_at.unwrap().timestamp(), 1_704_067_200);
    assert_eq!(event.received_at, at(), "the body's own receivedAt means nothing");
}

#[test]
fn a_list_of_them_is_a_batch() {
    let events = events(&GENERIC, BATCH);
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::ArtifactPushed, EventKind::CiFinished]);
    assert_eq!(events[1].run.as_deref(), Some("42"));
}

#[test]
fn a_mapping_describes_another_shape() {
    let mapping = json!({"kind": "ci.finished", "repository": "$.project.path", "commit": "$.build.sha",
        "result": "$.build.outcome", "run": "$.build.number", "pushedAt": "$.build.at",
        "url": "$.build.link", "prerelease": "$.build.rc", "deliveryId": "$.id"});
    let parsed = mapped(WebhookType::Generic, &mapping, &HeaderMap::new(), OTHER);
    assert_eq!(parsed.delivery_id.as_deref(), Some("delivery-7"));
    let event = &parsed.events()[0];
    assert_eq!((event.kind, event.repository.as_str()), (EventKind::CiFinished, "myorg/myapp"));
    assert_eq!((event.result_text.as_deref(), event.run.as_deref()), (Some("passed"), Some("7")));
    assert_eq!(event.prerelease, Some(true));
    assert_eq!(event.url, None, "an address for browsers only");
    assert_eq!(event.tag, None);
}

#[test]
fn a_header_names_the_delivery_if_the_mapping_does_not() {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "msg_1".parse().unwrap());
    let mapping = json!({"repository": "$.project.path"});
    let parsed = mapped(WebhookType::Generic, &mapping, &headers, OTHER);
    assert_eq!(parsed.delivery_id.as_deref(), Some("msg_1"));
}

#[test]
fn the_kind_is_the_types_unless_the_body_says() {
    let mapping = json!({"repository": "$.project.path"});
    let kind = |webhook_type| {
        let parsed = mapped(webhook_type, &mapping, &HeaderMap::new(), OTHER);
        parsed.events().first().map(|event| event.kind)
    };
    assert_eq!(kind(WebhookType::RegistryPush), Some(EventKind::ArtifactPushed));
    assert_eq!(kind(WebhookType::CiPipeline), Some(EventKind::CiFinished));
    assert_eq!(kind(WebhookType::GithubApp), None);
}

#[test]
fn a_host_before_an_images_name_is_the_registry() {
    let repository = |body: Value| {
        let event = events(&GENERIC, &body.to_string()).remove(0);
        (event.registry, event.repository)
    };
    let split = (Some("quay.io".to_owned()), "a/b".to_owned());
    assert_eq!(repository(json!({"repository": "quay.io/a/b"})), split);
    assert_eq!(repository(json!({"repository": "a/b", "registry": "https://quay.io/"})), split);
    let git = repository(json!({"kind": "git.push", "repository": "github.com/a/b"}));
    assert_eq!(git, (None, "github.com/a/b".to_owned()));
}

#[test]
fn an_image_may_be_one_reference_whose_tag_and_digest_count_where_no_others_are_given() {
    let read = |body: Value| {
        let event = events(&GENERIC, &body.to_string()).remove(0);
        (event.registry, event.repository, event.tag, event.digest)
    };
    let expect = |host: Option<&str>, name: &str, tag: Option<&str>, digest: Option<&str>| {
        (host.map(str::to_owned), name.to_owned(), tag.map(str::to_owned), digest.map(str::to_owned))
    };
    let whole = "registry.example:5000/o/app:v1@sha256:abc";
    let host = Some("registry.example:5000");
    assert_eq!(read(json!({"repository": whole})), expect(host, "o/app", Some("v1"), Some("sha256:abc")));
    let given = json!({"repository": whole, "tag": "v2", "digest": "sha256:def"});
    assert_eq!(read(given), expect(host, "o/app", Some("v2"), Some("sha256:def")));
    let bare = json!({"repository": "registry.example:5000/o/app"});
    assert_eq!(read(bare), expect(host, "o/app", None, None));
    let with_registry = json!({"repository": "o/app:v1", "registry": "ghcr.io"});
    assert_eq!(read(with_registry), expect(Some("ghcr.io"), "o/app", Some("v1"), None));
    let source = json!({"kind": "git.push", "repository": "o/app:v1"});
    assert_eq!(read(source), expect(None, "o/app:v1", None, None));
}

#[test]
fn a_number_is_the_text_that_it_is_written_with() {
    let mapping = json!({"repository": "$.image", "tag": "$.tags[0].tag", "run": "$.run"});
    let body = r#"{"image": "a/b", "tags": [{"tag": 1.10}], "run": 12345678901234567890123}"#;
    let event = mapped(WebhookType::Generic, &mapping, &HeaderMap::new(), body).events()[0].clone();
    let found = (event.tag.as_deref(), event.run.as_deref());
    assert_eq!(found, (Some("1.10"), Some("12345678901234567890123")));
    let list = r#"[{"repository": "a/b", "tag": 1.0}, {"repository": "a/b", "tag": 2.50}]"#;
    let tags: Vec<_> = events(&GENERIC, list).into_iter().map(|event| event.tag.unwrap()).collect();
    assert_eq!(tags, ["1.0", "2.50"]);
    let mut form = HeaderMap::new();
    form.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let body = "payload=%7B%22image%22%3A%22a%2Fb%22%2C%22tags%22%3A%5B%7B%22tag%22%3A3.00%7D%5D%7D";
    let of_form = mapped(WebhookType::Generic, &mapping, &form, body);
    assert_eq!(of_form.events()[0].tag.as_deref(), Some("3.00"));
}

#[test]
fn a_commit_is_hexadecimal_and_zeros_are_the_mark_of_a_deletion() {
    let commit = |commit: &str| {
        let body = json!({"kind": "ci.finished", "repository": "a/b", "commit": commit});
        events(&GENERIC, &body.to_string()).remove(0).commit
    };
    assert_eq!(commit("0a0b0c0").as_deref(), Some("0a0b0c0"));
    for text in ["HEAD", "main", "abc", &"0".repeat(40), &"0".repeat(64)] {
        assert_eq!(commit(text), None, "{text}");
    }
    for length in [40, 64] {
        let moved = |kind: &str| json!({"kind": kind, "repository": "a/b", "commit": "0".repeat(length)});
        assert!(events(&GENERIC, &moved("git.tag").to_string())[0].deleted);
        assert_eq!(reason(&GENERIC, &moved("git.push").to_string()), "The branch was deleted");
    }
}

#[test]
fn a_run_is_that_of_a_pull_request_unless_the_member_is_empty_false_or_zero() {
    let mapping = json!({"kind": "ci.finished", "repository": "$.repo", "pullRequest": "$.pr",
        "sourceRepository": "$.from"});
    let request = |body: Value| {
        let parsed = mapped(WebhookType::Generic, &mapping, &HeaderMap::new(), &body.to_string());
        let found = parsed.events()[0].pull_request.clone();
        found.map(|request| (request.number, request.fork))
    };
    for nothing in [json!(null), json!(""), json!("false"), json!(false), json!(0), json!("0"), json!([])] {
        assert_eq!(request(json!({"repo": "a/b", "pr": nothing})), None, "{nothing}");
    }
    assert_eq!(request(json!({"repo": "a/b"})), None);
    for (pr, number) in [
        (json!(5), Some(5)),
        (json!("5"), Some(5)),
        (json!("refs/pull/5/head"), Some(5)),
        (json!("https://github.com/a/b/pull/5"), Some(5)),
        (json!({"number": 5}), Some(5)),
        (json!(true), None),
        (json!("pull_request"), None),
    ] {
        assert_eq!(request(json!({"repo": "a/b", "pr": pr})), Some((number, None)), "{pr}");
    }
    assert_eq!(request(json!({"repo": "a/b", "pr": 5, "from": "a/b"})), Some((Some(5), Some(false))));
    assert_eq!(request(json!({"repo": "a/b", "pr": 5, "from": "evil/b"})), Some((Some(5), Some(true))));
}

#[test]
fn the_time_is_that_of_the_push_in_the_normalised_form_and_not_in_a_mapped_body() {
    assert!(events(&GENERIC, NORMALISED)[0].time_is_push);
    let mapping = json!({"repository": "$.project.path", "pushedAt": "$.build.at"});
    let parsed = mapped(WebhookType::Generic, &mapping, &HeaderMap::new(), OTHER);
    assert!(parsed.events()[0].pushed_at.is_some() && !parsed.events()[0].time_is_push);
}

#[test]
fn a_ping_is_a_ping_and_what_is_not_an_event_is_ignored() {
    assert_eq!(parsed(&GENERIC, r#"{"kind":"ping"}"#).found, Found::Ping);
    for body in ["{}", "[]", "1", "null", "\"a\"", r#"{"repository":""}"#, r#"{"repository":{}}"#, "[[]]"] {
        assert!(!reason(&GENERIC, body).is_empty(), "{body}");
    }
    assert!(!reason(&GENERIC, r#"{"kind":"party","repository":"a/b"}"#).is_empty());
}
