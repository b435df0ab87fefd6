//! A domain event as callers see it.

use serde::Serialize;
use serde_json::Value;

use super::delivery::Status;
use super::event::Event;
use super::event_type::EventType;
use super::fan_out::FanOutView;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, SubscriptionId, TenantId};
use crate::domain::shared::time::Timestamp;

/// A domain event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Event"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// The event's id.
    pub id: EventId,
    /// The event's type.
    pub event: EventType,
    /// When it happened, as its publisher says.
    pub timestamp: Timestamp,
    /// The tenant that the event belongs to.
    pub tenant_id: TenantId,
    /// What the event carries, by the JSON Schema of its type.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, Value>"))]
    pub data: Value,
    /// The deliveries of the event, at most 1 000. Of one event, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Vec<EventDelivery>>,
    /// How many deliveries the event has beyond those in `deliveries`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub more_deliveries: Option<usize>,
    /// Whether the deliveries have been started. Of one event, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<FanOutView>,
    /// Whether `fanOut` is `done` or `failed`. Of one event, not in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fanned_out: Option<bool>,
}

/// A delivery of an event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDelivery {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The subscription that it goes to.
    pub subscription_id: SubscriptionId,
    /// The delivery's state.
    pub status: Status,
    /// How many attempts were made.
    pub attempts: u32,
}

/// The answer to a request that publishes an event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedEvent {
    /// The event's id.
    pub id: EventId,
    /// The event's type.
    pub event: EventType,
    /// When it happened.
    pub timestamp: Timestamp,
    /// Whether the event was published before, with the same `Idempotency-Key`.
    pub duplicate: bool,
}

impl Event {
    /// The event as callers see it, without its deliveries.
    #[must_use]
    pub fn view(&self) -> EventView {
        EventView {
            id: self.id,
            event: self.event,
            timestamp: Timestamp(self.timestamp),
            tenant_id: self.tenant_id,
            data: self.parsed_data(),
            deliveries: None,
            more_deliveries: None,
            fan_out: None,
            fanned_out: None,
        }
    }
}
