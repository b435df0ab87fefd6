//! Quay: a push of one or more tags, never with a digest or a time. Its test button tells of tags that do
//! not exist.

use serde_json::Value;

use super::{Found, Reading, SenderRequest, reference};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;

pub(super) fn read(delivery: &SenderRequest<'_>) -> Reading {
    let payload = delivery.payload;
    let Some(tags) = payload.get("updated_tags").and_then(Value::as_array) else {
        return Reading::ignored("Quay's notification tells of no push");
    };
    let (host, name) =
        json::text(payload, "/docker_url").map(reference::bare).map_or((None, ""), reference::split_host);
    let name = if name.is_empty() { json::text(payload, "/repository").unwrap_or_default() } else { name };
    let url = json::url(payload, "/homepage");
    let events = tags.iter().filter_map(Value::as_str).filter(|tag| !tag.is_empty()).map(|tag| {
        let mut event = delivery.event(EventKind::ArtifactPushed, name);
        event.registry = host.map(str::to_owned);
        event.tag = Some(tag.to_owned());
        event.url.clone_from(&url);
        event
    });
    Reading { delivery_id: None, found: Found::Events(events.collect()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::lines;
    use crate::domain::inbound::provider::{Provider, WebhookType};

    #[test]
    fn each_of_its_bodies_says_what_it_should() {
        for (body, webhook_type, provider, expected) in [
            (
                include_str!("../../../../../events/inbound/quay/push.json"),
                WebhookType::RegistryPush,
                Provider::Quay,
                vec![
                    "artifact.pushed quay.io/myorg/myapp:v1.2.0",
                    "artifact.pushed quay.io/myorg/myapp:latest",
                ],
            ),
            (
                include_str!("../../../../../events/inbound/quay/build.json"),
                WebhookType::RegistryPush,
                Provider::Quay,
                vec!["nothing: Quay's notification tells of no push"],
            ),
        ] {
            assert_eq!(lines(webhook_type, provider, body), expected, "{body}");
        }
    }
}
