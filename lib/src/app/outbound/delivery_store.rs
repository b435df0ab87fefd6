//! The rows of deliveries, written by optimistic locking on their revision.

use crate::domain::outbound::delivery::Delivery;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Error, Kind};
use crate::log_error;
use crate::store::{Created, Store, Table, keys};

/// The result of writing a row.
#[derive(Debug)]
pub enum Save {
    /// The row is written.
    Written,
    /// Another writer was first. This is its row.
    Conflict(Box<Delivery>),
}

/// Replaces the error of a row that DynamoDB refuses for its content by `None`, and logs it, so that the
/// other rows of a batch go on.
///
/// # Errors
/// Every other error.
pub fn unless_refused<T>(id: DeliveryId, done: Result<T, Error>) -> Result<Option<T>, Error> {
    match done {
        Err(error) if error.kind == Kind::Refused => {
            log_error!(ERROR, error, "a delivery's row cannot be written", delivery.id = %id);
            Ok(None)
        }
        done => done.map(Some),
    }
}

/// Reads and writes the rows of deliveries.
#[derive(Clone)]
pub struct DeliveryStore(Table);

impl DeliveryStore {
    /// The rows in the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.deliveries.clone())
    }

    /// Finds a delivery's row. A delivery has one from its first attempt or its first wait on.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn find(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, Error> {
        self.0.get(&keys::delivery(tenant, subscription, id)).await
    }

    /// Writes a row: creates it (revision 0), or replaces the revision that was read. A write that is
    /// repeated because its answer was lost is [`Save::Written`], too.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
    pub async fn save(&self, row: &Delivery) -> Result<Save, Error> {
        let key = keys::delivery(row.tenant_id, row.subscription_id, row.id);
        let after = Delivery { revision: row.revision.saturating_add(1), ..row.clone() };
        let other = if row.revision == 0 {
            match self.0.create(&key, &after).await? {
                Created::Now => return Ok(Save::Written),
                Created::Before(other) => other,
            }
        } else {
            if self.0.replace(&key, &after, row.revision).await? {
                return Ok(Save::Written);
            }
            let other: Option<Delivery> = self.0.get(&key).await?;
            other.ok_or_else(|| Error::unavailable("a delivery's row was deleted meanwhile"))?
        };
        if other == after { Ok(Save::Written) } else { Ok(Save::Conflict(Box::new(other))) }
    }
}
