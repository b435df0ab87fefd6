//! Sonatype Nexus 3: components of hosted and proxied repositories, without digests.

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::time;
use crate::domain::inbound::authentication::{Algorithm, Signed};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// Sonatype Nexus 3.
pub(super) static NEXUS: Sender = Sender {
    name: "nexus",
    provider: "nexus",
    title: "Sonatype Nexus 3",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::Hmac {
        header: "X-Nexus-Webhook-Signature",
        algorithm: Algorithm::HmacSha1,
        prefix: None,
        signed: Signed::Body,
    },
    alternatives: &[],
    recognises: Some(|body| has(body, "/component/format")),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("nexus"),
    examples: &[example!("nexus", "component", "X-Nexus-Webhook-Id" = "rm:repository:component")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let delivery_id = request.header("x-nexus-webhook-delivery").map(str::to_owned);
    Reading { delivery_id, found: found(request) }
}

fn found(request: &SenderRequest<'_>) -> Found {
    let payload = request.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    if json::text(payload, "/component/format") != Some("docker") {
        return other("The event is not about an image");
    }
    let kind = match json::text(payload, "/action") {
        Some("CREATED" | "UPDATED") => EventKind::ArtifactPushed,
        Some("DELETED") => EventKind::ArtifactDeleted,
        _ => return other("The image was neither pushed nor deleted"),
    };
    let Some(name) = json::text(payload, "/component/name") else {
        return other("The image has no name");
    };
    let mut event = request.event(kind, name);
    event.tag = json::text(payload, "/component/version").map(str::to_owned);
    event.pushed_at = payload.get("timestamp").and_then(time::parse);
    // Written `user/address`.
    let initiator = json::text(payload, "/initiator").and_then(|text| text.split('/').next());
    event.pusher = initiator.filter(|user| !user.is_empty()).map(str::to_owned);
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &NEXUS,
            &[
                "component: artifact.pushed myorg/myapp:v1.2.0 by deployer at 2024-01-01T00:00:00Z",
                "npm: ignored: The event is not about an image",
            ],
        );
    }
}
