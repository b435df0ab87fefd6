//! The CNCF's registry, which is GitLab's too: several events in a body, or one. Only their media types
//! tell manifests from layers.

use serde_json::Value;

use super::{Found, Reading, SenderRequest, digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let Some(events) = delivery.payload.get("events").and_then(Value::as_array) else {
        return Reading::ignored("The body has no events of a registry");
    };
    let found: Vec<NormalisedEvent> = events.iter().filter_map(|event| read_event(delivery, event)).collect();
    let delivery_id = match events.as_slice() {
        [only] => json::text(only, "/id").map(str::to_owned),
        _ => None,
    };
    if found.is_empty() {
        let reason = "No event tells of a manifest that was pushed or deleted".to_owned();
        return Reading { delivery_id, found: Found::Ignored(reason) };
    }
    Reading { delivery_id, found: Found::Events(found) }
}

fn read_event(delivery: &SenderRequest<'_>, event: &Value) -> Option<NormalisedEvent> {
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
    let mut read = delivery.event(kind, json::text(event, "/target/repository")?);
    read.registry = json::text(event, "/request/host").map(str::to_owned);
    read.tag = json::text(event, "/target/tag").map(str::to_owned);
    digest::note(&mut read, json::text(event, "/target/digest"));
    read.pushed_at = event.get("timestamp").and_then(time::parse);
    read.pusher = json::text(event, "/actor/name").map(str::to_owned);
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/distribution/push.json"),
                WebhookType::RegistryPush,
                Provider::Distribution,
                vec![
                    "artifact.pushed registry.example.com:5000/myorg/myapp:v1.2.0@sha256:abababababababababababababababababababababababababababababababab by ci at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/distribution/manifest-and-layers.json"),
                WebhookType::RegistryPush,
                Provider::Distribution,
                vec![
                    "artifact.pushed registry.example.com:5000/myorg/myapp:v1.2.0@sha256:abababababababababababababababababababababababababababababababab by ci at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/distribution/pull.json"),
                WebhookType::RegistryPush,
                Provider::Distribution,
                vec!["nothing: No event tells of a manifest that was pushed or deleted"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
