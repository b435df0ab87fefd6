//! Google's Artifact Registry, by a Pub/Sub push subscription: wrapped, or as the bare message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Found, Reading, SenderRequest, digest, reference, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let payload = delivery.payload;
    if let Some(data) = json::text(payload, "/message/data") {
        let inner = STANDARD.decode(data).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(inner) = inner else {
            return Reading::ignored("The message's data is not JSON in base64");
        };
        let id =
            json::text(payload, "/message/messageId").or_else(|| json::text(payload, "/message/message_id"));
        let published = payload.pointer("/message/publishTime");
        return Reading { delivery_id: id.map(str::to_owned), found: found(delivery, &inner, published) };
    }
    Reading { delivery_id: None, found: found(delivery, payload, None) }
}

fn found(delivery: &SenderRequest<'_>, message: &Value, published: Option<&Value>) -> Found {
    let other = |reason: &str| Found::Ignored(reason.to_owned());
    let kind = match json::text(message, "/action") {
        Some("INSERT") => EventKind::ArtifactPushed,
        Some("DELETE") => EventKind::ArtifactDeleted,
        _ => return other("The message tells of no image"),
    };
    let (tagged, digested) = (json::text(message, "/tag"), json::text(message, "/digest"));
    let Some(name) = tagged.or(digested).map(reference::bare) else {
        return other("The message names no image");
    };
    let (host, name) = reference::split_host(name);
    let mut event = delivery.event(kind, name);
    event.registry = host.map(str::to_owned);
    event.tag = tagged.and_then(|tagged| tagged.rsplit_once(':')).map(|(_, tag)| tag.to_owned());
    digest::note(
        &mut event,
        digested.and_then(|digested| digested.split_once('@')).map(|(_, digest)| digest),
    );
    event.pushed_at = published.and_then(time::parse);
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
                include_str!("../../../../../events/inbound/gar/push.json"),
                WebhookType::RegistryPush,
                Provider::Gar,
                vec![
                    "artifact.pushed europe-docker.pkg.dev/proj/repo/myapp:v1.2.0@sha256:abababababababababababababababababababababababababababababababab at 2024-01-01T00:00:00Z",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gar/unwrapped.json"),
                WebhookType::RegistryPush,
                Provider::Gar,
                vec![
                    "artifact.pushed europe-docker.pkg.dev/proj/repo/myapp@sha256:abababababababababababababababababababababababababababababababab",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/gar/not-base64.json"),
                WebhookType::RegistryPush,
                Provider::Gar,
                vec!["nothing: The message's data is not JSON in base64"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
