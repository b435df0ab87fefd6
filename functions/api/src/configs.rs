//! Webhook configs: who may tell us what, and how they prove themselves.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use stella::app::inbound::rejected_requests;
use stella::app::shared::filter_failures;
use stella::domain::inbound::config::{self, Config};
use stella::domain::inbound::url_token::UrlToken;
use stella::domain::shared::merge_patch::Change;
use stella::domain::shared::object_reader::ObjectReader;
use stella::domain::shared::origin::Origin;
use stella::error::Error;
use stella::store::{Listing, keys};
use stella::web::authenticator::{Admin, Viewer};
use stella::web::idempotency::Made;
use stella::web::request::{self, Body, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::grace::grace;
use crate::openapi::operation::says;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let takes = |id, summary| says(id, summary).takes(|fields| config::read(fields, true));
    let changed = |id, summary| takes(id, summary).gives(200, "WebhookConfig");
    Routes::about("Webhook configs")
        .get(
            "/webhook-configs",
            list,
            says("listWebhookConfigs", "Configs, newest first").lists("WebhookConfig"),
        )
        .post(
            "/webhook-configs",
            create,
            takes("createWebhookConfig", "Makes a config, and the address to paste into the sender")
                .for_example(|| {
                    json!({"name": "GitHub", "type": "github-app", "secret": "a long random text",
                    "repositories": ["myorg/*"]})
                })
                .gives(201, "WebhookConfig"),
        )
        .get("/webhook-configs/{id}", show, says("getWebhookConfig", "A config").gives(200, "WebhookConfig"))
        .put("/webhook-configs/{id}", change, changed("replaceWebhookConfig", "Says anew what a config is"))
        .patch(
            "/webhook-configs/{id}",
            change,
            changed("changeWebhookConfig", "Changes some of what a config is"),
        )
        .delete(
            "/webhook-configs/{id}",
            remove,
            says("deleteWebhookConfig", "Deletes a config: its address answers 404 within a minute")
                .gives_nothing(204),
        )
        .post(
            "/webhook-configs/{id}/rotate-token",
            rotate_token,
            says("rotateToken", "Mints another token for the address")
                .takes(grace)
                .gives(200, "WebhookConfig")
                .conflicts("`no_url_token`: its address carries none. `changed_meanwhile`: try again."),
        )
}

/// The config with its `filterErrors`; with a token that was minted just now, its address carries it this once.
async fn view(
    api: &Api,
    config: &Config,
    minted: Option<&UrlToken>,
    origin: &Origin,
) -> Result<Value, Error> {
    let mut view = config.view(&api.base_url(origin));
    let failed = filter_failures::of_config(&api.store, config.tenant_id, config.id).await?;
    let failed = failed.view(config.mistakes(), config.updated_at);
    if let (Some(members), Some(failed)) = (view.as_object_mut(), failed) {
        members.insert("filterErrors".to_owned(), failed);
    }
    if let (Some(members), Some(token)) = (view.as_object_mut(), minted) {
        let url = members.get("url").and_then(Value::as_str).unwrap_or_default();
        let url = format!("{url}/{}", token.expose());
        members.insert("url".to_owned(), json!(url));
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
        let (config, minted) = api.configs.create(caller.tenant, id, &new.wanted, api.clock.now()).await?;
        let data = view(&api, &config, minted.as_ref(), &origin).await?;
        Ok(Made { status: StatusCode::CREATED, data, shows_secret: minted.is_some() })
    };
    api.creation(caller.tenant, "POST /webhook-configs", &new).run(act).await
}

async fn list(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    query: ListQuery,
) -> Result<Response, Error> {
    let listing = Listing::of(keys::tenant(caller.tenant), "CONFIG#");
    let found = api.store.core.list::<Config>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    let views = try_join_all(found.items.iter().map(|config| view(&api, config, None, &origin))).await?;
    let mut views = views.into_iter();
    page(&found.map(|_| views.next().unwrap_or_default()), Value::clone)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let rejected = rejected_requests::last_day(&api.store, caller.tenant, config.id, api.clock.now()).await?;
    let mut view = view(&api, &config, None, &origin).await?;
    if let Some(members) = view.as_object_mut() {
        members.insert("rejectedLast24h".to_owned(), json!(rejected));
    }
    Ok(data(StatusCode::OK, &view))
}

async fn change(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    Path(id): Path<String>,
    change: Change,
) -> Result<Response, Error> {
    let (id, now) = (request::id(&id)?, api.clock.now());
    let (config, minted) = api.configs.change(caller.tenant, id, &change, now).await?;
    Ok(data(StatusCode::OK, &view(&api, &config, minted.as_ref(), &origin).await?))
}

async fn rotate_token(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Extension(origin): Extension<Origin>,
    Path(id): Path<String>,
    Body(wanted): Body,
) -> Result<Response, Error> {
    let grace = ObjectReader::whole(&wanted, grace)?;
    let (id, now) = (request::id(&id)?, api.clock.now());
    let (config, token) = api.configs.rotate_token(caller.tenant, id, grace, now).await?;
    Ok(data(StatusCode::OK, &view(&api, &config, Some(&token), &origin).await?))
}

async fn remove(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    api.configs.delete(caller.tenant, request::id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
