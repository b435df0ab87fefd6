//! A domain event, and the body that carries it to a subscriber.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event_type::EventType;
use super::lineage;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::expression::{Document, MAX_DEPTH, is_deeper};
use crate::domain::shared::ids::{EventId, TenantId};

/// The maximum size of an event's data, in bytes.
pub const MAX_DATA: usize = 256 * 1024;

/// The message for data with more nested objects and lists than expressions look at.
#[must_use]
pub fn too_deep(data: &Value) -> Option<String> {
    is_deeper(data, MAX_DEPTH).then(|| format!("may have at most {MAX_DEPTH} levels of objects and lists"))
}

/// How long an event is kept, in days.
pub const RETENTION_DAYS: u8 = 60;

/// An event as stored: the outbox, and the only copy of its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Always `event`. The stream's filter selects items by it.
    pub entity: Entity,
    /// The id, by which events sort.
    pub id: EventId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The type.
    pub event: EventType,
    /// When it happened, according to its publisher.
    pub timestamp: DateTime<Utc>,
    /// The data as JSON text.
    pub data: String,
    /// The event's hops: how often it came back in through a webhook config.
    #[serde(default, skip_serializing_if = "lineage::is_none")]
    pub hops: u32,
    /// When the item expires, in seconds since 1970.
    pub expires_at: i64,
}

/// The kind of an item, for the stream's filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entity {
    /// An event.
    #[serde(rename = "event")]
    Event,
}

impl Event {
    /// A new event.
    #[must_use]
    pub fn new(
        id: EventId,
        tenant_id: TenantId,
        event: EventType,
        timestamp: DateTime<Utc>,
        data: &Value,
    ) -> Self {
        let kept = chrono::Duration::days(i64::from(RETENTION_DAYS));
        Self {
            entity: Entity::Event,
            id,
            tenant_id,
            event,
            timestamp,
            data: data.to_string(),
            hops: 0,
            expires_at: id.time().checked_add_signed(kept).unwrap_or(timestamp).timestamp(),
        }
    }

    /// The same event with this number of hops.
    #[must_use]
    pub fn after(mut self, hops: u32) -> Self {
        self.hops = hops;
        self
    }

    /// The data, parsed.
    #[must_use]
    pub fn parsed_data(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }

    /// The document that a subscription's filters look at: the body of a delivery without its id. The event's
    /// parsed data is borrowed, not copied.
    #[must_use]
    pub fn document<'d>(&self, data: &'d Value) -> Document<'d> {
        let members = [
            ("timestamp", Value::from(crate::domain::shared::time::timestamp(self.timestamp))),
            ("event", Value::from(self.event.to_string())),
            ("tenantId", Value::from(self.tenant_id.to_string())),
        ];
        let own = members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Document::new(own, "data", data)
    }
}

/// The body of one attempt. `data` is JSON text, and is sent as it was received.
#[must_use]
pub fn body(
    id: DeliveryId,
    signed_at: DateTime<Utc>,
    event: EventType,
    tenant: TenantId,
    data: &str,
) -> String {
    let timestamp = crate::domain::shared::time::timestamp(signed_at);
    format!(
        r#"{{"id":"{id}","timestamp":"{timestamp}","event":"{event}","tenantId":"{tenant}","data":{data}}}"#
    )
}

/// The days whose events are still kept, newest first.
pub fn kept_days(today: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    (0..=u64::from(RETENTION_DAYS)).map_while(move |days| today.checked_sub_days(chrono::Days::new(days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_five_members_in_order() {
        let id = DeliveryId::derive(EventId::from(uuid::Uuid::nil()), uuid::Uuid::nil().into(), 1);
        let at = DateTime::from_timestamp_millis(1_767_954_600_000).expect("a time");
        let body = body(id, at, EventType::ReleaseCreated, uuid::Uuid::nil().into(), r#"{"a":1.50}"#);
        assert!(body.starts_with(&format!(
            r#"{{"id":"{id}","timestamp":"2026-01-09T10:30:00.000Z","event":"release.created","tenantId":"#
        )));
        assert!(body.ends_with(r#""data":{"a":1.50}}"#), "{body}");
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
}
