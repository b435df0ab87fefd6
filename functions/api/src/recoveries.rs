//! Recoveries: redeliver many deliveries at once.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::DateTime;
use serde::Serialize;
use serde_json::json;
use stella::app::outbound::recover::Asked;
use stella::domain::outbound::recovery::{Counted, Criteria, RecoveryView};
use stella::error::Error;
use stella::web::authenticator::{Admin, Viewer};
use stella::web::data;
use stella::web::idempotency::Made;
use stella::web::request::{self, New};

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::about("Deliveries")
        .post(
            "/webhook-subscriptions/{id}/recover",
            recover,
            operation(
                "recover",
                "Recover deliveries",
                "Sends the final deliveries of a period again, in the background; with `dryRun`, only counts them.",
            )
            .takes(|fields| Criteria::read(fields, DateTime::default()))
            .with_example(
                || json!({"from": "2026-01-09T10:00:00Z", "to": "2026-01-09T12:00:00Z", "dryRun": true}),
            )
            .returns::<RecoveryView>(202)
            .returns::<Counted>(200)
            .conflicts("`subscription_disabled`: enable it first."),
        )
        .get(
            "/recoveries/{id}",
            show,
            operation("getRecovery", "Show a recovery", "Returns how far a recovery is.")
                .returns::<RecoveryView>(200),
        )
}

/// The answer to a request for a recovery.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Counted(Counted),
    Begun(RecoveryView),
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
                Answer::Counted(Counted { dry_run: true, matched, matched_is_lower_bound: is_lower_bound }),
            ),
            Asked::Begun(recovery) => (StatusCode::ACCEPTED, Answer::Begun(recovery.view())),
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
