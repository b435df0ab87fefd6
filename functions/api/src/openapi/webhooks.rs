//! What is not behind an API key: what senders post to us, and what we post to subscribers.

use serde_json::{Map, Value, json};
use stella::domain::inbound::config::WebhookType;
use stella::domain::outbound::event_type::EventType;

use super::operation::{Failure, Operation, says, text};
use super::shapes;

/// The paths of the function `inbound`, below `/api/v1`.
pub(crate) fn inbound() -> Map<String, Value> {
    let paths = [
        (
            "/webhooks/{type}/{integrationId}",
            ["receiveWebhook", "askForConsent"],
            vec!["type", "integrationId"],
        ),
        (
            "/webhooks/{type}/{integrationId}/{token}",
            ["receiveWebhookWithToken", "askForConsentWithToken"],
            vec!["type", "integrationId", "token"],
        ),
    ];
    let path = |(path, [receive, consent], places): (&str, [&'static str; 2], Vec<&str>)| {
        let mut methods = json!({"post": posted(receive).document("Webhooks", "", false),
            "options": handshake(consent).document("Webhooks", "", false)});
        methods["post"]["requestBody"] = json!({"required": true, "content": {
            "application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {"type": "object"}}}});
        methods["parameters"] = places.into_iter().map(place).collect();
        (path.to_owned(), methods)
    };
    paths.into_iter().map(path).collect()
}

fn place(name: &str) -> Value {
    let types: Vec<&str> = WebhookType::ALL.iter().map(|(_, kind)| kind.segment()).collect();
    let schema = match name {
        "type" => json!({"type": "string", "enum": types}),
        "token" => text(),
        _ => shapes::named("Id"),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn posted(id: &'static str) -> Operation {
    let summary = "What a registry, CI system or code host posts. How it proves itself is its config's";
    let mut operation =
        says(id, summary).gives_as_it_is(200, shapes::answer).gives_as_it_is(202, || shapes::named("Answer"));
    operation.asks("token", text, "The token, where the path has no room for it.");
    operation.fails(&[
        Failure::Invalid,
        Failure::Unauthenticated,
        Failure::NotFound,
        Failure::TooLarge,
        Failure::MediaType,
        Failure::Limited,
        Failure::Ours,
    ]);
    operation
}

fn handshake(id: &'static str) -> Operation {
    let mut operation = says(id, "CloudEvents' way to ask for consent").gives_nothing(200);
    operation.needs_header("WebHook-Request-Origin", "Who is going to post.");
    operation.asks("token", text, "The token, where the path has no room for it.");
    operation.fails(&[
        Failure::Invalid,
        Failure::Unauthenticated,
        Failure::NotFound,
        Failure::Limited,
        Failure::Ours,
    ]);
    operation
}

/// What subscribers get, by the type of the event.
pub(crate) fn outbound() -> Map<String, Value> {
    EventType::ALL.iter().map(|kind| (kind.name().to_owned(), json!({"post": delivered(*kind)}))).collect()
}

fn delivered(kind: EventType) -> Value {
    let header = |(name, description): (&str, &str)| json!({"name": name, "in": "header", "schema": text(), "description": description});
    let headers = [
        ("X-Stella-Event", "The event's type."),
        ("X-Stella-Delivery", "The delivery's id, the same on every attempt."),
        ("X-Stella-Timestamp", "When this attempt was signed."),
        ("X-Stella-Attempt", "From 1."),
        (
            "X-Stella-Lineage",
            "How many hops the event has come, signed by this deployment: hand it on with what you post back in.",
        ),
        ("X-Stella-Signature", "Hex HMAC-SHA256 of the exact body under the secret's text."),
        ("X-Stella-Signature-Previous", "The same under the old secret, while it is being rotated."),
        ("webhook-id", "The delivery's id, as Standard Webhooks has it."),
        ("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
        ("webhook-signature", "`v1,` and a base64 signature, or several with spaces between."),
    ];
    let body = json!({
        "type": "object",
        "required": ["id", "timestamp", "event", "tenantId", "data"],
        "properties": {
            "id": {"$ref": "#/components/schemas/Id", "description": "The delivery's: de-duplicate by it."},
            "timestamp": {"$ref": "#/components/schemas/Time", "description": "When this attempt was signed."},
            "event": {"const": kind.name()},
            "tenantId": shapes::named("Id"),
            "data": kind.schema(),
        },
    });
    json!({
        "operationId": kind.name(),
        "summary": kind.description(),
        "tags": ["Deliveries to subscribers"],
        "security": [],
        "parameters": headers.map(header),
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "4XX": {"description": "Refused for good, except 408, 425 and 429; 410 disables the subscription."},
            "default": {"description": "Tried again by the subscription's policy."},
        },
    })
}
