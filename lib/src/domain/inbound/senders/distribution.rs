//! The CNCF's registry, which is GitLab's too: one or more events in a body. Only by their media types are
//! manifests told from layers.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

/// The CNCF's registry. The header is one that its endpoint is configured to send.
pub(super) static DISTRIBUTION: Sender = Sender {
    name: "distribution",
    provider: "distribution",
    title: "Distribution",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::Token("Authorization"),
    alternatives: &[],
    recognises: Some(|body| has(body, "/events/0/target")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("distribution"),
    examples: &[example!("distribution", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let Some(events) = request.payload.get("events").and_then(Value::as_array) else {
        return Reading::ignored("The body has no events of a registry");
    };
    let found: Vec<NormalisedEvent> = events.iter().filter_map(|event| read_event(request, event)).collect();
    let delivery_id = match events.as_slice() {
        [only] => json::text(only, "/id").map(str::to_owned),
        _ => None,
    };
    if found.is_empty() {
        let reason = "No event is the push or the deletion of a manifest".to_owned();
        return Reading { delivery_id, found: Found::Ignored(reason) };
    }
    Reading { delivery_id, found: Found::Events(found) }
}

fn read_event(request: &SenderRequest<'_>, event: &Value) -> Option<NormalisedEvent> {
    let kind = match json::text(event, "/action")? {
        "push" => EventKind::ArtifactPushed,
        "delete" => EventKind::ArtifactDeleted,
        _ => return None,
    };
    let media_type = json::text(event, "/target/mediaType").unwrap_or_default();
    let is_manifest = media_type.contains("manifest") || media_type.contains("image.index");
    if kind == EventKind::ArtifactPushed && !is_manifest {
        return None;
    }
    let mut read = request.event(kind, json::text(event, "/target/repository")?);
    read.registry = json::text(event, "/request/host").map(str::to_owned);
    read.tag = json::text(event, "/target/tag").map(str::to_owned);
    digest::note(&mut read, json::text(event, "/target/digest"));
    read.pushed_at = event.get("timestamp").and_then(time::parse);
    read.pusher = json::text(event, "/actor/name").map(str::to_owned);
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &DISTRIBUTION,
            &[
                "push: artifact.pushed registry.example.com:5000/myorg/myapp:v1.2.0@sha256:abab by ci at 2024-01-01T00:00:00Z",
                "manifest-and-layers: artifact.pushed registry.example.com:5000/myorg/myapp:v1.2.0@sha256:abab by ci at 2024-01-01T00:00:00Z",
                "pull: ignored: No event is the push or the deletion of a manifest",
            ],
        );
    }
}
