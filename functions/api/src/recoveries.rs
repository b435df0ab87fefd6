//! Recoveries: many deliveries sent again at once.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::DateTime;
use serde_json::json;
use stella::app::outbound::recover::Asked;
use stella::domain::outbound::recovery::Wanted;
use stella::error::Error;
use stella::web::authenticator::{Admin, Viewer};
use stella::web::data;
use stella::web::idempotency::Made;
use stella::web::request::{self, New};

use crate::Api;
use crate::openapi::operation::says;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Deliveries")
        .post(
            "/webhook-subscriptions/{id}/recover",
            recover,
            says("recover", "Sends many final deliveries again, or only counts them")
                .takes(|fields| Wanted::read(fields, DateTime::default()))
                .for_example(
                    || json!({"from": "2026-01-09T10:00:00Z", "to": "2026-01-09T12:00:00Z", "dryRun": true}),
                )
                .gives(202, "Recovery")
                .gives(200, "Counted")
                .conflicts("`subscription_disabled`."),
        )
        .get("/recoveries/{id}", show, says("getRecovery", "How far a recovery is").gives(200, "Recovery"))
}

async fn recover(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    let subscription = api.store.subscription(caller.tenant, request::id(&id)?).await?;
    let act = async |id| {
        let asked = api.recoveries.ask(&subscription, id, &new.wanted, api.clock.now()).await?;
        let (status, data) = match asked {
            Asked::Counted(matched, is_lower_bound) => (
                StatusCode::OK,
                json!({"dryRun": true, "matched": matched, "matchedIsLowerBound": is_lower_bound}),
            ),
            Asked::Begun(recovery) => (StatusCode::ACCEPTED, recovery.view()),
        };
        Ok(Made { status, data, shows_secret: false })
    };
    let route = format!("POST /webhook-subscriptions/{}/recover", subscription.id);
    api.creation(caller.tenant, &route, &new).run(act).await
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let recovery = api.recoveries.find(caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &recovery.view()))
}
