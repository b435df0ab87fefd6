//! Tenants and their API keys.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use stella::app::access::tenants;
use stella::domain::access::tenant::{ApiKey, ApiKeyView, Tenant, TenantView};
use stella::domain::shared::ids::{ApiKeyId, TenantId};
use stella::error::Error;
use stella::random;
use stella::store::{Listing, keys};
use stella::web::authenticator::{Admin, Operator};
use stella::web::idempotency::Made;
use stella::web::request::{self, ListQuery, New};
use stella::web::{data, page};

use crate::Api;
use crate::openapi::operation::operation;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let key = |id, summary, description| {
        operation(id, summary, description)
            .takes(tenants::read_key)
            .with_example(|| json!({"name": "CI", "role": "publisher"}))
            .returns::<ApiKeyView>(201)
    };
    Routes::about("Tenants and keys")
        .get(
            "/tenants",
            list,
            operation("listTenants", "List tenants", "Returns all tenants, newest first.")
                .lists::<TenantView>(),
        )
        .post(
            "/tenants",
            create,
            operation("createTenant", "Create a tenant", "Creates a tenant, which has no API keys yet.")
                .takes(tenants::read)
                .with_example(|| json!({"name": "acme"}))
                .returns::<TenantView>(201),
        )
        .post(
            "/tenants/{id}/api-keys",
            create_key_of,
            key(
                "createApiKeyOfTenant",
                "Create an API key for a tenant",
                "Creates an API key for any tenant. The answer is the only one that shows the key.",
            ),
        )
        .get(
            "/api-keys",
            list_keys,
            operation("listApiKeys", "List API keys", "Returns the API keys of the tenant, newest first.")
                .lists::<ApiKeyView>(),
        )
        .post(
            "/api-keys",
            create_key,
            key(
                "createApiKey",
                "Create an API key",
                "Creates an API key for the caller's tenant. The answer is the only one that shows the key.",
            ),
        )
        .delete(
            "/api-keys/{id}",
            revoke_key,
            operation(
                "revokeApiKey",
                "Revoke an API key",
                "Revokes the key. It works for at most 30 seconds more.",
            )
            .returns::<RevokedKey>(200),
        )
        .post(
            "/master-key/rewrap",
            rewrap,
            operation(
                "rewrap",
                "Rewrap the data keys",
                "Encrypts the data key of every tenant with the current master key, after that was rotated.",
            )
            .returns::<Rewrapped>(200),
        )
}

/// The answer to the revocation of an API key.
#[derive(Serialize, JsonSchema)]
struct RevokedKey {
    /// The key's id.
    #[schemars(with = "ApiKeyId")]
    id: String,
    /// Always `true`. The key works for at most 30 seconds more.
    #[schemars(extend("const" = true))]
    revoked: bool,
}

/// The answer to a rewrap.
#[derive(Serialize, JsonSchema)]
struct Rewrapped {
    /// How many tenants there are.
    tenants: usize,
    /// How many of their data keys were encrypted with an older master key.
    rewrapped: u64,
}

/// The nil id, under which the idempotency keys of requests that create tenants are stored: a tenant has no
/// owner.
fn nobody() -> TenantId {
    TenantId::from(uuid::Uuid::nil())
}

async fn create(State(api): State<Arc<Api>>, _: Operator, new: New) -> Result<Response, Error> {
    let act = async |id| {
        let tenant = tenants::create(&api.store, id, &new.wanted, api.clock.now()).await?;
        Ok(Made { status: StatusCode::CREATED, data: tenant.view(), shows_secret: false })
    };
    api.creation(nobody(), "POST /tenants", &new).run(act).await
}

async fn list(State(api): State<Arc<Api>>, _: Operator, query: ListQuery) -> Result<Response, Error> {
    let listing = Listing::of(keys::TENANTS.to_owned(), "TENANT#");
    let found = api.store.core.list::<Tenant>(&listing, &query.page()?, api.clock.now(), |_| true).await?;
    page(&found, Tenant::view)
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
        let data = ApiKeyView { key: Some(text), ..key.view() };
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
    page(&found, ApiKey::view)
}

async fn revoke_key(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    tenants::revoke_key(&api.store, caller.tenant, request::id(&id)?).await?;
    Ok(data(StatusCode::OK, &RevokedKey { id, revoked: true }))
}

/// Wraps every tenant's data key with the current master key.
async fn rewrap(State(api): State<Arc<Api>>, _: Operator) -> Result<Response, Error> {
    let masters = api.keyring.masters().await?;
    let tenants: Vec<Tenant> = api.store.core.all(keys::TENANTS, "TENANT#").await?;
    let mut rewrapped = 0_u64;
    for tenant in &tenants {
        let is_new = api.keyring.rewrap(tenant.id, &masters).await?;
        rewrapped = rewrapped.saturating_add(u64::from(is_new));
    }
    Ok(data(StatusCode::OK, &Rewrapped { tenants: tenants.len(), rewrapped }))
}
