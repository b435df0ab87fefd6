//! Pull subscriptions: readers fetch deliveries and report their attempts, because the service cannot call
//! them.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::Duration;
use serde::Deserialize;
use serde_json::json;
use stella::domain::outbound::delivery_view::{self, DeliveryView};
use stella::domain::outbound::pull::{FetchedDelivery, Report};
use stella::domain::shared::object_reader::ObjectReader;
use stella::error::Error;
use stella::web::authenticator::Admin;
use stella::web::data;
use stella::web::request::{self, Body};

use crate::Api;
use crate::openapi::arguments::Argument;
use crate::openapi::operation::{Failure, Operation, operation};
use crate::routes::Routes;

/// How many requests one fetch returns: at most, and by default.
const MAX_FETCHED: u64 = 100;
const DEFAULT_FETCHED: u64 = 10;

/// How long a fetch waits for the first request, in seconds: at most, and by default. An HTTP API answers
/// within 30 s ("Quotas for HTTP APIs" of the API Gateway developer guide).
const MAX_WAIT_SECONDS: u64 = 20;
const DEFAULT_WAIT_SECONDS: u64 = 10;

pub(crate) fn routes() -> Routes {
    let fetch = operation(
        "fetchDeliveries",
        "Fetch deliveries",
        "Returns requests that are ready to be made, as soon as there is one. Each belongs to the caller until its \
         `reportBefore`.",
    )
    .returns::<Vec<FetchedDelivery>>(200)
    .conflicts(
        "`not_a_pull_subscription`: its `url` is not `pull:`. `subscription_disabled`: enable it first.",
    );
    let report = operation(
        "reportAttempt",
        "Report an attempt",
        "Reports the result of a request that was fetched. Retry policy and log are those of any other delivery.",
    )
    .takes(Report::read)
    .with_example(|| json!({"attempt": 1, "statusCode": 200, "responseTime": 12}))
    .returns::<DeliveryView>(200)
    .conflicts(
        "`already_reported`: this attempt was reported before, or the delivery has ended. `not_fetched`: no \
         reader has fetched it. `not_a_pull_subscription`: its `url` is not `pull:`.",
    );
    Routes::about("Deliveries").get("/webhook-subscriptions/{id}/pull", fetch_ready, fetch).post(
        "/webhook-subscriptions/{id}/pull/{delivery}",
        take_report,
        report,
    )
}

/// The query of a fetch: how many requests, and how long to wait for the first.
struct FetchQuery {
    most: i32,
    wait: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    max: Option<String>,
    wait_seconds: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for FetchQuery {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let asked = Query::<Asked>::try_from_uri(&parts.uri).map_err(|_| request::unreadable_query())?;
        // Read like the members of a body, so that every mistake is reported.
        let number = |text: &Option<String>| {
            text.as_ref().map_or(json!(null), |text| {
                text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))
            })
        };
        let parameters = json!({"max": number(&asked.0.max), "waitSeconds": number(&asked.0.wait_seconds)});
        let read = ObjectReader::whole(&parameters, |fields| {
            let most = fields.integer("max", 1, MAX_FETCHED).unwrap_or(DEFAULT_FETCHED);
            let seconds = fields.integer("waitSeconds", 0, MAX_WAIT_SECONDS).unwrap_or(DEFAULT_WAIT_SECONDS);
            Some((i32::try_from(most).ok()?, Duration::try_seconds(i64::try_from(seconds).ok()?)?))
        });
        let (most, wait) = read.map_err(|error| Error::invalid(error.errors))?;
        Ok(Self { most, wait })
    }
}

impl Argument for FetchQuery {
    fn describe(operation: &mut Operation) {
        operation.fails(&[Failure::Invalid]);
        let most =
            || json!({"type": "integer", "minimum": 1, "maximum": MAX_FETCHED, "default": DEFAULT_FETCHED});
        operation.query_parameter("max", most, "The most requests to return.");
        let wait = || json!({"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": DEFAULT_WAIT_SECONDS});
        operation.query_parameter("waitSeconds", wait, "How long to wait for the first request, in seconds.");
    }
}

async fn fetch_ready(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    wanted: FetchQuery,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let now = api.clock.now();
    let until = now.checked_add_signed(wanted.wait).unwrap_or(now);
    let fetched = api.pulls.fetch(&subscription, wanted.most, until).await?;
    Ok(data(StatusCode::OK, &fetched))
}

async fn take_report(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path((id, delivery)): Path<(String, String)>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let delivery = request::id(&delivery)?;
    let report = ObjectReader::whole(&wanted, Report::read)?;
    let row = api.pulls.report(&subscription, delivery, &report).await?;
    Ok(data(StatusCode::OK, &delivery_view::row(&row)))
}
