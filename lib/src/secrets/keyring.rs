//! The tenants' data keys: made once, stored wrapped by the master key, kept open in memory.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::seal::SealKey;
use crate::aws::Aws;
use crate::chance;
use crate::domain::ids::TenantId;
use crate::environment::Environment;
use crate::error::Error;
use crate::store::{Created, Key, Store, keys};

/// Seals and opens for every tenant.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    client: Client,
    master_id: String,
    master: Arc<Mutex<Option<SealKey>>>,
    open: Arc<Mutex<HashMap<TenantId, SealKey>>>,
}

/// A data key as stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    wrapped_key: String,
}

impl Keyring {
    /// The keyring of a function.
    ///
    /// # Errors
    /// A fault when a variable is missing.
    pub fn of(environment: &Environment, aws: &Aws, store: &Store) -> Result<Self, Error> {
        Ok(Self::new(store.clone(), aws.secrets_manager(), environment.required("MASTER_SECRET_ID")?))
    }

    /// A keyring whose master secret is read when it is first needed.
    #[must_use]
    pub fn new(store: Store, client: Client, master_id: &str) -> Self {
        Self { store, client, master_id: master_id.to_owned(), master: Arc::default(), open: Arc::default() }
    }

    /// Seals a text of a tenant for the item at `key`.
    ///
    /// # Errors
    /// Unavailable when a key cannot be read.
    pub async fn seal(&self, tenant: TenantId, key: &Key, plain: &str) -> Result<String, Error> {
        let data_key = self.data_key(tenant, true).await?;
        data_key.seal(plain.as_bytes(), &place(key), chance::bytes())
    }

    /// Opens a text that was sealed for the item at `key`.
    ///
    /// # Errors
    /// Unavailable when a key cannot be read; a fault when the text does not open.
    pub async fn open(&self, tenant: TenantId, key: &Key, sealed: &str) -> Result<String, Error> {
        let plain = self.data_key(tenant, false).await?.open(sealed, &place(key))?;
        String::from_utf8(plain).map_err(|_| Error::fault("A sealed secret is not text"))
    }

    /// A tenant's data key. Two writers may both make one: the first stored is the one that both use.
    async fn data_key(&self, tenant: TenantId, may_create: bool) -> Result<SealKey, Error> {
        if let Some(key) = self.open.lock().await.get(&tenant) {
            return Ok(key.clone());
        }
        let master = self.master().await?;
        let at = keys::keyring(tenant);
        let wrapped = match self.store.core.get::<Wrapped>(&at).await? {
            Some(wrapped) => wrapped,
            None if may_create => {
                let made = Wrapped {
                    wrapped_key: master.seal(&chance::bytes::<32>(), &place(&at), chance::bytes())?,
                };
                match self.store.core.create(&at, &made).await? {
                    Created::Now => made,
                    Created::Before(stored) => stored,
                }
            }
            None => return Err(Error::fault("A tenant has no data key")),
        };
        let bytes = master.open(&wrapped.wrapped_key, &place(&at))?;
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| Error::fault("A data key has the wrong length"))?;
        let key = SealKey::of_bytes(&bytes);
        self.open.lock().await.insert(tenant, key.clone());
        Ok(key)
    }

    async fn master(&self) -> Result<SealKey, Error> {
        let mut master = self.master.lock().await;
        if let Some(key) = master.as_ref() {
            return Ok(key.clone());
        }
        let key = SealKey::of_master_secret(&super::read(&self.client, &self.master_id).await?);
        Ok(master.insert(key).clone())
    }
}

/// What sealing binds to: tenant and item, which a key names both.
fn place(key: &Key) -> String {
    format!("{}/{}", key.pk, key.sk)
}
