//! Whether the service is there, what it is, and which senders and types of events it knows.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stella::domain::inbound::sender_view::SenderView;
use stella::domain::inbound::senders::SENDERS;
use stella::domain::outbound::event_type::EventType;
use stella::error::Error;
use stella::web::authenticator::Viewer;
use stella::web::data;

use crate::Api;
use crate::openapi::operation::says;
use crate::openapi::shapes;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Operation")
        .get("/health", health, says("getHealth", "Whether the service is there").gives(200, "Health"))
        .get(
            "/meta",
            meta,
            says("getMeta", "Which version it is, and where deliveries come from").gives(200, "Meta"),
        )
        .merge(
            Routes::about("Webhook configs").get(
                "/senders",
                senders,
                says("listSenders", "Every known sender, with how it authenticates and is set up")
                    .gives_data(|| json!({"type": "array", "items": shapes::named("Sender")})),
            ),
        )
        .merge(
            Routes::about("Events").get(
                "/event-types",
                event_types,
                says("listEventTypes", "Every type of event, with its schema and an example")
                    .gives_data(|| json!({"type": "array", "items": shapes::named("EventType")})),
            ),
        )
}

async fn health() -> Response {
    data(StatusCode::OK, &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

async fn meta(State(api): State<Arc<Api>>) -> Response {
    let meta = json!({"version": env!("CARGO_PKG_VERSION"), "egressAddresses": api.egress_addresses});
    data(StatusCode::OK, &meta)
}

async fn senders(_: Viewer) -> Result<Response, Error> {
    let senders: Vec<SenderView> = SENDERS.iter().map(|sender| SenderView::from(*sender)).collect();
    let senders = serde_json::to_value(senders).map_err(|_| Error::fault("the senders are not JSON"))?;
    Ok(data(StatusCode::OK, &senders))
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
