//! Which subscriptions want an event, by their filters.

use std::sync::Arc;

use serde_json::Value;

use super::event::Event;
use super::subscription::Subscription;
use crate::domain::shared::expression::{Budget, Failures};
use crate::domain::shared::filter;
use crate::domain::shared::ids::SubscriptionId;

/// The subscriptions of a tenant that match an event.
#[derive(Debug, Default)]
pub struct Matching {
    /// Those whose filters match.
    pub matched: Vec<Arc<Subscription>>,
    /// Those with filters that failed. They do not get the event.
    pub failed: Vec<(SubscriptionId, Failures)>,
    /// How much of the event's budget was used, in budgets of one owner.
    pub shares: u32,
}

/// Evaluates the filters of one tenant's subscriptions, all of which select the event's type. They share the
/// budget of one event.
#[must_use]
pub fn matching(event: &Event, subscriptions: &[Arc<Subscription>]) -> Matching {
    // Most subscriptions have no filter. Then the data need not be parsed.
    let is_looked_at = subscriptions.iter().any(|subscription| !subscription.spec.filters.is_empty());
    let data = if is_looked_at { event.parsed_data() } else { Value::Null };
    let document = event.document(&data);
    let mut budget = Budget::default();
    let mut matching = Matching::default();
    for subscription in subscriptions {
        budget.next_owner();
        if filter::all_match(&subscription.spec.filters, "", document.root(), &mut budget) {
            matching.matched.push(Arc::clone(subscription));
        } else if let Some(failures) = budget.take_failures() {
            matching.failed.push((subscription.id, failures));
        }
    }
    matching.shares = budget.shares();
    matching
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use uuid::Uuid;

    use super::super::event_type::EventType;
    use super::super::subscription::parse;
    use super::*;
    use crate::domain::shared::expression::TENANT_SHARES;

    fn subscription(id: u128, filters: &Value) -> Arc<Subscription> {
        let body = json!({"name": "a", "url": "pull:", "events": ["*"], "filters": filters});
        Arc::new(Subscription {
            id: Uuid::from_u128(id).into(),
            tenant_id: Uuid::nil().into(),
            handle: 1,
            spec: parse(&body, false).unwrap().0,
            sealed_signature_secret: None,
            previous_secret: None,
            sealed_credential: None,
            disabled_reason: None,
            created_at: DateTime::default(),
            updated_at: DateTime::default(),
            revision: 1,
        })
    }

    fn event(data: &Value) -> Event {
        let id = Uuid::from_u128(7).into();
        Event::new(id, Uuid::nil().into(), EventType::ReleaseCreated, DateTime::default(), data)
    }

    #[test]
    fn filters_look_at_the_body_without_the_deliverys_id() {
        let of = |field, value: &Value| json!([{"field": field, "operator": "equals", "value": value}]);
        let subscriptions = [
            subscription(1, &json!([])),
            subscription(2, &of("event", &json!("release.created"))),
            subscription(3, &of("$.data.a[1]", &json!(2))),
            subscription(4, &of("id", &json!("7"))),
            subscription(5, &of("tenantId", &json!(Uuid::nil()))),
            subscription(6, &of("timestamp", &json!("1970-01-01T00:00:00.000Z"))),
        ];
        let matching = matching(&event(&json!({"a": [1, 2]})), &subscriptions);
        let ids: Vec<u128> = matching.matched.iter().map(|found| found.id.uuid().as_u128()).collect();
        assert_eq!(ids, [1, 2, 3, 5, 6]);
        assert!(matching.failed.is_empty());
    }

    #[test]
    fn a_subscription_over_its_budget_affects_no_other_until_the_tenants_budget_is_used_up() {
        let hungry = json!([{"field": "$..*", "operator": "equals", "value": "nowhere"}]);
        let modest = json!([{"field": "data.name", "operator": "equals", "value": "a"}]);
        let data = json!({"name": "a", "many": vec![1; 60_000]});
        let with = |count: u128| {
            let hungry = (0..count).map(|id| subscription(id, &hungry));
            let all: Vec<_> = hungry.chain([subscription(1_000, &modest)]).collect();
            matching(&event(&data), &all)
        };
        let few = with(u128::from(TENANT_SHARES) - 1);
        assert_eq!((few.matched.len(), few.failed.len()), (1, 9));
        let many = with(200);
        assert_eq!((many.matched.len(), many.failed.len()), (0, 201));
        assert!(many.failed[0].1.message.starts_with("filters[0] would have to visit more than 50000 nodes"));
        assert!(many.failed[200].1.message.contains("tenant"), "{}", many.failed[200].1.message);
    }
}
