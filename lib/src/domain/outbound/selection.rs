//! A dry run: would a subscription get an event? Neither has to exist.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::event::{self, Event};
use super::event_type::{EventPattern, EventType};
use crate::domain::shared::expression::{Budget, Verdict};
use crate::domain::shared::filter::Filter;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::error::FieldError;

/// The subscription and the event of a dry run.
pub struct Selection {
    events: Vec<EventPattern>,
    filters: Vec<Filter>,
    event: EventType,
    data: Value,
}

impl Selection {
    /// Reads the members of a request: those of a subscription, and those of an event. Without `data`, the
    /// event has its type's example.
    pub fn read(fields: &mut ObjectReader<'_>) -> Option<Self> {
        fields.describe("events", "The subscription's `events`. Default: all.");
        let events =
            fields.names("events", 50, EventPattern::names, str::parse::<EventPattern>).unwrap_or_default();
        fields.describe("filters", "The subscription's `filters`. Default: none.");
        let filters = fields.objects("filters", 20, Filter::parse).unwrap_or_default();
        fields.require("event");
        fields.describe("event", "The event's type.");
        let event = fields.named("event", || EventType::ALL, str::parse::<EventType>);
        fields.describe("data", "The event's data. Default: the example of its type.");
        let data = fields.value("data").cloned();
        if let Some(mistake) = data.as_ref().and_then(event::too_deep) {
            fields.wrong("data", mistake);
        }
        let event = event?;
        Some(Self { events, filters, event, data: data.unwrap_or_else(|| event.example()) })
    }

    /// The result: whether the event's type is selected, which filters match, which failed and why, and the
    /// document that they look at.
    #[must_use]
    pub fn view(&self, tenant: TenantId, now: DateTime<Utc>) -> SelectionPreview {
        let id = EventId::from(uuid::Uuid::nil());
        let event = Event::new(id, tenant, self.event, now, &Value::Null);
        let document = event.document(&self.data);
        let mut budget = Budget::default();
        let selected =
            self.events.is_empty() || self.events.iter().any(|pattern| pattern.matches(self.event));
        let verdicts: Vec<Verdict> =
            self.filters.iter().map(|filter| filter.verdict(document.root(), &mut budget)).collect();
        let filters: Vec<bool> = verdicts.iter().map(|verdict| verdict.matches()).collect();
        let matched = selected && filters.iter().all(|matches| *matches);
        let failed: Vec<FieldError> = verdicts.iter().enumerate().filter_map(failed).collect();
        SelectionPreview {
            matched,
            event_selected: selected,
            filters,
            filter_errors: Some(failed).filter(|failed| !failed.is_empty()),
            payload: document.to_value(),
        }
    }
}

/// Whether a subscription would get an event.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectionPreview {
    /// Whether the subscription would get the event.
    pub matched: bool,
    /// Whether its `events` select the event's type.
    pub event_selected: bool,
    /// Whether each filter matches, in their order.
    pub filters: Vec<bool>,
    /// Filters that could not be evaluated to their end, with the reason. They do not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_errors: Option<Vec<FieldError>>,
    /// What the filters look at: the body of a delivery without its `id`.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, Value>"))]
    pub payload: Value,
}

/// The failure of a filter, with its place. `None` if it did not fail.
fn failed((at, verdict): (usize, &Verdict)) -> Option<FieldError> {
    match verdict {
        Verdict::Failed(failure) => {
            Some(FieldError { field: format!("filters[{at}]"), message: failure.to_string() })
        }
        Verdict::Matches | Verdict::Differs => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(body: &Value) -> Value {
        let selection = ObjectReader::whole(body, Selection::read).unwrap();
        json!(selection.view(TenantId::from(uuid::Uuid::nil()), DateTime::default()))
    }

    #[test]
    fn each_filter_has_its_own_result_and_all_must_match() {
        let production =
            json!({"field": "data.environment.name", "operator": "equals", "value": "production"});
        let never = json!({"field": "data.nothing", "operator": "exists"});
        let view = asked(&json!({"event": "deployment.completed", "events": ["deployment.*"],
            "filters": [production, never], "data": {"environment": {"name": "production"}}}));
        assert_eq!(view["filters"], json!([true, false]));
        assert_eq!((&view["eventSelected"], &view["matched"]), (&json!(true), &json!(false)));
        let view = asked(&json!({"event": "release.created", "events": ["deployment.*"]}));
        assert_eq!((&view["eventSelected"], &view["matched"]), (&json!(false), &json!(false)));
        assert!(view["payload"]["data"].is_object(), "without data it is the example");
    }

    #[test]
    fn a_filter_that_fails_does_not_match_and_says_why() {
        let hungry = json!({"field": "data.x", "operator": "matches", "value": "[01]*1[01]{300}$."});
        let view = asked(
            &json!({"event": "release.created", "filters": [hungry], "data": {"x": "0".repeat(9_999)}}),
        );
        assert_eq!((&view["filters"], &view["matched"]), (&json!([false]), &json!(false)));
        assert_eq!(view["filterErrors"][0]["field"], "filters[0]");
        let deep = (0..33).fold(json!(1), |value, _| json!([value]));
        let body = json!({"event": "release.created", "data": deep});
        let error = ObjectReader::whole(&body, Selection::read).err().unwrap();
        assert_eq!(error.errors[0].field, "data");
    }

    #[test]
    fn every_mistake_is_reported() {
        let body =
            json!({"event": "deploy", "filters": [{"field": "a..b", "operator": "nearly"}], "events": ["x"]});
        let error = ObjectReader::whole(&body, Selection::read).err().unwrap();
        assert!(error.errors.len() >= 3, "{:?}", error.errors);
    }
}
