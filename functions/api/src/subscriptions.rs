//! Webhook subscriptions: made, changed, tried out, deleted.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stella::app::outbound::receiver_health;
use stella::app::outbound::test_delivery::{self, TestDelivery};
use stella::domain::outbound::event_type::EventType;
use stella::domain::outbound::selection::Selection;
use stella::domain::outbound::subscription::{self, Subscription};
use stella::domain::shared::ids::SubscriptionId;
use stella::domain::shared::merge_patch::{Change, merge};
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::origin::Origin;
use stella::error::{Code, Error, Kind};
use stella::store::{Listing, keys};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, Body, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::grace::grace;
use crate::openapi::operation::says;
use crate::openapi::shapes;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let takes = |id, summary| says(id, summary).takes(|fields| subscription::read(fields, true));
    let changed = |id, summary| takes(id, summary).gives(200, "Subscription");
    let tested = || {
        json!({"type": "object", "required": ["success", "data"], "properties": {
        "success": {"type": "boolean", "description": "Whether the receiver took it."},
        "data": {"anyOf": [shapes::named("TestAttempt"), {"type": "null"}]},
        "error": {"type": "string", "description": "What went wrong."}}})
    };
    Routes::about("Subscriptions")
        .get(
            "/webhook-subscriptions",
            list,
            says("listSubscriptions", "Subscriptions, newest first").lists("Subscription"),
        )
        .post(
            "/webhook-subscriptions",
            create,
            takes("createSubscription", "Makes a subscription")
                .for_example(|| json!({"name": "deployments", "url": "https://hooks.example.com/stella",
                    "authType": "signature", "events": ["deployment.*"],
                    "filters": [{"field": "data.environment.name", "operator": "equals", "value": "production"}]}))
                .gives(201, "Subscription"),
        )
        .post(
            "/webhook-subscriptions/preview",
            preview,
            says("previewSelection", "Whether a subscription would get an event; nothing is stored or sent")
                .takes(Selection::read)
                .for_example(|| json!({"event": "deployment.completed", "events": ["deployment.*"],
                    "filters": [{"field": "data.environment.name", "operator": "equals", "value": "production"}]}))
                .gives(200, "SelectionPreview"),
        )
        .get(
            "/webhook-subscriptions/{id}",
            show,
            says("getSubscription", "A subscription").gives(200, "Subscription"),
        )
        .put(
            "/webhook-subscriptions/{id}",
            change,
            changed("replaceSubscription", "Says anew what a subscription is"),
        )
        .patch(
            "/webhook-subscriptions/{id}",
            change,
            changed("changeSubscription", "Changes some of what a subscription is"),
        )
        .delete(
            "/webhook-subscriptions/{id}",
            remove,
            says("deleteSubscription", "Deletes a subscription; what is open is cancelled")
                .gives_nothing(204),
        )
        .post(
            "/webhook-subscriptions/{id}/rotate-secret",
            rotate_secret,
            says("rotateSecret", "Mints another signing secret and shows it once")
                .takes(grace)
                .gives(200, "Subscription")
                .conflicts("`no_signing_secret`: its `authType` is another. `changed_meanwhile`: try again."),
        )
        .post(
            "/webhook-subscriptions/{id}/test",
            test,
            says(
                "testSubscription",
                "One attempt at once, with an event type's example; 200 whatever the receiver did",
            )
            .takes(read_test)
            .for_example(|| json!({"event": "deployment.completed"}))
            .gives_as_it_is(200, tested).conflicts("`pull_subscription`: nobody is called."),
        )
}

async fn preview(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let selection = ObjectReader::whole(&wanted, Selection::read)?;
    Ok(data(StatusCode::OK, &selection.view(caller.tenant, api.clock.now())))
}

fn read_test(fields: &mut ObjectReader<'_>) -> Option<EventType> {
    fields.require("event");
    fields.parsed("event", str::parse)
}

/// The subscription with how its receiver does, and with the signing secret this once when we minted it.
async fn view(api: &Api, subscription: &Subscription, minted: Option<String>) -> Result<Value, Error> {
    let now = api.clock.now();
    let mut view = subscription.view();
    merge(&mut view, &receiver_health::view(&api.store, subscription, now).await?);
    if let Some(secret) = minted {
        merge(&mut view, &json!({"signatureSecret": secret}));
    }
    Ok(view)
}

async fn create(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    new: New,
) -> Result<Response, Error> {
    let act = async |id| {
        let (made, minted) =
            api.subscriptions.create(caller.tenant, id, &new.wanted, &origin, api.clock.now()).await?;
        let shows_secret = minted.is_some();
        Ok(Made { status: StatusCode::CREATED, data: view(&api, &made, minted).await?, shows_secret })
    };
    api.creation(caller.tenant, "POST /webhook-subscriptions", &new).run(act).await
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    query: ListQuery,
) -> Result<Response, Error> {
    let listing = Listing::of(keys::tenant(caller.tenant), "SUBSCRIPTION#");
    let found =
        api.store.core.list::<Subscription>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    let views = try_join_all(found.items.iter().map(|row| view(&api, row, None))).await?;
    let mut views = views.into_iter();
    page(&found.map(|_| views.next().unwrap_or_default()), Value::clone)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let found = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &view(&api, &found, None).await?))
}

async fn change(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    Extension(origin): Extension<Origin>,
    change: Change,
) -> Result<Response, Error> {
    let (id, now) = (request::id(&id)?, api.clock.now());
    let (after, minted) = api.subscriptions.change(caller.tenant, id, &change, &origin, now).await?;
    Ok(data(StatusCode::OK, &view(&api, &after, minted).await?))
}

async fn rotate_secret(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    let grace = ObjectReader::whole(&new.wanted, grace)?;
    let id: SubscriptionId = request::id(&id)?;
    let act = async |_| {
        let (after, secret) =
            api.subscriptions.rotate_secret(caller.tenant, id, grace, api.clock.now()).await?;
        let data = view(&api, &after, Some(secret)).await?;
        Ok(Made { status: StatusCode::OK, data, shows_secret: true })
    };
    let route = format!("POST /webhook-subscriptions/{id}/rotate-secret");
    api.creation(caller.tenant, &route, &new).run(act).await
}

async fn remove(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    api.subscriptions.delete(caller.tenant, request::id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn test(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let event = ObjectReader::whole(&wanted, read_test)?;
    if subscription.spec.is_pull() {
        let detail = "Nobody is called for this subscription: publish an event and fetch its delivery";
        return Err(Error::new(Kind::Conflict, Code::PullSubscription, detail));
    }
    match test_delivery::send(&api.store, &api.sender, &subscription, event, api.clock.now()).await {
        Ok(tried) => Ok(told(&tried)),
        // Whoever wrote the reference can mend it, and nobody else.
        Err(error) if error.is_transient() && subscription.spec.credential_ref.is_some() => {
            let error = "The credential that credentialRef names cannot be read";
            Ok(Json(json!({"success": false, "data": null, "error": error})).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The status is 200 whatever the receiver did: the test itself succeeded in finding out.
fn told(tried: &TestDelivery) -> Response {
    let attempt = &tried.outcome.attempt;
    let mut answer = json!({
        "success": attempt.success,
        "data": {
            "deliveryId": tried.delivery_id,
            "statusCode": attempt.status_code,
            "responseTime": attempt.response_time,
            "response": tried.outcome.response,
        },
    });
    if let (Some(members), Some(error)) = (answer.as_object_mut(), &attempt.error) {
        members.insert("error".to_owned(), json!(error));
    }
    Json(answer).into_response()
}
