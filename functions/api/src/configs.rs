//! Webhook configs: who may tell us what, and how they prove themselves.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::try_join_all;
use serde_json::json;
use stella::app::inbound::rejected_requests;
use stella::app::shared::filter_failures;
use stella::domain::inbound::config::{self, Config};
use stella::domain::inbound::config_view::ConfigView;
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
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let takes = |id, summary, description| {
        operation(id, summary, description).takes(|fields| config::read(fields, true))
    };
    Routes::about("Webhook configs")
        .get(
            "/webhook-configs",
            list,
            operation(
                "listWebhookConfigs",
                "List webhook configs",
                "Returns the webhook configs of the tenant, newest first.",
            )
            .lists::<ConfigView>(),
        )
        .post(
            "/webhook-configs",
            create,
            takes(
                "createWebhookConfig",
                "Create a webhook config",
                "Creates a webhook config. The answer has the address to paste into the sender.",
            )
            .for_example(|| {
                json!({"name": "GitHub", "type": "github-app", "secret": "a long random text",
                    "repositories": ["myorg/*"]})
            })
            .gives::<ConfigView>(201),
        )
        .get(
            "/webhook-configs/{id}",
            show,
            operation("getWebhookConfig", "Show a webhook config", "Returns one webhook config.")
                .gives::<ConfigView>(200),
        )
        .put(
            "/webhook-configs/{id}",
            change,
            takes(
                "replaceWebhookConfig",
                "Replace a webhook config",
                "Replaces the config's members. Members that are left out get their defaults; a stored secret stays.",
            )
            .for_example(|| {
                json!({"name": "Docker Hub", "type": "registry-push", "provider": "dockerhub",
                    "repositories": ["myorg/*"]})
            })
            .gives::<ConfigView>(200),
        )
        .patch(
            "/webhook-configs/{id}",
            change,
            takes(
                "changeWebhookConfig",
                "Change a webhook config",
                "Changes the members that are given (JSON Merge Patch, RFC 7396); `null` removes a member.",
            )
            .for_example(|| json!({"repositories": ["myorg/*"]}))
            .gives::<ConfigView>(200),
        )
        .delete(
            "/webhook-configs/{id}",
            remove,
            operation(
                "deleteWebhookConfig",
                "Delete a webhook config",
                "Deletes the config. Within a minute its address answers 404.",
            )
            .gives_nothing(204),
        )
        .post(
            "/webhook-configs/{id}/rotate-token",
            rotate_token,
            operation(
                "rotateToken",
                "Rotate the token of an address",
                "Generates a new token for the config's address. The previous one stays valid for the grace period.",
            )
            .takes(grace)
            .for_example(|| json!({"gracePeriodSeconds": 3_600}))
            .gives::<ConfigView>(200)
            .conflicts("`no_url_token`: its address has no token. `changed_meanwhile`: repeat the request."),
        )
}

/// The config with its `filterErrors`. If a token was generated just now, the address has it this once.
async fn view(
    api: &Api,
    config: &Config,
    minted: Option<&UrlToken>,
    origin: &Origin,
) -> Result<ConfigView, Error> {
    let failed = filter_failures::of_config(&api.store, config.tenant_id, config.id).await?;
    let failed = failed.view(config.mistakes(), config.updated_at);
    Ok(config.view(&api.base_url(origin), minted, failed))
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
    page(&found.with(views), ConfigView::clone)
}

async fn show(
    State(api): State<Arc<Api>>,
    Viewer(caller): Viewer,
    Extension(origin): Extension<Origin>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let config = api.configs.find(caller.tenant, request::id(&id)?).await?;
    let rejected = rejected_requests::last_day(&api.store, caller.tenant, config.id, api.clock.now()).await?;
    let view = view(&api, &config, None, &origin).await?;
    Ok(data(StatusCode::OK, &ConfigView { rejected_last24h: Some(rejected), ..view }))
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
