//! The tenants' data keys: created once, stored wrapped by the master key, cached open in memory.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::seal::SealKey;
use crate::aws::Aws;
use crate::domain::outbound::lineage::LineageKey;
use crate::domain::shared::ids::TenantId;
use crate::environment::Environment;
use crate::error::Error;
use crate::random;
use crate::store::{Created, Key, Store, keys};

/// Seals and opens secrets of every tenant.
#[derive(Clone)]
pub struct Keyring {
    store: Store,
    client: Client,
    master_id: String,
    master: Arc<Mutex<Option<Master>>>,
    open: Arc<Mutex<HashMap<TenantId, SealKey>>>,
}

/// A data key, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    wrapped_key: String,
}

/// The keys that are derived from the master secret.
#[derive(Clone)]
struct Master {
    wraps: SealKey,
    lineage: LineageKey,
}

impl Master {
    fn of_secret(text: &str) -> Self {
        Self { wraps: SealKey::of_master_secret(text), lineage: LineageKey::of_master_secret(text) }
    }
}

/// The keys of the current master secret and, during a rotation, of the previous one.
pub struct Masters {
    current: Master,
    previous: Option<Master>,
}

impl Masters {
    fn open(&self, wrapped: &Wrapped, at: &Key) -> Result<Vec<u8>, Error> {
        let opened = self.current.wraps.open(&wrapped.wrapped_key, &place(at));
        match (&self.previous, opened) {
            (Some(previous), Err(_)) => previous.wraps.open(&wrapped.wrapped_key, &place(at)),
            (_, opened) => opened,
        }
    }

    /// The keys that sign numbers of hops, the current one first.
    pub fn lineages(&self) -> impl Iterator<Item = &LineageKey> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten().map(|master| &master.lineage)
    }
}

impl Keyring {
    /// The keyring of a function, by its environment.
    ///
    /// # Errors
    /// `Fault` if a variable is missing.
    pub fn of(environment: &Environment, aws: &Aws, store: &Store) -> Result<Self, Error> {
        Ok(Self::new(store.clone(), aws.secrets_manager(), environment.required("MASTER_SECRET_ID")?))
    }

    /// A keyring. The master secret is read when it is first needed.
    #[must_use]
    pub fn new(store: Store, client: Client, master_id: &str) -> Self {
        Self { store, client, master_id: master_id.to_owned(), master: Arc::default(), open: Arc::default() }
    }

    /// Seals a tenant's text for the item at `key`.
    ///
    /// # Errors
    /// `Unavailable` if a key cannot be read.
    pub async fn seal(&self, tenant: TenantId, key: &Key, plain: &str) -> Result<String, Error> {
        let data_key = self.data_key(tenant, true).await?;
        data_key.seal(plain.as_bytes(), &place(key), random::bytes())
    }

    /// Opens a text that was sealed for the item at `key`.
    ///
    /// # Errors
    /// `Unavailable` if a key cannot be read; `Fault` if the text does not open.
    pub async fn open(&self, tenant: TenantId, key: &Key, sealed: &str) -> Result<String, Error> {
        let plain = self.data_key(tenant, false).await?.open(sealed, &place(key))?;
        String::from_utf8(plain).map_err(|_| Error::fault("A sealed secret is not text"))
    }

    /// A tenant's data key. Of two concurrent writers that create one, both use the key that was stored
    /// first.
    async fn data_key(&self, tenant: TenantId, may_create: bool) -> Result<SealKey, Error> {
        if let Some(key) = self.open.lock().await.get(&tenant) {
            return Ok(key.clone());
        }
        let master = self.master().await?.wraps;
        let at = keys::keyring(tenant);
        let wrapped = match self.store.core.get::<Wrapped>(&at).await? {
            Some(wrapped) => wrapped,
            None if may_create => {
                let made = Wrapped {
                    wrapped_key: master.seal(&random::bytes::<32>(), &place(&at), random::bytes())?,
                };
                match self.store.core.create(&at, &made).await? {
                    Created::Now => made,
                    Created::Before(stored) => stored,
                }
            }
            None => return Err(Error::fault("A tenant has no data key")),
        };
        let bytes = match master.open(&wrapped.wrapped_key, &place(&at)) {
            Ok(bytes) => bytes,
            // The master secret was rotated after we read it, or this data key is still wrapped by the
            // previous one.
            Err(_) => self.masters().await?.open(&wrapped, &at)?,
        };
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| Error::fault("A data key has the wrong length"))?;
        let key = SealKey::of_bytes(&bytes);
        self.open.lock().await.insert(tenant, key.clone());
        Ok(key)
    }

    /// Wraps a tenant's data key with the current master key. Returns whether that was necessary.
    ///
    /// Safe to run twice, also concurrently: the data key itself stays the same.
    ///
    /// # Errors
    /// `Unavailable` if a key cannot be read; `Fault` if neither master key opens the data key.
    pub async fn rewrap(&self, tenant: TenantId, masters: &Masters) -> Result<bool, Error> {
        let at = keys::keyring(tenant);
        let Some(wrapped) = self.store.core.get::<Wrapped>(&at).await? else { return Ok(false) };
        if masters.current.wraps.open(&wrapped.wrapped_key, &place(&at)).is_ok() {
            return Ok(false);
        }
        let bytes = masters.open(&wrapped, &at)?;
        let anew = Wrapped { wrapped_key: masters.current.wraps.seal(&bytes, &place(&at), random::bytes())? };
        self.store.core.put(&at, &anew).await?;
        Ok(true)
    }

    /// Reads the current master secret and, during a rotation, the previous one.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be read.
    pub async fn masters(&self) -> Result<Masters, Error> {
        let texts = super::read_both(&self.client, &self.master_id).await?;
        let mut keys = texts.iter().map(|text| Master::of_secret(text));
        let current = keys.next().ok_or_else(|| Error::fault("The master secret has no text"))?;
        *self.master.lock().await = Some(current.clone());
        Ok(Masters { current, previous: keys.next() })
    }

    /// The key that signs numbers of hops.
    ///
    /// # Errors
    /// `Unavailable` if the master secret cannot be read.
    pub async fn lineage(&self) -> Result<LineageKey, Error> {
        self.master().await.map(|master| master.lineage)
    }

    async fn master(&self) -> Result<Master, Error> {
        let mut master = self.master.lock().await;
        if let Some(key) = master.as_ref() {
            return Ok(key.clone());
        }
        let key = Master::of_secret(&super::read(&self.client, &self.master_id).await?);
        Ok(master.insert(key).clone())
    }
}

/// The associated data of sealing: partition and sort key of the item, which contain its tenant.
fn place(key: &Key) -> String {
    format!("{}/{}", key.pk, key.sk)
}
