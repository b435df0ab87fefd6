//! The delivery log: lists and shows deliveries, with every attempt, and redelivers them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::json;
use stella::domain::outbound::delivery::{Delivery, Status};
use stella::domain::outbound::delivery_view::{self, Context, DeliveryView};
use stella::domain::outbound::event::Event;
use stella::domain::outbound::event_type::EventType;
use stella::domain::outbound::subscription::Subscription;
use stella::domain::shared::delivery_id::SHARDS;
use stella::domain::shared::ids::{EventId, SubscriptionId, TenantId};
use stella::error::{Code, Error, Kind};
use stella::store::listing::{self, COUNTED_AHEAD};
use stella::store::{Listing, item, keys};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::request::{self, ListQuery};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::operation;
use crate::openapi::shapes;
use crate::routes::Routes;

/// How many subscriptions' logs are merged into one list, at most.
const MAX_MERGED: usize = 100;

/// The most rows of a page with bodies.
const MAX_WITH_BODY: u64 = 20;

pub(crate) fn routes() -> Routes {
    let listed = |id, summary, description| {
        operation(id, summary, description)
            .lists::<DeliveryView>()
            .filtered_by("status", shapes::of::<Status>, "Only deliveries in this state.")
            .filtered_by("event", shapes::of::<EventType>, "Only deliveries of events of this type.")
            .within_a_period()
    };
    let of_one = listed(
        "listDeliveries",
        "List the deliveries of a subscription",
        "Returns the deliveries of the subscription, those of the newest events first.",
    )
    .filtered_by(
        "include",
        || json!({"const": "body"}),
        "`body`: with the body and the headers of the last attempt; at most 20 rows a page.",
    );
    let of_all = listed(
        "listAllDeliveries",
        "List deliveries",
        "Returns the deliveries of all subscriptions of the tenant, those of the newest events first.",
    );
    Routes::about("Deliveries")
        .get("/webhook-subscriptions/{id}/deliveries", list, of_one)
        .get("/deliveries", list_all, of_all)
        .get(
            "/deliveries/{id}",
            show,
            operation(
                "getDelivery",
                "Show a delivery",
                "Returns one delivery with every attempt that is kept.",
            )
            .returns::<DeliveryView>(200),
        )
        .post(
            "/deliveries/{id}/redeliver",
            redeliver,
            operation(
                "redeliver",
                "Redeliver a delivery",
                "Sends a final delivery again, with the same id and the retry policy from its start.",
            )
            .returns::<DeliveryView>(202)
            .conflicts(
                "`delivery_open`: attempts are still to come. `subscription_disabled`: enable it first. \
                 `subscription_deleted`, `event_expired`, `test_delivery`: it cannot be sent again.",
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
    let now = api.clock.now();
    let keep = kept(&query, now)?;
    let mut wanted = query.page()?;
    let with_body = ListQuery::one_of("include", query.include.as_deref(), &["body"])?.is_some();
    if with_body {
        wanted.page_size = wanted.page_size.min(MAX_WITH_BODY);
    }
    let name = keys::deliveries(caller.tenant, subscription.id, 0);
    let log = log(name, caller.tenant, &[subscription.id], COUNTED_AHEAD);
    let found = api.store.deliveries.list(&log, &wanted, now, keep).await?;
    if !with_body {
        return page(&found, |row| delivery_view::row(&row.seen_at(now)));
    }
    let events = events(&api, caller.tenant, &found.items).await?;
    page(&found, |row| {
        let event = row.event_id.and_then(|id| events.get(&id));
        delivery_view::with_request(&row.seen_at(now), Context { event, subscription: Some(&subscription) })
    })
}

/// The deliveries of all subscriptions, merged from the log of each. Merging reads each log, so the number of
/// subscriptions is limited.
async fn list_all(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    query: ListQuery,
) -> Result<Response, Error> {
    let now = api.clock.now();
    let (wanted, keep) = (query.page()?, kept(&query, now)?);
    let all: Vec<Subscription> = api.store.core.all(&keys::tenant(caller.tenant), "SUBSCRIPTION#").await?;
    if all.len() > MAX_MERGED {
        return Err(Error::new(
            Kind::Invalid,
            Code::TooManySubscriptions,
            format!("With more than {MAX_MERGED} subscriptions, ask for one's deliveries"),
        ));
    }
    let ids: Vec<SubscriptionId> = all.iter().map(|subscription| subscription.id).collect();
    // Clients poll this list every second or two, so rows past the page are not read.
    let log = log(format!("DELIVERIES#{}", caller.tenant), caller.tenant, &ids, 1);
    let found = api.store.deliveries.list(&log, &wanted, now, keep).await?;
    page(&found, |row| delivery_view::row(&row.seen_at(now)))
}

/// The rows that a query asks for.
fn kept(query: &ListQuery, now: DateTime<Utc>) -> Result<impl Fn(&Delivery) -> bool, Error> {
    let status: Option<Status> = ListQuery::choice("status", query.status.as_deref())?;
    let event: Option<EventType> = ListQuery::choice("event", query.event.as_deref())?;
    let span = query.span()?;
    Ok(move |row: &Delivery| {
        !row.has_expired(now)
            && status.is_none_or(|status| status == row.status_at(now))
            && event.is_none_or(|event| event == row.event)
            && span.contains(row.created_at)
    })
}

/// The rows of subscriptions, newest event first.
fn log(name: String, tenant: TenantId, subscriptions: &[SubscriptionId], counted_ahead: u64) -> Listing {
    let of_one = |id: &SubscriptionId| {
        let id = *id;
        (0..SHARDS).map(move |shard| keys::deliveries(tenant, id, shard))
    };
    let partitions: Vec<String> = subscriptions.iter().flat_map(of_one).collect();
    Listing { name, groups: vec![partitions], prefix: String::new(), bound: listing::id_bound, counted_ahead }
}

async fn events(api: &Api, tenant: TenantId, rows: &[Delivery]) -> Result<HashMap<EventId, Event>, Error> {
    let mut wanted: Vec<EventId> = rows.iter().filter_map(|row| row.event_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let wanted: Vec<_> = wanted.into_iter().map(|id| keys::event(tenant, id)).collect();
    let mut events = HashMap::new();
    for item in api.store.core.get_many(&wanted).await? {
        let event: Event = item::read(item)?;
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
