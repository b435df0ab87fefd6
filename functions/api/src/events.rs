//! Domain events: published by the orchestrator, looked up by people.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stella::app::outbound::{events, publish};
use stella::domain::outbound::event::Event;
use stella::domain::outbound::event_type::EventType;
use stella::domain::shared::ids::EventId;
use stella::domain::shared::time::timestamp;
use stella::error::Error;
use stella::web::authenticator::{Publisher, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::{says, text};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Events")
        .get(
            "/events",
            list,
            says("listEvents", "Events, newest first")
                .lists("Event")
                .filtered_by("event", text, "Of this type.")
                .within_a_span(),
        )
        .post(
            "/events",
            create,
            says("publishEvent", "Publishes an event; every subscription that wants it gets a delivery")
                .takes(publish::read)
                .for_example(example)
                .gives(202, "PublishedEvent"),
        )
        .get("/events/{id}", show, says("getEvent", "An event, with its deliveries").gives(200, "Event"))
}

fn example() -> Value {
    let kind = EventType::DeploymentCompleted;
    json!({"event": kind.name(), "data": kind.example()})
}

async fn create(
    State(api): State<Arc<Api>>,
    Publisher(caller): Publisher,
    new: New,
) -> Result<Response, Error> {
    let publication = publish::parse(&new.wanted)?;
    let act = async |id| {
        let (event, duplicate) =
            publish::publish(&api.store, caller.tenant, EventId::from(id), &publication).await?;
        let data = json!({
            "id": event.id, "event": event.event, "timestamp": timestamp(event.timestamp),
            "duplicate": duplicate,
        });
        Ok(Made { status: StatusCode::ACCEPTED, data, shows_secret: false })
    };
    api.creation(caller.tenant, "POST /events", &new).run(act).await
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    query: ListQuery,
) -> Result<Response, Error> {
    let event: Option<EventType> = ListQuery::choice("event", query.event.as_deref())?;
    let span = query.span()?;
    let keep =
        |found: &Event| event.is_none_or(|event| event == found.event) && span.contains(found.timestamp);
    let found = events::list(&api.store, caller.tenant, &query.page()?, api.clock.now(), keep).await?;
    page(&found, Event::view)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let event = events::show(&api.store, caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &event))
}
