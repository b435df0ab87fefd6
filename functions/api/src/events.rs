//! Domain events: published by the orchestrator, and shown to people.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stella::app::outbound::{events, publish};
use stella::domain::outbound::event::Event;
use stella::domain::outbound::event_type::EventType;
use stella::domain::outbound::event_view::{EventView, PublishedEvent};
use stella::domain::shared::ids::EventId;
use stella::domain::shared::time::Timestamp;
use stella::error::Error;
use stella::web::authenticator::{Publisher, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::operation;
use crate::openapi::shapes;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Events")
        .get(
            "/events",
            list,
            operation("listEvents", "List events", "Returns the domain events of the tenant, newest first.")
                .lists::<EventView>()
                .filtered_by("event", shapes::of::<EventType>, "Only events of this type.")
                .within_a_period(),
        )
        .post(
            "/events",
            create,
            operation(
                "publishEvent",
                "Publish an event",
                "Stores a domain event. Every subscription that selects it gets a delivery.",
            )
            .takes(publish::read)
            .with_example(example)
            .returns::<PublishedEvent>(202),
        )
        .get(
            "/events/{id}",
            show,
            operation("getEvent", "Show an event", "Returns one domain event with its deliveries.")
                .returns::<EventView>(200),
        )
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
        let (id, event, timestamp) = (event.id, event.event, Timestamp(event.timestamp));
        let data = PublishedEvent { id, event, timestamp, duplicate };
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
