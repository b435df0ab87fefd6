//! Health, version, and the lists of senders and of event types.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use stella::domain::inbound::sender_view::SenderView;
use stella::domain::inbound::senders::SENDERS;
use stella::domain::outbound::event_type::{EventType, EventTypeView};
use stella::web::authenticator::Viewer;
use stella::web::data;

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Operation")
        .get(
            "/health",
            health,
            operation("getHealth", "Show the health", "Answers 200 while the API runs. Needs no key.")
                .returns::<Health>(200),
        )
        .get(
            "/meta",
            meta,
            operation(
                "getMeta",
                "Show version and addresses",
                "Returns the version, and the IP addresses that deliveries are sent from. Needs no key.",
            )
            .returns::<Meta>(200),
        )
        .merge(
            Routes::about("Webhook configs").get(
                "/senders",
                senders,
                operation(
                    "listSenders",
                    "List senders",
                    "Returns every known sender, with how it authenticates and how it is set up.",
                )
                .returns::<Vec<SenderView>>(200),
            ),
        )
        .merge(
            Routes::about("Events").get(
                "/event-types",
                event_types,
                operation(
                    "listEventTypes",
                    "List event types",
                    "Returns every type of domain event, with the JSON Schema of its data and an example.",
                )
                .returns::<Vec<EventTypeView>>(200),
            ),
        )
}

/// The answer of a service that runs.
#[derive(Serialize, JsonSchema)]
struct Health {
    /// Always `ok`.
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
    /// The version of the service.
    version: &'static str,
}

/// What the service is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Meta {
    /// The version of the service.
    version: &'static str,
    /// The IP addresses that deliveries are sent from, if they are fixed.
    egress_addresses: Vec<String>,
}

async fn health() -> Response {
    data(StatusCode::OK, &Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

async fn meta(State(api): State<Arc<Api>>) -> Response {
    let egress_addresses = api.egress_addresses.clone();
    data(StatusCode::OK, &Meta { version: env!("CARGO_PKG_VERSION"), egress_addresses })
}

async fn senders(_: Viewer) -> Response {
    let senders: Vec<SenderView> = SENDERS.iter().map(|sender| SenderView::from(*sender)).collect();
    data(StatusCode::OK, &senders)
}

async fn event_types(_: Viewer) -> Response {
    let types: Vec<EventTypeView> = EventType::ALL.iter().map(|kind| kind.view()).collect();
    data(StatusCode::OK, &types)
}
