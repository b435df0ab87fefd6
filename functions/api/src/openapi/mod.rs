//! The OpenAPI document, derived from the handlers: callers and parameters from their arguments, the members
//! of bodies from their readers, the schemas of answers from the types that are serialised. The clients of
//! the end-to-end tests check every exchange against it.

#![expect(
    clippy::indexing_slicing,
    reason = "JSON that is not there reads as null, and what is written to is an object"
)]

pub(crate) mod arguments;
mod examples;
pub(crate) mod operation;
mod page;
pub(crate) mod shapes;
mod webhooks;

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};
use stella::web::authenticator::COOKIE;

use crate::routes::Route;

/// The tags, in the order in which they are shown.
const TAGS: [(&str, &str); 11] = [
    ("Webhooks", "The addresses that senders post to: registries, CI systems and code hosts."),
    (
        "Webhook configs",
        "Which senders may post, and how they authenticate; and the log of what they posted.",
    ),
    ("Components", "What is released, from which repositories, by which triggers; and the versions."),
    ("Releases", "The releases that triggers created."),
    ("Events", "Domain events: published by the orchestrator, or raised by this service."),
    ("Subscriptions", "Which events are delivered to which endpoint, and the retry policy."),
    ("Deliveries", "The delivery log, with every attempt; redelivery, recovery, and pull."),
    ("Portal", "Links to the portal, its sessions, and the overview of its first page."),
    ("Tenants and keys", "Tenants and the API keys of their callers."),
    ("Operation", "Health, version, dead letters, and keys of encryption."),
    ("Deliveries to subscribers", "The requests that subscribers receive, by the type of the event."),
];

/// The document for these routes.
pub(crate) fn document(routes: &[Route]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let inbound = webhooks::inbound();
    for (path, methods) in inbound {
        paths.insert(format!("/api/v1{path}"), methods);
    }
    for route in routes {
        let methods = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        let is_patch = method == "patch";
        methods[method] = route.operation.document(route.tag, route.path, is_patch);
    }
    let tags: Vec<Value> =
        TAGS.iter().map(|(name, text)| json!({"name": name, "description": text})).collect();
    let key = |text: &str| json!({"type": "http", "scheme": "bearer", "description": text});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stella Webhooks",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Inbound: registries, CI systems and code hosts post events, which become versions and releases. \
                Outbound: domain events are delivered to subscribers as signed requests.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "webhooks": webhooks::outbound(),
        "components": {
            "schemas": shapes::all(),
            "securitySchemes": {
                "apiKey": key("A tenant's API key, `stk_<id>_<secret>`, or a token of the deployment's issuer. Each \
                    role (`viewer`, `publisher`, `admin`) may do what the ones before it may."),
                "operatorKey": key("The operator's key, `stk_operator_<secret>`."),
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                    "description": "A session of the portal. Requests other than reads need the session's \
                        `csrfToken` as `X-CSRF-Token`."},
            },
        },
    })
}

static JSON: LazyLock<String> = LazyLock::new(|| crate::openapi().to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| page::page(&crate::openapi()));

/// Serves the document at `/openapi.json`, and as a page for people at `/docs`. Neither needs a key, because
/// neither contains a tenant's data.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/openapi.json", get(|| async { public("application/json", &JSON) }))
        .route("/docs", get(|| async { public("text/html; charset=utf-8", &PAGE) }))
}

fn public(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "public, max-age=300"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ];
    (headers, text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    /// The document in parts: each operation, each schema, and the rest.
    fn parts() -> Vec<(String, Value)> {
        let mut document = crate::openapi();
        let mut parts = Vec::new();
        for places in ["paths", "webhooks"] {
            for (path, methods) in document[places].as_object_mut().unwrap() {
                for (method, operation) in methods.as_object_mut().unwrap() {
                    if let Some(id) = operation.get("operationId").and_then(Value::as_str).map(str::to_owned)
                    {
                        let part = json!({"path": path, "method": method, "operation": operation.take()});
                        parts.push((format!("operation-{id}"), part));
                    }
                }
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object_mut().unwrap() {
            parts.push((format!("schema-{name}"), schema.take()));
        }
        parts.push(("document".to_owned(), document));
        parts
    }

    #[test]
    fn the_document_equals_its_snapshots() {
        let parts = parts();
        let names: BTreeSet<&String> = parts.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), parts.len(), "two parts have one name");
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            for (name, part) in &parts {
                insta::assert_json_snapshot!(name.as_str(), part);
            }
        });
    }

    #[test]
    fn every_tag_is_described_and_used() {
        let document = crate::openapi();
        let tags: BTreeSet<&str> =
            document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        let places =
            ["paths", "webhooks"].into_iter().flat_map(|places| document[places].as_object().unwrap());
        let operations = places.flat_map(|(_, methods)| methods.as_object().unwrap().values());
        let used: BTreeSet<&str> = operations.filter_map(|operation| operation["tags"][0].as_str()).collect();
        assert_eq!(used, tags);
    }

    #[test]
    fn every_operation_has_a_summary_a_description_and_an_example_where_it_has_a_body() {
        let document = crate::openapi();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in
                methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
            {
                for words in ["summary", "description"] {
                    assert!(
                        operation[words].as_str().is_some_and(|text| !text.is_empty()),
                        "{method} {path}"
                    );
                }
                assert!(!operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
                assert!(operation["description"].as_str().unwrap().ends_with('.'), "{method} {path}");
                let bodies = [&operation["requestBody"]].into_iter();
                let answers = operation["responses"].as_object().unwrap().iter();
                let answers = answers.filter(|(status, _)| status.starts_with('2')).map(|(_, answer)| answer);
                for body in bodies.chain(answers) {
                    for media in body["content"].as_object().into_iter().flat_map(serde_json::Map::values) {
                        assert!(media.get("example").is_some(), "{method} {path}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_page_has_every_operation_and_every_shape_that_it_links_to() {
        let page = super::page::page(&crate::openapi());
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
        }
        for asks_for_more in ["href=\"http", "src=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(asks_for_more), "{asks_for_more}");
        }
    }
}
