//! Tenants and their API keys.
//!
//! Safe to run twice: the caller gives the ids, and a second write finds the first item.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::access::tenant::{ApiKey, Role, Tenant, key_text};
use crate::domain::shared::ids::{ApiKeyId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::secret::secret_hash;
use crate::error::{Code, Error, Kind};
use crate::store::{Commit, Created, Store, keys};

/// Reads the members of a tenant: its name.
pub fn read(fields: &mut ObjectReader<'_>) -> Option<String> {
    Some(fields.required_text("name", 200))
}

/// Reads the members of an API key: its name and its role.
pub fn read_key(fields: &mut ObjectReader<'_>) -> Option<(String, Role)> {
    let name = fields.required_text("name", 200);
    fields.require("role");
    Some((name, fields.one_of("role", &Role::ALL)?))
}

/// Creates a tenant.
///
/// # Errors
/// `Unprocessable` with every mistake of the request; `Unavailable` if DynamoDB does not answer.
pub async fn create(store: &Store, id: Uuid, body: &Value, now: DateTime<Utc>) -> Result<Tenant, Error> {
    let name = ObjectReader::whole(body, read)?;
    let tenant = Tenant { id: TenantId::from(id), name, created_at: now };
    match store.core.create(&keys::tenant_entry(tenant.id), &tenant).await? {
        Created::Now => Ok(tenant),
        Created::Before(before) => Ok(before),
    }
}

/// Creates an API key of a tenant, and returns its text, which is not stored.
///
/// # Errors
/// `Unprocessable` with every mistake of the request; `NotFound` if there is no such tenant; `Conflict` if
/// the key was created before.
pub async fn create_key(
    store: &Store,
    tenant: TenantId,
    id: Uuid,
    secret: [u8; 32],
    body: &Value,
    now: DateTime<Utc>,
) -> Result<(ApiKey, String), Error> {
    let (name, role) = ObjectReader::whole(body, read_key)?;
    if store.core.get::<Tenant>(&keys::tenant_entry(tenant)).await?.is_none() {
        return Err(Error::not_found());
    }
    let id = ApiKeyId::from(id);
    let text = key_text(id, secret);
    let key = ApiKey { id, tenant_id: tenant, name, role, hash: secret_hash(&text), created_at: now };
    let mut transaction = store.transaction();
    transaction.create(&store.core, &keys::api_key_entry(tenant, id), &key)?;
    transaction.create(&store.core, &keys::api_key(&key.hash), &key)?;
    match transaction.commit().await? {
        Commit::Done => Ok((key, text)),
        Commit::Refused(_) => {
            Err(Error::new(Kind::Conflict, Code::SecretAlreadyShown, "This key was made and shown before"))
        }
    }
}

/// Revokes a key. Environments that have it cached accept it for 30 seconds at most.
///
/// # Errors
/// `NotFound` if the tenant has no such key.
pub async fn revoke_key(store: &Store, tenant: TenantId, id: ApiKeyId) -> Result<(), Error> {
    let entry = keys::api_key_entry(tenant, id);
    let key: ApiKey = store.core.get(&entry).await?.ok_or_else(Error::not_found)?;
    let mut transaction = store.transaction();
    transaction.delete(&store.core, &keys::api_key(&key.hash))?;
    transaction.delete(&store.core, &entry)?;
    match transaction.commit().await? {
        Commit::Done => Ok(()),
        Commit::Refused(_) => Err(Error::fault("an unconditional delete was refused")),
    }
}
