//! Publishes an event: one write, which is the outbox as well.
//!
//! Safe to run twice: the caller gives the event's id, and the second write finds the first event.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_type::EventType;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::error::{Code, Error, Kind};
use crate::store::{Created, Store, keys};

/// An event that a caller publishes.
#[derive(Debug)]
pub struct Publication {
    event: EventType,
    timestamp: Option<DateTime<Utc>>,
    data: Value,
}

/// Reads a publication from a request's body.
///
/// # Errors
/// `Unprocessable` with every mistake; `TooLarge` if the data is.
pub fn parse(body: &Value) -> Result<Publication, Error> {
    let publication = ObjectReader::whole(body, read)?;
    if publication.data.to_string().len() > crate::domain::outbound::event::MAX_DATA {
        return Err(Error::new(Kind::TooLarge, Code::DataTooLarge, "data has at most 256 KiB"));
    }
    Ok(publication)
}

/// Reads the members of a publication.
pub fn read(fields: &mut ObjectReader<'_>) -> Option<Publication> {
    fields.describe("event", "The event's type.");
    fields.describe("timestamp", "When it happened. Default: now.");
    fields.describe(
        "data",
        "What the event carries, by the JSON Schema of its type (`GET /event-types`); at most 256 KiB.",
    );
    fields.require("event");
    let event = fields.one_of("event", &EventType::published());
    let timestamp = fields.time("timestamp");
    fields.require("data");
    let data = fields.value("data").cloned().unwrap_or(Value::Null);
    if let Some(mistake) = crate::domain::outbound::event::too_deep(&data) {
        fields.wrong("data", mistake);
    }
    if let Some(event) = event
        && !data.is_null()
    {
        for mistake in event.check(&data) {
            fields.wrong(&mistake.field, mistake.message);
        }
    }
    Some(Publication { event: event?, timestamp, data })
}

/// Stores the event. Also returns whether it was stored before.
///
/// # Errors
/// `Unavailable` if the event could not be stored; then it is not published.
pub async fn publish(
    store: &Store,
    tenant: TenantId,
    id: EventId,
    publication: &Publication,
) -> Result<(Event, bool), Error> {
    let timestamp = publication.timestamp.unwrap_or_else(|| id.time());
    let event = Event::new(id, tenant, publication.event, timestamp, &publication.data);
    store.record_event_day(tenant, id.time().date_naive()).await?;
    match store.core.create(&keys::event(tenant, id), &event).await? {
        Created::Now => Ok((event, false)),
        Created::Before(stored) => Ok((stored, true)),
    }
}
