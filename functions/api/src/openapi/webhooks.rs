//! The operations without an API key: what senders post to us, and what we post to subscribers.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use stella::domain::inbound::answer_view::{AnswerBody, AnswerView};
use stella::domain::inbound::config::WebhookType;
use stella::domain::outbound::event_type::EventType;

use super::examples;
use super::operation::{Failure, Operation, operation, text};
use super::shapes;

/// Adds the schemas of the answers to senders.
pub(crate) fn collect(generator: &mut SchemaGenerator) {
    posted("receiveWebhook").collect(generator);
}

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
            "application/json": {"schema": {}, "example": {"push_data": {"tag": "v1.2.0"},
                "repository": {"repo_name": "myorg/myapp"}}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"},
                "example": {"payload": "{\"ref\":\"refs/tags/v1.2.0\"}"}}}});
        methods["post"]["responses"]["413"]["description"] = json!("The body is larger than 4 MiB.");
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
    let mut operation = operation(
        id,
        "Receive a webhook",
        "The address that a registry, CI system or code host posts to. The webhook config decides how the sender \
         authenticates. Events that nobody is interested in are answered with 200 and `ignored`.",
    )
    .returns_bare::<AnswerBody>(200)
    .returns_bare::<AnswerView>(202);
    operation.query_parameter("token", text, "The token of the address, if it is not in the path.");
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
    let mut operation = operation(
        id,
        "Answer a CloudEvents handshake",
        "A CloudEvents sender asks for permission before it posts. The answer allows its origin.",
    )
    .returns_nothing(200);
    operation.needs_header("WebHook-Request-Origin", "The origin that is going to post.");
    operation.query_parameter("token", text, "The token of the address, if it is not in the path.");
    operation.fails(&[
        Failure::Invalid,
        Failure::Unauthenticated,
        Failure::NotFound,
        Failure::Limited,
        Failure::Ours,
    ]);
    operation
}

/// The requests that subscribers get, by event type.
pub(crate) fn outbound() -> Map<String, Value> {
    EventType::ALL.iter().map(|kind| (kind.name().to_owned(), json!({"post": delivered(*kind)}))).collect()
}

fn delivered(kind: EventType) -> Value {
    let header = |(name, description): (&str, &str)| json!({"name": name, "in": "header", "schema": text(), "description": description});
    let headers = [
        ("X-Stella-Event", "The event's type."),
        ("X-Stella-Delivery", "The delivery's id, the same on every attempt."),
        ("X-Stella-Timestamp", "When this attempt was signed."),
        ("X-Stella-Attempt", "The attempt's number, from 1."),
        (
            "X-Stella-Lineage",
            "How many hops the event has made, signed by this deployment. Pass it on with what you post back.",
        ),
        ("X-Stella-Signature", "HMAC-SHA256 of the exact body in hex; the key is the text of the secret."),
        ("X-Stella-Signature-Previous", "The same with the previous secret, while that is still valid."),
        ("webhook-id", "The delivery's id, as Standard Webhooks defines it."),
        ("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
        ("webhook-signature", "`v1,` and a signature in base64; several are separated by spaces."),
    ];
    let body = json!({
        "type": "object",
        "required": ["id", "timestamp", "event", "tenantId", "data"],
        "properties": {
            "id": {"$ref": "#/components/schemas/Id", "description": "The delivery's id, by which receivers recognise a repetition."},
            "timestamp": {"$ref": "#/components/schemas/Time", "description": "When this attempt was signed."},
            "event": {"const": kind.name()},
            "tenantId": {"$ref": "#/components/schemas/Id", "description": "The tenant that the event belongs to."},
            "data": kind.schema(),
        },
    });
    let mut example = examples::of("", &body);
    example["data"] = kind.example();
    json!({
        "operationId": kind.name(),
        "summary": format!("Deliver {}", kind.name()),
        "description": kind.description(),
        "tags": ["Deliveries to subscribers"],
        "security": [],
        "parameters": headers.map(header),
        "requestBody": {"required": true, "content": {"application/json": {"schema": body, "example": example}}},
        "responses": {
            "2XX": {"description": "Accepted."},
            "4XX": {"description": "Rejected: no further attempt, except after 408, 425 and 429. 410 also disables the subscription."},
            "default": {"description": "Repeated by the subscription's retry policy."},
        },
    })
}
