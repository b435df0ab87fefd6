//! Quay: a push of one or more tags, never with a digest or a time. Its test button tells of tags that do
//! not exist.

use serde_json::Value;

use super::preset::Preset;
use super::reference;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::EventKind;
use crate::domain::inbound::webhook_type::WebhookType;

/// Quay.
pub(super) static QUAY: Sender = Sender {
    name: "quay",
    provider: "quay",
    title: "Quay",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::UrlToken,
    alternatives: &[],
    recognises: Some(|body| has(body, "/updated_tags")),
    read,
    results: USUAL,
    time_is_push: false,
    replay_protection: ReplayProtection::Body,
    page: page!("quay"),
    examples: &[example!("quay", "push")],
};

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    let Some(tags) = payload.get("updated_tags").and_then(Value::as_array) else {
        return Reading::ignored("Quay's notification tells of no push");
    };
    let (host, name) =
        json::text(payload, "/docker_url").map(reference::bare).map_or((None, ""), reference::split_host);
    let name = if name.is_empty() { json::text(payload, "/repository").unwrap_or_default() } else { name };
    let url = json::url(payload, "/homepage");
    let events = tags.iter().filter_map(Value::as_str).filter(|tag| !tag.is_empty()).map(|tag| {
        let mut event = request.event(EventKind::ArtifactPushed, name);
        event.registry = host.map(str::to_owned);
        event.tag = Some(tag.to_owned());
        event.url.clone_from(&url);
        event
    });
    Reading { delivery_id: None, found: Found::Events(events.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &QUAY,
            &[
                "push: artifact.pushed quay.io/myorg/myapp:v1.2.0",
                "push: artifact.pushed quay.io/myorg/myapp:latest",
                "build: ignored: Quay's notification tells of no push",
            ],
        );
    }
}
