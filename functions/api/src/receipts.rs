//! What senders posted: the log, a replay, and a preview of what a body would do.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use stella::app::preview::{Sample, preview};
use stella::app::receipts;
use stella::domain::receipt::Receipt;
use stella::error::Error;
use stella::inbound;
use stella::store::{Listing, keys};
use stella::web::caller::{Admin, Viewer};
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/webhook-configs/{id}/receipts", list)
        .get("/webhook-configs/{id}/receipts/{receipt}", show)
        .post("/webhook-configs/{id}/receipts/{receipt}/replay", replay)
        .post("/webhook-configs/{id}/preview", see_through)
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path(id): Path<String>,
    query: ListQuery,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let listing = Listing::of(keys::receipts(caller.tenant, config.id), "");
    let (now, span) = (api.clock.now(), query.span()?);
    let keep = |receipt: &Receipt| {
        let action = || receipt.row().get("action").cloned();
        receipt.expires_at > now.timestamp()
            && span.contains(receipt.received_at)
            && query
                .action
                .as_ref()
                .is_none_or(|wanted| action().is_some_and(|action| action == wanted.as_str()))
    };
    let found = api.store.deliveries.list(&listing, &query.page()?, now, keep).await?;
    Ok(page(&found, Receipt::row))
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path((id, receipt)): Path<(String, String)>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let receipt = receipts::find(&api.store, &config, request::id(&receipt)?).await?;
    let kept = receipts::Kept::unpack(&receipt.request)?;
    Ok(data(StatusCode::OK, &receipt.whole(&kept.headers, &inbound::redact::body(&kept.body))))
}

async fn replay(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path((id, receipt)): Path<(String, String)>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let receipt = receipts::find(&api.store, &config, request::id(&receipt)?).await?;
    let (id, answer) = receipts::replay(&api.store, &api.intake, &config, receipt, api.clock.now()).await?;
    Ok(data(StatusCode::OK, &answer.view(Some(id))))
}

async fn see_through(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let sample = Sample::parse(&new.wanted)?;
    let now = api.clock.now();
    let parsed = inbound::read(&config, &sample.vouched_for(), now)?;
    Ok(data(StatusCode::OK, &preview(&api.intake, &config, &parsed, now).await?))
}
