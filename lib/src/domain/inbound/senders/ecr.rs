//! Amazon's container registry, by EventBridge.

use super::{Found, Reading, SenderRequest, digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let delivery_id = json::text(delivery.payload, "/id").map(str::to_owned);
    Reading { delivery_id, found: found(delivery) }
}

fn found(delivery: &SenderRequest<'_>) -> Found {
    let payload = delivery.payload;
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    if json::text(payload, "/detail-type") != Some("ECR Image Action") {
        return other("EventBridge's event is no image action of ECR");
    }
    if json::text(payload, "/detail/result") != Some("SUCCESS") {
        return other("The image action failed");
    }
    let kind = match json::text(payload, "/detail/action-type") {
        Some("PUSH") => EventKind::ArtifactPushed,
        Some("DELETE") => EventKind::ArtifactDeleted,
        _ => return other("The image action is neither a push nor a deletion"),
    };
    let Some(name) = json::text(payload, "/detail/repository-name") else {
        return other("The event names no repository");
    };
    let mut event = delivery.event(kind, name);
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
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/ecr/push.json"),
                WebhookType::RegistryPush,
                Provider::Ecr,
                vec![
                    "artifact.pushed 123456789012.dkr.ecr.eu-central-1.amazonaws.com/myorg/myapp:v1.2.0@sha256:abababababababababababababababababababababababababababababababab at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/ecr/push-untagged.json"),
                WebhookType::RegistryPush,
                Provider::Ecr,
                vec![
                    "artifact.pushed 123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/myorg/myapp@sha256:abababababababababababababababababababababababababababababababab at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/ecr/failed.json"),
                WebhookType::RegistryPush,
                Provider::Ecr,
                vec!["nothing: The image action failed"],
            ),
            (
                include_str!("../../../../../events/inbound/ecr/scan.json"),
                WebhookType::RegistryPush,
                Provider::Ecr,
                vec!["nothing: EventBridge's event is no image action of ECR"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
