//! Harbor: pushes and deletions, in its own form and as CloudEvents. Version 1.10 has other names for them.
//!
//! An untagged push has its digest for a tag. Of several tags of an artifact only the first is sent.
//! Other events have resources too: `QUOTA_EXCEED` has the digest of a push that failed.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::{begins, has};
use super::{digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// Where the two forms have the same things.
struct Form {
    data: &'static str,
    time: &'static str,
}

const DEFAULT: Form = Form { data: "event_data", time: "occur_at" };
const CLOUD_EVENTS: Form = Form { data: "data", time: "time" };

/// Harbor. It sends the configured value as it is, without a scheme.
pub(super) static HARBOR: Sender = Sender {
    name: "harbor",
    provider: "harbor",
    title: "Harbor",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::Token("Authorization"),
    alternatives: &[],
    recognises: Some(|body| {
        (has(body, "/type") && has(body, "/event_data")) || begins(body, "/type", "harbor.")
    }),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("harbor"),
    examples: &[example!("harbor", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    let Some(name) = json::text(payload, "/type") else {
        return Reading::ignored("The body has no event type of Harbor");
    };
    let is_cloud_event = name.starts_with("harbor.");
    let delivery_id = json::text(payload, "/id").filter(|_| is_cloud_event).map(str::to_owned);
    let found = match name {
        "PUSH_ARTIFACT" | "pushImage" | "harbor.artifact.pushed" => EventKind::ArtifactPushed,
        "DELETE_ARTIFACT" | "deleteImage" | "harbor.artifact.deleted" => EventKind::ArtifactDeleted,
        // Pulls, scans, replications, retention, quotas, and whatever comes later.
        _ => {
            let reason = "Harbor's event is neither a push nor a deletion of an artifact".to_owned();
            return Reading { delivery_id, found: Found::Ignored(reason) };
        }
    };
    let form = if is_cloud_event { CLOUD_EVENTS } else { DEFAULT };
    Reading { delivery_id, found: resources(request, found, &form) }
}

fn resources(request: &SenderRequest<'_>, kind: EventKind, form: &Form) -> Found {
    let payload = request.payload;
    let Some(data) = payload.get(form.data) else {
        return Found::Ignored("Harbor's event has no data".to_owned());
    };
    let resources = data.get("resources").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let pushed_at = payload.get(form.time).and_then(time::parse);
    let pusher = json::text(payload, "/operator");
    let read = |resource| {
        let mut event = resource_event(request, kind, data, resource)?;
        event.pushed_at = pushed_at;
        event.pusher = pusher.map(str::to_owned);
        Some(event)
    };
    let events: Vec<NormalisedEvent> = resources.iter().filter_map(read).collect();
    if events.is_empty() {
        return Found::Ignored("Harbor's event names no artifact".to_owned());
    }
    Found::Events(events)
}

fn resource_event(
    request: &SenderRequest<'_>,
    kind: EventKind,
    data: &Value,
    resource: &Value,
) -> Option<NormalisedEvent> {
    let url = json::text(resource, "/resource_url").map(reference::bare).unwrap_or_default();
    let (host, name_in_url) = url.split_once('/').unwrap_or_default();
    let full_name = json::text(data, "/repository/repo_full_name");
    let name = full_name.or(Some(name_in_url).filter(|name| !name.is_empty()))?;
    let mut event = request.event(kind, name);
    // Where the two disagree about the name, the host may be wrong as well.
    event.registry = (!host.is_empty() && name_in_url == name).then(|| host.to_owned());
    let written = json::text(resource, "/digest");
    digest::note(&mut event, written);
    let is_tag = |tag: &&str| Some(*tag) != written && !digest::has_form(tag);
    event.tag = json::text(resource, "/tag").filter(is_tag).map(str::to_owned);
    Some(event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::inbound::normalise::tests::{assert_bodies, events, parsed, reason};

    const PUSH: &str = include_str!("../../../../../events/inbound/harbor/push.json");
    const UNTAGGED: &str = include_str!("../../../../../events/inbound/harbor/push-untagged.json");
    const CLOUD_EVENT: &str = include_str!("../../../../../events/inbound/harbor/push-cloudevents.json");
    const SPECIFIED: &str = include_str!("../../../../../events/inbound/harbor/push-minimal.json");

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &HARBOR,
            &[
                "push: artifact.pushed harbor.example.com:8443/myorg/myapp:v1.2.0@sha256:34bd by builder at 2024-01-01T00:00:00Z",
                "push-1-10: artifact.pushed harbor.example.com/myorg/myapp:v1.2.0@sha256:34bd by builder at 2024-01-01T00:00:00Z",
                "push-untagged: artifact.pushed harbor.example.com/myorg/myapp@sha256:34bd by builder at 2024-01-01T00:00:00Z",
                "push-cloudevents: artifact.pushed harbor.example.com/myorg/myapp:v1.2.0@sha256:34bd by builder at 2024-01-01T00:00:00Z",
                "push-minimal: artifact.pushed myorg/myapp:v1.2.0@?sha256:abc1 at 2024-01-01T00:00:00Z",
                "delete: artifact.deleted myorg/myapp:v1.2.0@sha256:abab by cleaner at 2024-01-01T00:00:00Z",
                "quota-exceed: ignored: Harbor's event is neither a push nor a deletion of an artifact",
            ],
        );
    }

    #[test]
    fn a_push_is_read_with_its_host() {
        let event = events(&HARBOR, PUSH).remove(0);
        assert_eq!(event.kind, EventKind::ArtifactPushed);
        assert_eq!(event.registry.as_deref(), Some("harbor.example.com:8443"));
        assert_eq!(event.repository, "myorg/myapp");
        assert_eq!(event.tag.as_deref(), Some("v1.2.0"));
        assert!(event.digest_valid);
        assert_eq!(event.pushed_at.unwrap().timestamp(), 1_704_067_200);
        assert_eq!(event.pusher.as_deref(), Some("builder"));
    }

    #[test]
    fn the_specifications_short_form_has_no_host() {
        let event = events(&HARBOR, SPECIFIED).remove(0);
        assert_eq!((event.registry, event.repository.as_str()), (None, "myorg/myapp"));
        assert_eq!((event.digest.as_deref(), event.digest_valid), (Some("sha256:abc123..."), false));
    }

    #[test]
    fn a_digest_in_the_place_of_a_tag_is_not_a_tag() {
        let event = events(&HARBOR, UNTAGGED).remove(0);
        assert_eq!(event.tag, None);
        assert!(event.digest_valid);
        assert_eq!(event.registry.as_deref(), Some("harbor.example.com"));
    }

    #[test]
    fn a_cloud_event_says_the_same_and_has_an_id() {
        let parsed = parsed(&HARBOR, CLOUD_EVENT);
        assert_eq!(parsed.delivery_id.as_deref(), Some("718eab63-0000-4f88-8c27-8bcacc34929b"));
        let event = &parsed.events()[0];
        assert_eq!((event.repository.as_str(), event.tag.as_deref()), ("myorg/myapp", Some("v1.2.0")));
        assert_eq!(event.pushed_at.unwrap().timestamp(), 1_704_067_200);
    }

    #[test]
    fn every_resource_is_an_event_with_its_own_tag() {
        let resource = |tag: &str| json!({"tag": tag, "resource_url": format!("h.io/a/b:{tag}")});
        let body = json!({"type": "DELETE_ARTIFACT", "event_data": {"repository": {"repo_full_name": "a/b"},
            "resources": [resource("v1"), resource("v2")]}});
        let events = events(&HARBOR, &body.to_string());
        let tags: Vec<_> = events.iter().map(|event| event.tag.as_deref()).collect();
        assert_eq!(tags, [Some("v1"), Some("v2")]);
        assert!(events.iter().all(|event| event.kind == EventKind::ArtifactDeleted));
    }

    #[test]
    fn a_host_that_belongs_to_another_name_is_not_taken() {
        let body = json!({"type": "PUSH_ARTIFACT", "event_data": {"repository": {"repo_full_name": "a/b"},
            "resources": [{"tag": "v1", "resource_url": "h.io/evil/b:v1"}, {"tag": "v1"}]}});
        for event in events(&HARBOR, &body.to_string()) {
            assert_eq!((event.registry.as_deref(), event.repository.as_str()), (None, "a/b"));
        }
    }

    #[test]
    fn other_events_are_ignored_even_with_resources() {
        for name in ["QUOTA_EXCEED", "PULL_ARTIFACT", "SCANNING_COMPLETED", "harbor.artifact.pulled", "X"] {
            let data = json!({"repository": {"repo_full_name": "a/b"}, "resources": [{"tag": "v1"}]});
            let body = json!({"type": name, "event_data": data, "data": data});
            assert!(!reason(&HARBOR, &body.to_string()).is_empty(), "{name}");
        }
    }
}
