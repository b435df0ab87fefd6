//! Receipts: the log of what senders posted, its replay, and the preview of a body.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use stella::app::inbound::receipts;
use stella::app::releases::preview::{Preview, Sample, preview};
use stella::app::releases::replay;
use stella::domain::inbound::answer_view::AnswerBody;
use stella::domain::inbound::receipt::Receipt;
use stella::domain::inbound::receipt_view::ReceiptView;
use stella::domain::inbound::{normalise, redact};
use stella::error::Error;
use stella::store::{Listing, keys};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::request::{self, Body, ListQuery};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

/// The actions with which pushes are answered, by name.
const ACTIONS: [&str; 6] = ["processed", "ignored", "duplicate", "pong", "handshake", "queued"];

pub(crate) fn routes() -> Routes {
    Routes::about("Webhook configs")
        .get(
            "/webhook-configs/{id}/receipts",
            list,
            operation(
                "listReceipts",
                "List receipts",
                "Returns the requests that the config received in the last 30 days, newest first.",
            )
            .lists::<ReceiptView>()
            .filtered_by("action", || json!({"enum": ACTIONS}), "Only requests with which this was done.")
            .within_a_period(),
        )
        .get(
            "/webhook-configs/{id}/receipts/{receipt}",
            show,
            operation(
                "getReceipt",
                "Show a receipt",
                "Returns one request: its headers and body, what happened, and the answer.",
            )
            .returns::<ReceiptView>(200),
        )
        .post(
            "/webhook-configs/{id}/receipts/{receipt}/replay",
            replay,
            operation(
                "replay",
                "Replay a request",
                "Processes a request again. Events that were processed before are duplicates.",
            )
            .returns::<AnswerBody>(200)
            .conflicts("`not_replayable`: the receipt does not have the whole body."),
        )
        .post(
            "/webhook-configs/{id}/preview",
            see_through,
            operation(
                "preview",
                "Preview a request",
                "Returns what a request would do. Nothing is stored, and the request needs no credentials.",
            )
            .takes(Sample::read)
            .with_example(|| {
                json!({"headers": {"X-GitHub-Event": "ping"}, "body": {"zen": "Keep it logically awesome."}})
            })
            .returns::<Preview>(200),
        )
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
    let action = ListQuery::one_of("action", query.action.as_deref(), &ACTIONS)?;
    let keep = |receipt: &Receipt| {
        receipt.expires_at > now.timestamp()
            && span.contains(receipt.received_at)
            && action.is_none_or(|action| receipt.answer.name() == action)
    };
    let found = api.store.deliveries.list(&listing, &query.page()?, now, keep).await?;
    page(&found, Receipt::row)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Path((id, receipt)): Path<(String, String)>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let receipt = receipts::find(&api.store, &config, request::id(&receipt)?).await?;
    let kept = receipts::Kept::unpack(&receipt.request)?;
    Ok(data(StatusCode::OK, &receipt.whole(kept.headers, &redact::body(&kept.body))))
}

async fn replay(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path((id, receipt)): Path<(String, String)>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let receipt = receipts::find(&api.store, &config, request::id(&receipt)?).await?;
    let (id, answer) = replay::replay(&api.store, &api.intake, &config, receipt, api.clock.now()).await?;
    Ok(data(StatusCode::OK, &answer.view(Some(id))))
}

async fn see_through(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let sample = Sample::parse(&wanted)?;
    let now = api.clock.now();
    let parsed = normalise::read(&config, &sample.vouched_for(), now)?;
    Ok(data(StatusCode::OK, &preview(&api.intake, &config, &parsed, now).await?))
}
