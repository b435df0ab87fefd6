//! Sonatype Nexus 3: components of hosted and proxied repositories, never with a digest.

use super::{Found, Reading, SenderRequest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = delivery.header("x-nexus-webhook-delivery").map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
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
    let mut event = delivery.event(kind, name);
    event.tag = json::text(payload, "/component/version").map(str::to_owned);
    event.pushed_at = payload.get("timestamp").and_then(time::parse);
    // Written `user/address`.
    let initiator = json::text(payload, "/initiator").and_then(|text| text.split('/').next());
    event.pusher = initiator.filter(|user| !user.is_empty()).map(str::to_owned);
    Found::Events(vec![event])
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/nexus/component.json"),
                WebhookType::RegistryPush,
                Provider::Nexus,
                vec!["artifact.pushed myorg/myapp:v1.2.0 by deployer at 2024-01-01T00:00:00Z"],
            ),
            (
                include_str!("../../../../../events/inbound/nexus/npm.json"),
                WebhookType::RegistryPush,
                Provider::Nexus,
                vec!["nothing: The event is not about an image"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
