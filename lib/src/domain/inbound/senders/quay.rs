//! Quay: pushes of one or more tags, without a digest or a time. Its test button sends tags that do not exist.

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
        return Reading::ignored("Quay's notification is not about a push");
    };
    let (host, name) = located(payload);
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

/// Host and name. A host need not look like one if the body has the name by itself too.
fn located(payload: &Value) -> (Option<&str>, &str) {
    let repository = json::text(payload, "/repository").unwrap_or_default();
    let Some(pulled) = json::text(payload, "/docker_url").map(reference::bare) else {
        return (None, repository);
    };
    let host = pulled.strip_suffix(repository).and_then(|start| start.strip_suffix('/'));
    match host.filter(|host| !host.is_empty() && !host.contains('/') && !repository.is_empty()) {
        Some(host) => (Some(host), repository),
        None => reference::split_host(pulled),
    }
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
                "push-self-hosted: artifact.pushed quaycorp/team/app:v1.2.0",
                "build: ignored: Quay's notification is not about a push",
            ],
        );
    }
}
