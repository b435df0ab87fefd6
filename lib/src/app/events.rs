//! Looks events up: one, or a page of them, each with what became of it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fan_out::Mark;
use super::rows::Rows;
use crate::domain::event::Event;
use crate::domain::ids::{EventId, TenantId};
use crate::error::Error;
use crate::store::{Listing, Page, PageRequest, Store, keys, listing};

/// A page of a tenant's events, newest first.
///
/// # Errors
/// Those of the list.
pub async fn list(
    store: &Store,
    tenant: TenantId,
    request: &PageRequest,
    now: DateTime<Utc>,
    keep: impl Fn(&Event) -> bool,
) -> Result<Page<Event>, Error> {
    let days = store.event_days(tenant).await?;
    let of_day = |day| (0..keys::EVENT_SHARDS).map(|shard| keys::events(tenant, day, shard)).collect();
    let listing = Listing {
        name: format!("{} events", keys::tenant(tenant)),
        groups: days.into_iter().map(of_day).collect(),
        prefix: String::new(),
        bound: listing::id_bound,
        counted_ahead: listing::COUNTED_AHEAD,
    };
    store.core.list(&listing, request, now, keep).await
}

/// An event with its deliveries, as far as they have begun.
///
/// # Errors
/// Not found.
pub async fn show(store: &Store, tenant: TenantId, id: EventId) -> Result<Value, Error> {
    let event: Event = store.core.get(&keys::event(tenant, id)).await?.ok_or_else(Error::not_found)?;
    let mark: Option<Mark> = store.core.get(&keys::fan_out(tenant, id)).await?;
    let rows = Rows::new(store);
    let mut deliveries = Vec::new();
    for matched in mark.iter().flat_map(|mark| &mark.deliveries) {
        let row = rows.find(tenant, matched.subscription_id, matched.delivery_id).await?;
        deliveries.push(json!({
            "id": matched.delivery_id,
            "subscriptionId": matched.subscription_id,
            "status": row.as_ref().map_or(json!("pending"), |row| json!(row.status)),
            "attempts": row.as_ref().map_or(0, |row| row.attempts),
        }));
    }
    let mut view = event.view();
    if let Some(members) = view.as_object_mut() {
        members.insert("deliveries".to_owned(), json!(deliveries));
        members.insert("fannedOut".to_owned(), json!(mark.is_some()));
    }
    Ok(view)
}
