//! Creates, changes and deletes webhook configs.
//!
//! Safe to run twice: the caller gives the ids, and every write is conditional on the revision that it
//! replaces. A config is stored twice, in its tenant's list and by its integration id, always in one
//! transaction.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::inbound::authentication::Authentication;
use crate::domain::inbound::config::{self, Config, Previous, Spec};
use crate::domain::inbound::integration::IntegrationId;
use crate::domain::inbound::url_token::UrlToken;
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::domain::shared::merge_patch::Change;
use crate::domain::shared::target::{EgressPolicy, Target};
use crate::egress::guard;
use crate::error::{Code, Error, FieldError, Kind};
use crate::random;
use crate::secrets::keyring::Keyring;
use crate::store::{Commit, Store, keys};

/// How long the previous secret stays valid after it was replaced, in hours.
const OVERLAP_HOURS: i64 = 24;

/// Creates, changes and deletes webhook configs.
#[derive(Clone)]
pub struct Configs {
    store: Store,
    keyring: Keyring,
    policy: EgressPolicy,
    integration_key: Vec<u8>,
}

impl Configs {
    /// Configs whose integration ids are made with `integration_key`, and whose issuers `policy` allows.
    #[must_use]
    pub fn new(store: Store, keyring: Keyring, policy: EgressPolicy, integration_key: &str) -> Self {
        Self { store, keyring, policy, integration_key: integration_key.as_bytes().to_vec() }
    }

    /// Creates a config. Also returns the URL token, if its authentication needs one.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake of the request.
    pub async fn create(
        &self,
        tenant: TenantId,
        id: Uuid,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<(Config, Option<UrlToken>), Error> {
        let (spec, secrets) = config::parse(body, false)?;
        self.check_issuer(&spec).await?;
        let id = ConfigId::from(id);
        let mut config = Config {
            id,
            integration_id: IntegrationId::mint(random::bytes(), &self.integration_key),
            tenant_id: tenant,
            spec,
            sealed_secret: None,
            sealed_previous_secret: None,
            url_token_hash: None,
            previous_url_token_hash: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        let minted = self.prove(&mut config, secrets, now).await?;
        let core = &self.store.core;
        let mut transaction = self.store.transaction();
        transaction.create(core, &keys::config(tenant, id), &config)?;
        transaction.create(core, &keys::integration(config.integration_id.uuid()), &config)?;
        match transaction.commit().await? {
            Commit::Done => Ok((config, minted)),
            // A repetition after a crash: the token of the first run is not known any more.
            Commit::Refused(_) => Ok((self.find(tenant, id).await?, None)),
        }
    }

    /// The tenant's config with this id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn find(&self, tenant: TenantId, id: ConfigId) -> Result<Config, Error> {
        self.store.core.get(&keys::config(tenant, id)).await?.ok_or_else(Error::not_found)
    }

    /// Replaces or patches a config. Also returns the URL token, if a new one was generated.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake; `Conflict` if the config was changed concurrently.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: ConfigId,
        change: &Change,
        now: DateTime<Utc>,
    ) -> Result<(Config, Option<UrlToken>), Error> {
        let before = self.find(tenant, id).await?;
        let (spec, secrets) =
            config::parse(&change.over(before.spec_json()), before.sealed_secret.is_some())?;
        self.check_issuer(&spec).await?;
        let mut after = Config { spec, updated_at: now, ..before.clone() };
        after.revision = before.revision.saturating_add(1);
        let minted = self.prove(&mut after, secrets, now).await?;
        self.replace(&before, &after).await?;
        Ok((after, minted))
    }

    /// An issuer is called, so its address is checked as a subscriber's is.
    async fn check_issuer(&self, spec: &Spec) -> Result<(), Error> {
        let Some(Authentication::Oidc { issuer, .. }) = &spec.authentication else { return Ok(()) };
        let wrong = |message: String| {
            let field = "authentication.issuer".to_owned();
            Error::unprocessable(vec![FieldError { field, message }])
        };
        let target = Target::vet(issuer, &self.policy).map_err(wrong)?;
        guard::check(&target, &self.policy).await.map(|_| ()).map_err(wrong)
    }

    async fn replace(&self, before: &Config, after: &Config) -> Result<(), Error> {
        let core = &self.store.core;
        let mut transaction = self.store.transaction();
        transaction.replace(core, &keys::config(after.tenant_id, after.id), after, before.revision)?;
        transaction.overwrite(core, &keys::integration(after.integration_id.uuid()), after)?;
        match transaction.commit().await? {
            Commit::Done => Ok(()),
            Commit::Refused(_) => {
                Err(Error::new(Kind::Conflict, Code::ChangedMeanwhile, "The config was changed meanwhile"))
            }
        }
    }

    /// Generates a new URL token. The previous one stays valid for `grace`.
    ///
    /// # Errors
    /// `NotFound` if the config does not exist; `Conflict` if it has no URL token, or was changed concurrently.
    pub async fn rotate_token(
        &self,
        tenant: TenantId,
        id: ConfigId,
        grace: Duration,
        now: DateTime<Utc>,
    ) -> Result<(Config, UrlToken), Error> {
        let before = self.find(tenant, id).await?;
        let Some(value) = before.url_token_hash.clone() else {
            let text = "This config does not authenticate its sender by a URL token";
            return Err(Error::new(Kind::Conflict, Code::NoUrlToken, text));
        };
        let until = now.checked_add_signed(grace).unwrap_or(now);
        let token = UrlToken::mint(random::bytes());
        let after = Config {
            url_token_hash: Some(token.hash()),
            previous_url_token_hash: Some(Previous { value, until }),
            updated_at: now,
            revision: before.revision.saturating_add(1),
            ..before.clone()
        };
        self.replace(&before, &after).await?;
        Ok((after, token))
    }

    /// Deletes a config. Its address then answers as an unknown one does.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn delete(&self, tenant: TenantId, id: ConfigId) -> Result<(), Error> {
        let before = self.find(tenant, id).await?;
        let mut transaction = self.store.transaction();
        transaction.delete(&self.store.core, &keys::config(tenant, id))?;
        transaction.delete(&self.store.core, &keys::integration(before.integration_id.uuid()))?;
        match transaction.commit().await? {
            Commit::Done => Ok(()),
            Commit::Refused(_) => Err(Error::fault("an unconditional delete was refused")),
        }
    }

    /// Seals the secret of the request; the previous one stays valid for a day. Generates the URL token if
    /// the authentication needs one and the config has none.
    async fn prove(
        &self,
        config: &mut Config,
        secrets: config::Secrets,
        now: DateTime<Utc>,
    ) -> Result<Option<UrlToken>, Error> {
        if let Some(secret) = secrets.secret {
            let place = keys::config(config.tenant_id, config.id);
            let sealed = self.keyring.seal(config.tenant_id, &place, &secret).await?;
            let until = now.checked_add_signed(Duration::hours(OVERLAP_HOURS)).unwrap_or(now);
            config.sealed_previous_secret =
                config.sealed_secret.take().map(|value| Previous { value, until });
            config.sealed_secret = Some(sealed);
        }
        if !config.spec.scheme().needs_url_token() || config.url_token_hash.is_some() {
            return Ok(None);
        }
        let token = UrlToken::mint(random::bytes());
        config.url_token_hash = Some(token.hash());
        Ok(Some(token))
    }
}
