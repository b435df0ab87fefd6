//! Amazon's container registry, by EventBridge: pushes, deletions, replications, pulls through a cache.

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::begins;
use super::{digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// Amazon's container registry. The header is that of an EventBridge connection's API key.
pub(super) static ECR: Sender = Sender {
    name: "ecr",
    provider: "ecr",
    title: "Amazon ECR",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::Token("X-Api-Key"),
    alternatives: &[],
    recognises: Some(|body| begins(body, "/detail-type", "ECR ")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("ecr"),
    examples: &[example!("ecr", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = json::text(request.payload, "/id").map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    // Replications and pulls through a cache bring an image into the registry of `account` and `region`.
    let (action, result) = match json::text(payload, "/detail-type") {
        Some("ECR Image Action" | "ECR Replication Action") => {
            (json::text(payload, "/detail/action-type"), json::text(payload, "/detail/result"))
        }
        Some("ECR Pull Through Cache Action") => (Some("PUSH"), json::text(payload, "/detail/sync-status")),
        _ => return other("EventBridge's event is not an image action of ECR"),
    };
    if result != Some("SUCCESS") {
        return other("The image action failed");
    }
    let kind = match action {
        Some("PUSH" | "REPLICATE") => EventKind::ArtifactPushed,
        Some("DELETE") => EventKind::ArtifactDeleted,
        _ => return other("The image action is neither a push nor a deletion"),
    };
    let Some(name) = json::text(payload, "/detail/repository-name") else {
        return other("The event names no repository");
    };
    let mut event = request.event(kind, name);
    event.registry =
        json::text(payload, "/account").zip(json::text(payload, "/region")).map(|(account, region)| {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("{account}.dkr.ecr.{region}.amazonaws.com{suffix}")
        });
    event.tag = json::text(payload, "/detail/image-tag").map(str::to_owned);
    digest::note(&mut event, json::text(payload, "/detail/image-digest"));
    event.pushed_at = payload.get("time").and_then(time::parse);
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &ECR,
            &[
                "push: artifact.pushed 123456789012.dkr.ecr.eu-central-1.amazonaws.com/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "push-untagged: artifact.pushed 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/myorg/myapp@sha256:abab at 2024-01-01T00:00:00Z",
                "failed: ignored: The image action failed",
                "pull-through-cache: artifact.pushed 123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/alpine:3.17@sha256:abab at 2024-01-01T00:00:00Z",
                "pull-through-cache-failed: ignored: The image action failed",
                "replication: artifact.pushed 123456789012.dkr.ecr.eu-west-1.amazonaws.com/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "scan: ignored: EventBridge's event is not an image action of ECR",
            ],
        );
    }
}
