//! Anybody: a body that is in the normalised form already, or one that the config's mapping explains.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// Headers by which senders in general name a delivery; the second one is Standard Webhooks'.
const DELIVERY_ID_HEADERS: [&str; 2] = ["idempotency-key", "webhook-id"];

/// Any other sender: the normalised form, or what the mapping of the config finds.
pub static GENERIC: Sender = Sender {
    name: "generic",
    provider: "generic",
    title: "Generic webhook",
    types: &[
        WebhookType::Generic,
        WebhookType::RegistryPush,
        WebhookType::CiPipeline,
        WebhookType::GithubApp,
        WebhookType::GitlabWebhook,
    ],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: None,
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::Body,
    page: page!("generic"),
    examples: &[example!("generic", "normalised")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    let mapped = plainly(request, "deliveryId", payload);
    let header = || DELIVERY_ID_HEADERS.into_iter().find_map(|name| request.header(name));
    let delivery_id = mapped.or_else(|| header().map(str::to_owned));
    Reading { delivery_id, found: found(request) }
}

/// What the mapping finds for a member, as a text.
fn plainly(request: &SenderRequest<'_>, member: &str, payload: &Value) -> Option<String> {
    plain(request.mapped(request.mapping?, member, payload)?)
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let items = match payload {
        Value::Array(items) if request.mapping.is_none() => items.as_slice(),
        _ => std::slice::from_ref(payload),
    };
    let mut events = Vec::new();
    let mut other = Found::Ignored("The body has no events".to_owned());
    for item in items {
        let read = match request.mapping {
            Some(mapping) => event(request, |member| request.mapped(mapping, member, item)),
            None => event(request, |member| item.get(member)),
        };
        match read {
            Ok(event) => events.push(event),
            Err(found) => other = found,
        }
    }
    if events.is_empty() { other } else { Found::Events(events) }
}

fn event<'v>(
    request: &SenderRequest<'_>,
    member: impl Fn(&str) -> Option<&'v Value>,
) -> Result<NormalisedEvent, Found> {
    let ignored = |reason: &str| Err(Found::Ignored(reason.to_owned()));
    let text = |name: &str| member(name).and_then(plain);
    let kind = match text("kind") {
        Some(name) => EventKind::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind),
        None => usual_kind(request.webhook_type),
    };
    let kind = match kind {
        Some(EventKind::Ping) => return Err(Found::Ping),
        Some(kind) => kind,
        None => return ignored("The event's kind is not known"),
    };
    let Some(repository) = text("repository") else {
        return ignored("The event names no repository");
    };
    let is_artifact = matches!(kind, EventKind::ArtifactPushed | EventKind::ArtifactDeleted);
    let registry =
        text("registry").map(|said| reference::without_scheme(&said).trim_end_matches('/').to_owned());
    let (host, name) = if is_artifact && registry.is_none() {
        reference::split_host(&repository)
    } else {
        (None, repository.as_str())
    };
    let mut event = request.event(kind, name);
    event.registry = registry.filter(|host| !host.is_empty()).or_else(|| host.map(str::to_owned));
    event.tag = text("tag");
    digest::note(&mut event, text("digest").as_deref());
    event.pushed_at = member("pushedAt").and_then(time::parse);
    event.pusher = text("pusher");
    event.commit = text("commit");
    event.branch = text("branch");
    event.reference = text("ref");
    event.result_text = text("resultText").or_else(|| text("result"));
    event.pipeline = text("pipeline");
    event.run = text("run");
    event.run_id = text("runId");
    event.before = text("before");
    event.prerelease = member("prerelease").and_then(Value::as_bool);
    event.url = text("url").filter(|url| json::is_web(url));
    Ok(event)
}

/// What a config's type is about, for bodies that do not say.
fn usual_kind(webhook_type: WebhookType) -> Option<EventKind> {
    match webhook_type {
        WebhookType::RegistryPush | WebhookType::Generic => Some(EventKind::ArtifactPushed),
        WebhookType::CiPipeline => Some(EventKind::CiFinished),
        WebhookType::GithubApp | WebhookType::GitlabWebhook => None,
    }
}

/// A text without blanks around it, or a number as it is written; an empty text is absent.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
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
    fn another_shape_is_explained_by_a_mapping() {
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
    fn a_delivery_is_named_by_its_header_where_no_mapping_says() {
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
    fn a_ping_is_a_ping_and_nonsense_is_uninteresting() {
        assert_eq!(parsed(&GENERIC, r#"{"kind":"ping"}"#).found, Found::Ping);
        for body in ["{}", "[]", "1", "null", "\"a\"", r#"{"repository":""}"#, r#"{"repository":{}}"#, "[[]]"]
        {
            assert!(!reason(&GENERIC, body).is_empty(), "{body}");
        }
        assert!(!reason(&GENERIC, r#"{"kind":"party","repository":"a/b"}"#).is_empty());
    }
}
