//! Stored subscriptions: by id, by the handle in delivery ids, and by each event pattern, which fan-out
//! reads.

use serde::{Deserialize, Serialize};

use super::{Commit, Store, keys};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Code, Error, Kind};

/// The subscription of a handle, within its tenant.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handle {
    pub(crate) subscription_id: SubscriptionId,
}

impl Store {
    /// The tenant's subscription with this id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn subscription(&self, tenant: TenantId, id: SubscriptionId) -> Result<Subscription, Error> {
        self.find_subscription(tenant, id).await?.ok_or_else(Error::not_found)
    }

    /// The tenant's subscription with this id, or `None` if it does not exist.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn find_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, Error> {
        self.core.get(&keys::subscription(tenant, id)).await
    }

    /// The subscription of the handle in a delivery id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn subscription_of(&self, tenant: TenantId, handle: u32) -> Result<SubscriptionId, Error> {
        let handle: Option<Handle> = self.core.get(&keys::handle(tenant, handle)).await?;
        handle.map(|handle| handle.subscription_id).ok_or_else(Error::not_found)
    }

    /// Replaces a subscription in all its places, and increments its tenant's revision.
    ///
    /// # Errors
    /// `Conflict` if the subscription was changed concurrently.
    pub async fn replace_subscription(
        &self,
        before: &Subscription,
        after: &Subscription,
    ) -> Result<(), Error> {
        let (core, tenant, id) = (&self.core, after.tenant_id, after.id);
        let mut transaction = self.transaction();
        transaction.replace(core, &keys::subscription(tenant, id), after, before.revision)?;
        for pattern in before.spec.events.iter().filter(|pattern| !after.spec.events.contains(pattern)) {
            transaction.delete(core, &keys::pattern_subscription(tenant, &pattern.to_string(), id))?;
        }
        for pattern in &after.spec.events {
            transaction.overwrite(
                core,
                &keys::pattern_subscription(tenant, &pattern.to_string(), id),
                after,
            )?;
        }
        transaction.increment(core, &keys::revision(tenant), "number")?;
        match transaction.commit().await? {
            Commit::Done => Ok(()),
            Commit::Refused(_) => Err(Error::new(
                Kind::Conflict,
                Code::ChangedMeanwhile,
                "The subscription was changed meanwhile",
            )),
        }
    }
}
