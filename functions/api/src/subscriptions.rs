//! Webhook subscriptions: made, changed, tried out, deleted.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use stella::app::try_out::{Tried, try_out};
use stella::domain::change::Change;
use stella::domain::event_type::EventType;
use stella::domain::fields::Fields;
use stella::domain::subscription::Subscription;
use stella::error::Error;
use stella::store::{Listing, keys};
use stella::web::caller::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;

pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/webhook-subscriptions", get(list).post(create))
        .route("/webhook-subscriptions/{id}", get(show).put(change).patch(change).delete(remove))
        .route("/webhook-subscriptions/{id}/test", post(test))
}

/// The subscription, with the signing secret this once when we minted it.
fn view(subscription: &Subscription, minted: Option<String>) -> Value {
    let mut view = subscription.view();
    if let (Some(members), Some(secret)) = (view.as_object_mut(), minted) {
        members.insert("signatureSecret".to_owned(), Value::String(secret));
    }
    view
}

async fn create(State(api): State<Arc<Api>>, Admin(caller): Admin, new: New) -> Result<Response, Error> {
    let act = async |id| {
        let (made, minted) =
            api.subscriptions.create(caller.tenant, id, &new.wanted, api.clock.now()).await?;
        let shows_secret = minted.is_some();
        Ok(Made { status: StatusCode::CREATED, data: view(&made, minted), shows_secret })
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
    Ok(page(&found, Subscription::view))
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let found = api.subscriptions.find(caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &found.view()))
}

async fn change(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    change: Change,
) -> Result<Response, Error> {
    let (id, now) = (request::id(&id)?, api.clock.now());
    let (after, minted) = api.subscriptions.change(caller.tenant, id, &change, now).await?;
    Ok(data(StatusCode::OK, &view(&after, minted)))
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
    new: New,
) -> Result<Response, Error> {
    let subscription = api.subscriptions.find(caller.tenant, request::id(&id)?).await?;
    let mut fields = Fields::of(&new.wanted);
    fields.require("event");
    let event = fields.read("event", |value| value.as_str().ok_or("must be a string")?.parse::<EventType>());
    fields.finish()?;
    let event = event.ok_or_else(|| Error::fault("a test without a type was accepted"))?;
    match try_out(&api.store, &api.sender, &subscription, event, api.clock.now()).await {
        Ok(tried) => Ok(told(&tried)),
        // Whoever wrote the reference can mend it, and nobody else.
        Err(error) if error.is_transient() && subscription.terms.credential_ref.is_some() => {
            let error = "The credential that credentialRef names cannot be read";
            Ok(Json(json!({"success": false, "data": null, "error": error})).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The status is 200 whatever the receiver did: the test itself succeeded in finding out.
fn told(tried: &Tried) -> Response {
    let attempt = &tried.made.attempt;
    let mut answer = json!({
        "success": attempt.success,
        "data": {
            "deliveryId": tried.delivery_id,
            "statusCode": attempt.status_code,
            "responseTime": attempt.response_time,
            "response": tried.made.response,
        },
    });
    if let (Some(members), Some(error)) = (answer.as_object_mut(), &attempt.error) {
        members.insert("error".to_owned(), json!(error));
    }
    Json(answer).into_response()
}
