//! Redelivers a final delivery: the same id, with the retry schedule from its start.
//!
//! Safe to run twice: the second call finds the delivery open. If the message is lost between the row's write
//! and the send, `sweep` sends it, because the row is in the due index until then.

use chrono::{DateTime, Utc};

use super::delivery_store::{DeliveryStore, Save};
use super::due::{schedule_unsent, waiting};
use crate::domain::outbound::delivery::Delivery;
use crate::domain::outbound::event::Event;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::TenantId;
use crate::error::{Code, Error, Kind};
use crate::queue::{Outgoing, Queue};
use crate::store::{Store, keys};

/// Finds and redelivers deliveries.
#[derive(Clone)]
pub struct Redeliveries {
    store: Store,
    deliveries: DeliveryStore,
    retries: Queue,
}

impl Redeliveries {
    /// Sends redelivered deliveries to the queue `retries`.
    #[must_use]
    pub fn new(store: Store, retries: Queue) -> Self {
        Self { deliveries: DeliveryStore::new(&store), store, retries }
    }

    /// The tenant's delivery with this id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn find(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        now: DateTime<Utc>,
    ) -> Result<Delivery, Error> {
        let subscription = self.store.subscription_of(tenant, id.handle()).await?;
        let row = self.deliveries.find(tenant, subscription, id).await?;
        row.filter(|row| !row.has_expired(now)).ok_or_else(Error::not_found)
    }

    /// Restarts a delivery's retry schedule.
    ///
    /// # Errors
    /// `Conflict` if the delivery is open, its subscription is disabled or deleted, or its event has expired,
    /// and for a test; `NotFound` if there is no such delivery.
    pub async fn redeliver(
        &self,
        tenant: TenantId,
        id: DeliveryId,
        now: DateTime<Utc>,
    ) -> Result<Delivery, Error> {
        let mut row = self.find(tenant, id, now).await?;
        if row.status.is_open() {
            return Err(conflict(Code::DeliveryOpen, "Attempts of this delivery are still to come"));
        }
        let subscription = self.store.find_subscription(tenant, row.subscription_id).await?;
        let subscription =
            subscription.ok_or_else(|| conflict(Code::SubscriptionDeleted, "The subscription is deleted"))?;
        subscription.must_be_enabled()?;
        let event_id = row.event_id.ok_or_else(|| {
            conflict(Code::TestDelivery, "A test has no event to deliver again; send another test")
        })?;
        if self.store.core.get::<Event>(&keys::event(tenant, event_id)).await?.is_none() {
            return Err(conflict(Code::EventExpired, "The event is no longer kept"));
        }
        row = restart(&self.deliveries, row, now)
            .await?
            .ok_or_else(|| conflict(Code::DeliveryOpen, "Somebody else redelivers it just now"))?;
        if let Some(message) = waiting(&row, None) {
            let group = row.subscription_id.to_string();
            self.retries.send(Outgoing { body: &message, group, delay_seconds: 0 }).await?;
        }
        Ok(row)
    }
}

/// Restarts the retry schedule. Returns `None` if the row changed concurrently.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub(super) async fn restart(
    deliveries: &DeliveryStore,
    mut row: Delivery,
    now: DateTime<Utc>,
) -> Result<Option<Delivery>, Error> {
    row.restart();
    schedule_unsent(&mut row, now);
    match deliveries.save(&row).await? {
        Save::Written => Ok(Some(row)),
        Save::Conflict(_) => Ok(None),
    }
}

fn conflict(code: Code, detail: &'static str) -> Error {
    Error::new(Kind::Conflict, code, detail)
}
