//! The webhook configs that senders call, with their secrets, cached for a minute.

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use crate::domain::inbound::config::Config;
use crate::domain::inbound::integration::IntegrationId;
use crate::domain::shared::bounded_map::BoundedMap;
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::error::Error;
use crate::secrets::keyring::Keyring;
use crate::store::{Store, keys};

/// How long a config and its secrets are cached, in seconds.
const CACHED_SECONDS: i64 = 60;

/// How often a config may be dropped from the cache because an authentication failed, in seconds.
const FORGOTTEN_SECONDS: i64 = 30;

/// How many configs are cached.
const MAX_KNOWN: usize = 10_000;

/// When a config was read, and the config; `None` if it does not exist.
type Read = (DateTime<Utc>, Option<Config>);

/// When a config's secrets were read, for which revision of the config, and the secrets.
type Opened = (DateTime<Utc>, u64, Vec<String>);

/// Configs by their integration ids.
pub struct ConfigCache {
    store: Store,
    keyring: Keyring,
    secrets: aws_sdk_secretsmanager::Client,
    stage: String,
    integration_key: Vec<u8>,
    known: Mutex<BoundedMap<IntegrationId, Read>>,
    opened: Mutex<BoundedMap<ConfigId, Opened>>,
    forgotten: Mutex<BoundedMap<ConfigId, DateTime<Utc>>>,
}

impl ConfigCache {
    /// Configs whose integration ids carry a checksum made with `integration_key`.
    #[must_use]
    pub fn new(
        store: Store,
        keyring: Keyring,
        secrets: aws_sdk_secretsmanager::Client,
        stage: &str,
        integration_key: &str,
    ) -> Self {
        Self {
            store,
            keyring,
            secrets,
            stage: stage.to_owned(),
            integration_key: integration_key.as_bytes().to_vec(),
            known: Mutex::new(BoundedMap::new(MAX_KNOWN)),
            opened: Mutex::new(BoundedMap::new(MAX_KNOWN)),
            forgotten: Mutex::new(BoundedMap::new(MAX_KNOWN)),
        }
    }

    /// The config of an integration id, if there is one. An id with a wrong checksum costs no read.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn find(&self, id: IntegrationId, now: DateTime<Utc>) -> Result<Option<Config>, Error> {
        if !id.is_genuine(&self.integration_key) {
            return Ok(None);
        }
        if let Some((read, config)) = self.known.lock().await.get(&id)
            && is_fresh(*read, now)
        {
            return Ok(config.clone());
        }
        let config: Option<Config> = self.store.core.get(&keys::integration(id.uuid())).await?;
        let mut known = self.known.lock().await;
        known.insert(id, (now, config.clone()));
        Ok(config)
    }

    /// Drops a config and its secrets from the cache, so that they are read again. At most once in 30
    /// seconds, so that failed authentications cost no reads. Returns whether it did.
    pub async fn forget(&self, config: &Config, now: DateTime<Utc>) -> bool {
        let mut forgotten = self.forgotten.lock().await;
        let last = forgotten.get(&config.id);
        if last.is_some_and(|last| now.signed_duration_since(*last) < Duration::seconds(FORGOTTEN_SECONDS)) {
            return false;
        }
        forgotten.insert(config.id, now);
        self.known.lock().await.remove(&config.integration_id);
        self.opened.lock().await.remove(&config.id);
        true
    }

    /// The config with this id, read now.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn by_id(&self, tenant: TenantId, id: ConfigId) -> Result<Option<Config>, Error> {
        self.store.core.get(&keys::config(tenant, id)).await
    }

    /// The secrets of a config that are valid at `now`, the newest first.
    ///
    /// # Errors
    /// `Unavailable` if one cannot be read.
    pub async fn secrets(&self, config: &Config, now: DateTime<Utc>) -> Result<Vec<String>, Error> {
        if let Some((read, revision, secrets)) = self.opened.lock().await.get(&config.id)
            && *revision == config.revision
            && is_fresh(*read, now)
        {
            return Ok(secrets.clone());
        }
        let secrets = self.open(config, now).await?;
        let mut opened = self.opened.lock().await;
        opened.insert(config.id, (now, config.revision, secrets.clone()));
        Ok(secrets)
    }

    async fn open(&self, config: &Config, now: DateTime<Utc>) -> Result<Vec<String>, Error> {
        if let Some(name) = &config.spec.secret_ref {
            let name = crate::secrets::tenants_entry(&self.stage, config.tenant_id, name);
            // Blanks and line breaks at the ends are those of the file or form that the entry was made from.
            let texts = crate::secrets::read_both(&self.secrets, &name).await?;
            return Ok(texts.iter().map(|text| text.trim().to_owned()).collect());
        }
        let place = keys::config(config.tenant_id, config.id);
        let mut secrets = Vec::new();
        for sealed in config.live_sealed_secrets(now) {
            secrets.push(self.keyring.open(config.tenant_id, &place, sealed).await?);
        }
        Ok(secrets)
    }
}

fn is_fresh(read: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(read) < Duration::seconds(CACHED_SECONDS)
}
