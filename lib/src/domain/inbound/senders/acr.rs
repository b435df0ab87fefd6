//! Azure Container Registry: its own webhooks, and Event Grid in both of its schemas.

use serde_json::Value;

use super::preset::Preset;
use super::results::USUAL;
use super::sender::{Found, Reading, ReplayProtection, Sender, SenderRequest, example, page};
use super::shape::has;
use super::{digest, time};
use crate::domain::inbound::json;
use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::inbound::webhook_type::WebhookType;

const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Azure Container Registry. The header is one that its webhook is configured to send.
pub(super) static ACR: Sender = Sender {
    name: "acr",
    provider: "acr",
    title: "Azure Container Registry",
    types: &[WebhookType::RegistryPush],
    authentication: Preset::Token("Authorization"),
    alternatives: &[],
    recognises: Some(recognises),
    read,
    results: USUAL,
    time_is_push: true,
    replay_protection: ReplayProtection::Time,
    page: page!("acr"),
    examples: &[example!("acr", "push")],
};

/// Its own webhooks, or the first event of Event Grid's, in either schema.
fn recognises(body: &Value) -> bool {
    let first = body.get(0).unwrap_or(body);
    let is_its = |kind: &str| kind.starts_with("Microsoft.ContainerRegistry.") || kind == VALIDATION;
    (has(body, "/target/repository") && has(body, "/action"))
        || (event_type(first).is_some_and(is_its) && has(first, "/data"))
}

/// The type of an event of Event Grid: `eventType` in its own schema, `type` in that of CloudEvents.
fn event_type(event: &Value) -> Option<&str> {
    json::text(event, "/eventType").or_else(|| json::text(event, "/type"))
}

fn read(request: &SenderRequest<'_>) -> Reading {
    let payload = request.payload;
    if let Some(action) = json::text(payload, "/action") {
        let delivery_id = json::text(payload, "/id").map(str::to_owned);
        let found = if action == "ping" { Found::Ping } else { one(event(request, action, payload)) };
        return Reading { delivery_id, found };
    }
    let events = match payload {
        Value::Array(events) => events.as_slice(),
        _ => std::slice::from_ref(payload),
    };
    if let Some(code) = events.iter().find_map(validation_code) {
        return Reading { delivery_id: None, found: Found::Handshake { validation_code: code.to_owned() } };
    }
    // A batch may have other events when it is sent again.
    let delivery_id = match events {
        [only] => json::text(only, "/id").map(str::to_owned),
        _ => None,
    };
    let mut other = "None of Event Grid's events is a push or a deletion".to_owned();
    let mut found = Vec::new();
    for grid in events {
        let data = grid.get("data").unwrap_or(&Value::Null);
        match event(request, json::text(data, "/action").unwrap_or_default(), data) {
            Ok(event) => found.push(event),
            Err(reason) => reason.clone_into(&mut other),
        }
    }
    let found = if found.is_empty() { Found::Ignored(other) } else { Found::Events(found) };
    Reading { delivery_id, found }
}

fn validation_code(event: &Value) -> Option<&str> {
    json::text(event, "/data/validationCode").filter(|_| event_type(event) == Some(VALIDATION))
}

fn one(event: Result<NormalisedEvent, &'static str>) -> Found {
    match event {
        Ok(event) => Found::Events(vec![event]),
        Err(reason) => Found::Ignored(reason.to_owned()),
    }
}

fn event(request: &SenderRequest<'_>, action: &str, data: &Value) -> Result<NormalisedEvent, &'static str> {
    let kind = match action {
        "push" => EventKind::ArtifactPushed,
        "delete" => EventKind::ArtifactDeleted,
        _ => return Err("The registry's action is neither a push nor a deletion of an image"),
    };
    if json::text(data, "/target/mediaType").is_some_and(|kind| kind.contains("helm")) {
        return Err("What was pushed is a chart");
    }
    let name = json::text(data, "/target/repository").ok_or("The event names no repository")?;
    let mut event = request.event(kind, name);
    event.registry = json::text(data, "/request/host").map(str::to_owned);
    event.tag = json::text(data, "/target/tag").map(str::to_owned);
    digest::note(&mut event, json::text(data, "/target/digest"));
    event.pushed_at = data.get("timestamp").and_then(time::parse);
    event.pusher = json::text(data, "/actor/name").map(str::to_owned);
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalise::tests::assert_bodies;

    #[test]
    fn example_bodies_normalise_to_these_events() {
        assert_bodies(
            &ACR,
            &[
                "push: artifact.pushed myregistry.azurecr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "ping: ping",
                "chart: ignored: The registry's action is neither a push nor a deletion of an image",
                "event-grid: artifact.pushed myregistry.azurecr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "event-grid: artifact.deleted myregistry.azurecr.io/myorg/myapp@sha256:abab at 2024-01-01T00:00:00Z",
                "event-grid-cloud-event: artifact.pushed myregistry.azurecr.io/myorg/myapp:v1.2.0@sha256:abab at 2024-01-01T00:00:00Z",
                "event-grid-validation: handshake code-1",
            ],
        );
    }
}
