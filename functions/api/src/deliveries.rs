//! The delivery log: what went to a subscription, attempt by attempt, and once more.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use stella::domain::delivery::{Delivery, SHARDS, Status};
use stella::domain::delivery_view::{self, Context};
use stella::domain::event::Event;
use stella::domain::event_type::EventType;
use stella::domain::ids::{EventId, SubscriptionId, TenantId};
use stella::error::Error;
use stella::store::{Listing, keys, listing, table};
use stella::web::caller::{Admin, Viewer};
use stella::web::request::{self, ListQuery};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::{says, text};
use crate::openapi::shapes;
use crate::routes::Routes;

/// How many rows a page with bodies has at most.
const MOST_WITH_BODY: u64 = 20;

pub(crate) fn routes() -> Routes {
    let listed = says("listDeliveries", "What went to a subscription, newest event first")
        .lists("Delivery")
        .filtered_by("status", || shapes::named("DeliveryStatus"), "In this state.")
        .filtered_by("event", text, "Of this type of event.")
        .within_a_span()
        .filtered_by(
            "include",
            || json!({"const": "body"}),
            "With bodies and headers, at most 20 rows a page.",
        );
    Routes::about("Deliveries")
        .get("/webhook-subscriptions/{id}/deliveries", list, listed)
        .get(
            "/deliveries/{id}",
            show,
            says("getDelivery", "A delivery, with every attempt that is kept").gives(200, "Delivery"),
        )
        .post(
            "/deliveries/{id}/redeliver",
            redeliver,
            says("redeliver", "Sends a final delivery again: the same id, the schedule from its start")
                .gives(202, "Delivery")
                .conflicts(
                    "`delivery_open`: attempts are still to come. `subscription_disabled`: enable it first. \
                     `subscription_deleted`, `event_expired`, `test_delivery`: there is nothing to send, or nobody.",
                ),
        )
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let status: Option<Status> = ListQuery::choice("status", query.status.as_deref())?;
    let event: Option<EventType> = ListQuery::choice("event", query.event.as_deref())?;
    let span = query.span()?;
    let now = api.clock.now();
    let keep = |row: &Delivery| {
        !row.has_expired(now)
            && status.is_none_or(|status| status == row.status_at(now))
            && event.is_none_or(|event| event.name() == row.event)
            && span.contains(row.created_at)
    };
    let mut wanted = query.page()?;
    let with_body = ListQuery::one_of("include", query.include.as_deref(), &["body"])?.is_some();
    if with_body {
        wanted.page_size = wanted.page_size.min(MOST_WITH_BODY);
    }
    let found = api.store.deliveries.list(&log(caller.tenant, subscription.id), &wanted, now, keep).await?;
    if !with_body {
        return Ok(page(&found, |row| delivery_view::row(&row.seen_at(now))));
    }
    let events = events(&api, caller.tenant, &found.items).await?;
    Ok(page(&found, |row| {
        let event = row.event_id.and_then(|id| events.get(&id));
        delivery_view::with_request(&row.seen_at(now), Context { event, subscription: Some(&subscription) })
    }))
}

/// A subscription's rows, newest event first.
fn log(tenant: TenantId, subscription: SubscriptionId) -> Listing {
    let partitions = (0..SHARDS).map(|shard| keys::deliveries(tenant, subscription, shard)).collect();
    let name = keys::deliveries(tenant, subscription, 0);
    Listing { name, groups: vec![partitions], prefix: String::new(), bound: listing::id_bound }
}

async fn events(api: &Api, tenant: TenantId, rows: &[Delivery]) -> Result<HashMap<EventId, Event>, Error> {
    let mut wanted: Vec<EventId> = rows.iter().filter_map(|row| row.event_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted: Vec<_> = wanted.into_iter().map(|id| keys::event(tenant, id)).collect();
    let mut events = HashMap::new();
    for item in api.store.core.get_many(&wanted).await? {
        let event: Event = table::read(item)?;
        events.insert(event.id, event);
    }
    Ok(events)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let now = api.clock.now();
    let found = api.redeliveries.find(caller.tenant, request::id(&id)?, now).await?;
    let row = found.seen_at(now);
    let event: Option<Event> = match row.event_id {
        Some(id) => api.store.core.get(&keys::event(caller.tenant, id)).await?,
        None => None,
    };
    let subscription = api.store.find_subscription(caller.tenant, row.subscription_id).await?;
    let context = Context { event: event.as_ref(), subscription: subscription.as_ref() };
    Ok(data(StatusCode::OK, &delivery_view::whole(&row, context)))
}

async fn redeliver(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let row = api.redeliveries.redeliver(caller.tenant, request::id(&id)?, api.clock.now()).await?;
    Ok(data(StatusCode::ACCEPTED, &delivery_view::row(&row)))
}
