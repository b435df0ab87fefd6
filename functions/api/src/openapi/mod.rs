//! The OpenAPI document, put together from the handlers: who may call and what is read from their arguments, the
//! members of bodies from what reads them. A test holds every answer of the whole suite to it.

#![expect(
    clippy::indexing_slicing,
    reason = "JSON that is not there reads as null, and what is written to is an object"
)]

pub(crate) mod arguments;
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

/// What the operations are about, in the order of a reader's interest.
const TAGS: [(&str, &str); 10] = [
    ("Webhooks", "What senders post to us."),
    (
        "Webhook configs",
        "Who may tell us what, and how they prove themselves; and the log of what they told.",
    ),
    ("Components", "What is released, from which repositories, by which triggers; and the version map."),
    ("Releases", "What triggers made."),
    ("Events", "What happened, published by the orchestrator and by us."),
    ("Subscriptions", "Who is told of what, where, and how hard we try."),
    ("Deliveries", "What went to a subscriber, attempt by attempt; and once more."),
    ("Tenants and keys", "Who may call."),
    ("Operation", "Whether the service is there, and what it could not handle."),
    ("Deliveries to subscribers", "What we post to a subscription's address, by the type of the event."),
];

/// The document about these routes.
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
            "description": "Inbound: registries, CI systems and code hosts post; versions and releases come of it. \
                Outbound: domain events go to subscribers as signed requests.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "webhooks": webhooks::outbound(),
        "components": {
            "schemas": shapes::all(),
            "securitySchemes": {
                "apiKey": key("A tenant's key, `stk_<id>_<secret>`, or its issuer's token. Each role (`viewer`, \
                    `publisher`, `admin`) may do what the ones before it may."),
                "operatorKey": key("The operator's key, `stk_operator_<secret>`."),
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                    "description": "Somebody signed in at the portal. Everything but reads needs the session's \
                        `csrfToken` as `X-CSRF-Token`."},
            },
        },
    })
}

static JSON: LazyLock<String> = LazyLock::new(|| crate::openapi().to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| page::page(&crate::openapi()));

/// `/openapi.json`, and the same for people at `/docs`. Neither needs a key: there is nothing of a tenant in them.
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
    #[test]
    fn the_document_changes_only_where_somebody_means_it_to() {
        insta::assert_json_snapshot!("openapi", crate::openapi());
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
