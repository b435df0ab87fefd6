//! Subscriptions in the table: by their ids, by the handles in delivery ids, and under each pattern that fan-out
//! looks up.

use serde::{Deserialize, Serialize};

use super::{Commit, Store, keys};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Code, Error, Kind};

/// What a handle means, within its tenant.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handle {
    pub(crate) subscription_id: SubscriptionId,
}

impl Store {
    /// The tenant's subscription of that id.
    ///
    /// # Errors
    /// Not found.
    pub async fn subscription(&self, tenant: TenantId, id: SubscriptionId) -> Result<Subscription, Error> {
        self.find_subscription(tenant, id).await?.ok_or_else(Error::not_found)
    }

    /// The tenant's subscription of that id, if it has not been deleted.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn find_subscription(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, Error> {
        self.core.get(&keys::subscription(tenant, id)).await
    }

    /// The subscription that a delivery id's handle means.
    ///
    /// # Errors
    /// Not found.
    pub async fn subscription_of(&self, tenant: TenantId, handle: u32) -> Result<SubscriptionId, Error> {
        let handle: Option<Handle> = self.core.get(&keys::handle(tenant, handle)).await?;
        handle.map(|handle| handle.subscription_id).ok_or_else(Error::not_found)
    }

    /// Puts a changed subscription wherever it is kept, and raises its tenant's revision.
    ///
    /// # Errors
    /// Conflict when somebody else changed it meanwhile.
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
