//! Creates, changes and deletes subscriptions.
//!
//! Safe to run twice: the caller gives the ids, and every write is conditional on the revision that it
//! replaces. Each change increments the tenant's revision in the same transaction: by it, fan-out knows that
//! its cache is stale.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::outbound::destination::Destination;
use crate::domain::outbound::message::{Command, ScanCursor};
use crate::domain::outbound::subscription::{self, AuthType, PreviousSecret, Secrets, Spec, Subscription};
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::domain::shared::merge_patch::Change;
use crate::domain::shared::origin::Origin;
use crate::domain::shared::own_address::OwnAddress;
use crate::domain::shared::signature::SigningSecret;
use crate::domain::shared::target::{EgressPolicy, Target};
use crate::egress::guard;
use crate::environment::Environment;
use crate::error::{Code, Error, FieldError, Kind};
use crate::queue::{Outgoing, Queue};
use crate::random;
use crate::secrets::keyring::Keyring;
use crate::store::subscriptions::Handle;
use crate::store::{Commit, Store, keys};

/// The delay of the command that cancels a deleted subscription's deliveries if we end right after the
/// delete, in seconds.
const CANCEL_SECONDS: i32 = 60;

/// Creates, changes and deletes subscriptions.
pub struct Subscriptions {
    store: Store,
    keyring: Keyring,
    policy: EgressPolicy,
    own: OwnAddress,
    commands: Queue,
}

impl Subscriptions {
    /// The subscriptions of a deployment, by its environment.
    ///
    /// # Errors
    /// `Fault` if a variable cannot be read.
    pub fn of(
        environment: &Environment,
        store: &Store,
        keyring: Keyring,
        commands: Queue,
    ) -> Result<Self, Error> {
        let policy = EgressPolicy::from_environment(environment)?;
        let own = OwnAddress::of(environment.variable("PUBLIC_URL"));
        Ok(Self { store: store.clone(), keyring, policy, own, commands })
    }

    /// Creates a subscription. `origin` is the domain and the API through which the request came. Also
    /// returns the signing secret, if we generated it.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake of the request.
    pub async fn create(
        &self,
        tenant: TenantId,
        id: Uuid,
        body: &Value,
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> Result<(Subscription, Option<String>), Error> {
        let (spec, secrets) = subscription::parse(body, false)?;
        self.check_url(&spec, origin).await?;
        let id = SubscriptionId::from(id);
        let mut subscription = Subscription {
            id,
            tenant_id: tenant,
            handle: 0,
            spec,
            sealed_signature_secret: None,
            previous_secret: None,
            sealed_credential: None,
            disabled_reason: None,
            created_at: now,
            updated_at: now,
            revision: 1,
        };
        let minted = self.seal(&mut subscription, secrets).await?;
        // A handle is 32 random bits and unique within its tenant. If it is taken, another one is drawn.
        for _ in 0..8 {
            subscription.handle = u32::from_be_bytes(random::bytes());
            let mut transaction = self.store.transaction();
            let core = &self.store.core;
            transaction.create(core, &keys::subscription(tenant, id), &subscription)?;
            transaction.create(
                core,
                &keys::handle(tenant, subscription.handle),
                &Handle { subscription_id: id },
            )?;
            for pattern in &subscription.spec.events {
                let key = keys::pattern_subscription(tenant, &pattern.to_string(), id);
                transaction.overwrite(core, &key, &subscription)?;
            }
            transaction.increment(core, &keys::revision(tenant), "number")?;
            match transaction.commit().await? {
                Commit::Done => return Ok((subscription, minted)),
                Commit::Refused(refused) if refused.iter().any(|(number, _)| *number == 0) => {
                    let stored = self.store.subscription(tenant, id).await?;
                    return Ok((stored, None));
                }
                Commit::Refused(_) => {}
            }
        }
        Err(Error::unavailable("no free handle was found for a subscription"))
    }

    /// Replaces or patches a subscription. Also returns the signing secret, if we generated it.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake; `Conflict` if the subscription was changed concurrently.
    pub async fn change(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        change: &Change,
        origin: &Origin,
        now: DateTime<Utc>,
    ) -> Result<(Subscription, Option<String>), Error> {
        let before = self.store.subscription(tenant, id).await?;
        let wanted = change.over(before.spec_json());
        // A stored credential is not reused when `authType` changes.
        let keeps_auth = wanted.get("authType") == Some(&json!(before.spec.auth_type));
        let has_credential = before.sealed_credential.is_some() && keeps_auth;
        let (spec, secrets) = subscription::parse(&wanted, has_credential)?;
        if spec.is_pull() != before.spec.is_pull() {
            return Err(wrong_url("cannot be changed to or from pull: make another subscription".to_owned()));
        }
        if spec.destination != before.spec.destination || spec.allow_self != before.spec.allow_self {
            self.check_url(&spec, origin).await?;
        }
        let mut after = Subscription { spec, updated_at: now, ..before.clone() };
        after.revision = before.revision.saturating_add(1);
        if after.spec.enabled {
            after.disabled_reason = None;
        }
        let minted = self.seal(&mut after, secrets).await?;
        self.store.replace_subscription(&before, &after).await?;
        // A new destination, or enabling it again, is a fresh start: earlier failures do not count.
        if after.spec.destination != before.spec.destination || (after.spec.enabled && !before.spec.enabled) {
            self.store.deliveries.clear_failures(&keys::state(tenant, id)).await?;
        }
        // If the request is repeated, the command is sent again: this mends a send that failed.
        let walk = ScanCursor::new(tenant, id);
        if after.spec.enabled {
            self.command(&after, Command::Resume(walk), 0).await?;
        } else if after.spec.is_pull() {
            self.command(&after, Command::Pause(walk), 0).await?;
        }
        Ok((after, minted))
    }

    /// Replaces the signing secret, and returns the new one. For `grace`, the old one signs as well.
    ///
    /// # Errors
    /// `Conflict` if the subscription does not sign, or was changed concurrently.
    pub async fn rotate_secret(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        grace: Duration,
        now: DateTime<Utc>,
    ) -> Result<(Subscription, String), Error> {
        let before = self.store.subscription(tenant, id).await?;
        if before.spec.auth_type != AuthType::Signature {
            let detail = "Only a subscription with authType signature has a signing secret";
            return Err(Error::new(Kind::Conflict, Code::NoSigningSecret, detail));
        }
        let secret = SigningSecret::mint(random::bytes());
        let key = keys::subscription(tenant, id);
        let sealed = self.keyring.seal(tenant, &key, secret.expose()).await?;
        let until = now.checked_add_signed(grace).unwrap_or(now);
        let mut after = before.clone();
        after.previous_secret =
            before.sealed_signature_secret.clone().map(|sealed| PreviousSecret { sealed, until });
        after.sealed_signature_secret = Some(sealed);
        after.updated_at = now;
        after.revision = before.revision.saturating_add(1);
        self.store.replace_subscription(&before, &after).await?;
        Ok((after, secret.expose().to_owned()))
    }

    /// Deletes a subscription. Its handle stays, so that its deliveries can still be read.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn delete(&self, tenant: TenantId, id: SubscriptionId) -> Result<(), Error> {
        let before = self.store.subscription(tenant, id).await?;
        // Sent before and after the delete: if we end in between, nobody can repeat the request.
        let cancel = || Command::Cancel(ScanCursor::new(tenant, id));
        self.command(&before, cancel(), CANCEL_SECONDS).await?;
        let core = &self.store.core;
        let mut transaction = self.store.transaction();
        transaction.delete(core, &keys::subscription(tenant, id))?;
        for pattern in &before.spec.events {
            transaction.delete(core, &keys::pattern_subscription(tenant, &pattern.to_string(), id))?;
        }
        transaction.increment(core, &keys::revision(tenant), "number")?;
        transaction.commit().await?;
        self.command(&before, cancel(), 0).await
    }

    async fn check_url(&self, spec: &Spec, origin: &Origin) -> Result<(), Error> {
        let Destination::Http(url) = &spec.destination else { return Ok(()) };
        let target = Target::vet(url, &self.policy).map_err(wrong_url)?;
        let addresses = guard::check(&target, &self.policy).await.map_err(wrong_url)?;
        let own = self.own.called(origin.domain.as_deref(), origin.api_id.as_deref());
        if !spec.allow_self && own.is_inbound(&target, &addresses) {
            let message = "is an inbound address of this deployment: deliveries would come back in; set allowSelf to \
                           allow that";
            return Err(wrong_url(message.to_owned()));
        }
        Ok(())
    }

    /// Seals the secrets of the request. Generates and returns a signing secret if one is needed.
    async fn seal(&self, subscription: &mut Subscription, secrets: Secrets) -> Result<Option<String>, Error> {
        let (tenant, key) =
            (subscription.tenant_id, keys::subscription(subscription.tenant_id, subscription.id));
        if let Some(credential) = secrets.credential {
            subscription.sealed_credential = Some(self.keyring.seal(tenant, &key, &credential).await?);
        }
        let signs = subscription.spec.auth_type == AuthType::Signature;
        let (secret, minted) = match secrets.signature_secret {
            Some(secret) => (secret, false),
            None if signs && subscription.sealed_signature_secret.is_none() => {
                (SigningSecret::mint(random::bytes()), true)
            }
            None => return Ok(None),
        };
        subscription.sealed_signature_secret = Some(self.keyring.seal(tenant, &key, secret.expose()).await?);
        Ok(minted.then(|| secret.expose().to_owned()))
    }

    async fn command(
        &self,
        subscription: &Subscription,
        command: Command,
        delay_seconds: i32,
    ) -> Result<(), Error> {
        let group = subscription.id.to_string();
        self.commands.send(Outgoing { body: &command, group, delay_seconds }).await
    }
}

fn wrong_url(message: String) -> Error {
    Error::unprocessable(vec![FieldError { field: "url".to_owned(), message }])
}
