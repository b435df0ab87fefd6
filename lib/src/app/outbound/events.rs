//! Reads events: one with its deliveries, or a page of a tenant's.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::event_view::{EventDelivery, EventView};
use crate::domain::outbound::fan_out::{self, Mark};
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::error::Error;
use crate::store::{Key, Listing, Page, PageRequest, Store, item, keys, listing};

/// How many rows one request reads ("`BatchGetItem`" of DynamoDB's API reference).
const MAX_READ: usize = 100;

/// A page of a tenant's events, newest first.
///
/// # Errors
/// `Invalid` for a page that is too deep, or a cursor of another list; `Unavailable` if DynamoDB does not
/// answer.
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

/// An event with its fan-out and its deliveries. A delivery that has no row yet is shown as `pending`.
///
/// # Errors
/// `NotFound` if the tenant has no such event.
pub async fn show(store: &Store, tenant: TenantId, id: EventId) -> Result<EventView, Error> {
    let event: Event = store.core.get(&keys::event(tenant, id)).await?.ok_or_else(Error::not_found)?;
    let mark: Option<Mark> = store.core.get(&keys::fan_out(tenant, id)).await?;
    let matched = mark.as_ref().map_or(&[][..], |mark| &mark.deliveries);
    let places: Vec<Key> =
        matched.iter().map(|one| keys::delivery(tenant, one.subscription_id, one.delivery_id)).collect();
    let mut rows: HashMap<DeliveryId, Delivery> = HashMap::new();
    for some in places.chunks(MAX_READ) {
        let found = store.deliveries.get_many(some).await?.into_iter().filter_map(item::readable::<Delivery>);
        rows.extend(found.map(|row| (row.id, row)));
    }
    let deliveries = matched.iter().map(|one| {
        let row = rows.get(&one.delivery_id);
        EventDelivery {
            id: one.delivery_id,
            subscription_id: one.subscription_id,
            status: row.map_or(Status::Pending, |row| row.status),
            attempts: row.map_or(0, |row| row.attempts),
        }
    });
    Ok(EventView {
        deliveries: Some(deliveries.collect()),
        more_deliveries: mark.as_ref().map(|mark| mark.unnamed).filter(|unnamed| *unnamed > 0),
        fan_out: Some(fan_out::view(mark.as_ref())),
        fanned_out: Some(mark.is_some()),
        ..event.view()
    })
}
