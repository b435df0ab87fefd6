//! Whether the service is there, what it is, and which types of events there are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stella::domain::event_type::EventType;
use stella::web::caller::Viewer;
use stella::web::data;

use crate::Api;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/health", health).get("/meta", meta).get("/event-types", event_types)
}

async fn health() -> Response {
    data(StatusCode::OK, &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

async fn meta(State(api): State<Arc<Api>>) -> Response {
    let meta = json!({"version": env!("CARGO_PKG_VERSION"), "egressAddresses": api.egress_addresses});
    data(StatusCode::OK, &meta)
}

async fn event_types(_: Viewer) -> Response {
    let types: Vec<Value> = EventType::ALL
        .iter()
        .map(|kind| {
            json!({
                "name": kind.name(),
                "description": kind.description(),
                "operational": kind.is_operational(),
                "schema": kind.schema(),
                "example": kind.example(),
            })
        })
        .collect();
    data(StatusCode::OK, &Value::Array(types))
}
