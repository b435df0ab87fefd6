//! Tenants, and the API keys by which their callers are known.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use stella::app::access::tenants;
use stella::domain::access::tenant::{ApiKey, Tenant};
use stella::domain::shared::ids::TenantId;
use stella::error::Error;
use stella::random;
use stella::store::{Listing, keys};
use stella::web::authenticator::{Admin, Operator};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::says;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let key = |id, summary| says(id, summary).takes(tenants::read_key).gives(201, "ApiKey");
    Routes::about("Tenants and keys")
        .get("/tenants", list, says("listTenants", "Tenants, newest first").lists("Tenant"))
        .post(
            "/tenants",
            create,
            says("createTenant", "Makes a tenant").takes(tenants::read).gives(201, "Tenant"),
        )
        .post(
            "/tenants/{id}/api-keys",
            create_key_of,
            key("createApiKeyOfTenant", "Makes a key of any tenant"),
        )
        .get("/api-keys", list_keys, says("listApiKeys", "The tenant's keys, newest first").lists("ApiKey"))
        .post("/api-keys", create_key, key("createApiKey", "Makes a key of the caller's tenant"))
        .delete("/api-keys/{id}", revoke_key, says("revokeApiKey", "Revokes a key").gives(200, "RevokedKey"))
        .post(
            "/master-key/rewrap",
            rewrap,
            says("rewrap", "Wraps every tenant's data key anew, after the master key was rotated")
                .gives(200, "Rewrapped"),
        )
}

/// Tenants belong to nobody: their idempotency keys are kept under the nil id.
fn nobody() -> TenantId {
    TenantId::from(uuid::Uuid::nil())
}

async fn create(State(api): State<Arc<Api>>, _: Operator, new: New) -> Result<Response, Error> {
    let act = async |id| {
        let tenant = tenants::create(&api.store, id, &new.wanted, api.clock.now()).await?;
        Ok(Made { status: StatusCode::CREATED, data: tenants::view(&tenant), shows_secret: false })
    };
    api.creation(nobody(), "POST /tenants", &new).run(act).await
}

async fn list(State(api): State<Arc<Api>>, _: Operator, query: ListQuery) -> Result<Response, Error> {
    let listing = Listing::of(keys::TENANTS.to_owned(), "TENANT#");
    let found = api.store.core.list::<Tenant>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    page(&found, tenants::view)
}

async fn create_key_of(
    State(api): State<Arc<Api>>,
    _: Operator,
    Path(id): Path<String>,
    new: New,
) -> Result<Response, Error> {
    mint_key(&api, request::id(&id)?, &new).await
}

async fn create_key(State(api): State<Arc<Api>>, Admin(caller): Admin, new: New) -> Result<Response, Error> {
    mint_key(&api, caller.tenant, &new).await
}

async fn mint_key(api: &Api, tenant: TenantId, new: &New) -> Result<Response, Error> {
    let act = async |id| {
        let secret = random::bytes();
        let (key, text) =
            tenants::create_key(&api.store, tenant, id, secret, &new.wanted, api.clock.now()).await?;
        let mut data = tenants::view_key(&key);
        if let Some(members) = data.as_object_mut() {
            members.insert("key".to_owned(), Value::String(text));
        }
        Ok(Made { status: StatusCode::CREATED, data, shows_secret: true })
    };
    api.creation(tenant, "POST /api-keys", new).run(act).await
}

async fn list_keys(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    query: ListQuery,
) -> Result<Response, Error> {
    let listing = Listing::of(keys::tenant(caller.tenant), "APIKEY#");
    let found = api.store.core.list::<ApiKey>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    page(&found, tenants::view_key)
}

async fn revoke_key(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    tenants::revoke_key(&api.store, caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &json!({"id": id, "revoked": true})).into_response())
}

/// Wraps every tenant's data key with the master secret as it is now.
async fn rewrap(State(api): State<Arc<Api>>, _: Operator) -> Result<Response, Error> {
    let masters = api.keyring.masters().await?;
    let tenants: Vec<Tenant> = api.store.core.all(keys::TENANTS, "TENANT#").await?;
    let mut rewrapped = 0_u64;
    for tenant in &tenants {
        let is_new = api.keyring.rewrap(tenant.id, &masters).await?;
        rewrapped = rewrapped.saturating_add(u64::from(is_new));
    }
    Ok(data(StatusCode::OK, &json!({"tenants": tenants.len(), "rewrapped": rewrapped})))
}
