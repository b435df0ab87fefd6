//! The rows of deliveries: read, and written only in place of what was read.

use crate::domain::outbound::delivery::Delivery;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{SubscriptionId, TenantId};
use crate::error::{Error, Kind};
use crate::log_error;
use crate::store::{Created, Store, Table, keys};

/// What came of writing a row.
#[derive(Debug)]
pub enum Save {
    /// The row is written.
    Written,
    /// Another writer was first: this is what it wrote.
    Conflict(Box<Delivery>),
}

/// What was done with one row of many: nothing, if DynamoDB refuses it for good. It is logged, and the others go on.
///
/// # Errors
/// Any other.
pub fn unless_refused<T>(id: DeliveryId, done: Result<T, Error>) -> Result<Option<T>, Error> {
    match done {
        Err(error) if error.kind == Kind::Refused => {
            log_error!(ERROR, error, "a delivery's row cannot be written", delivery.id = %id);
            Ok(None)
        }
        done => done.map(Some),
    }
}

/// The rows of deliveries.
#[derive(Clone)]
pub struct DeliveryStore(Table);

impl DeliveryStore {
    /// The rows in the table of deliveries.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(store.deliveries.clone())
    }

    /// A delivery's row, where it has one.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub async fn find(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, Error> {
        self.0.get(&keys::delivery(tenant, subscription, id)).await
    }

    /// Writes a row: as the first (revision 0), or in place of the revision that it was read as. Written
    /// again after an answer that was lost, it finds itself.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
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
            other.ok_or_else(|| Error::unavailable("a delivery's row has gone"))?
        };
        if other == after { Ok(Save::Written) } else { Ok(Save::Conflict(Box::new(other))) }
    }
}
