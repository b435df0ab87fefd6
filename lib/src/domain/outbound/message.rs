//! What the messages on our queues say. A newer version is read by an older one and the other way round: members are
//! only added, and unknown ones are passed over.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event_type::EventType;
use super::lineage;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, RecoveryId, SubscriptionId, TenantId};

/// Data up to this size travels in the message; ten such messages fit one of SQS's units of 64 KB.
pub const MAX_INLINE_BYTES: usize = 6 * 1024;

/// One attempt to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptDue {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whom it goes to.
    pub subscription_id: SubscriptionId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The event it carries.
    pub event_id: EventId,
    /// The event's type.
    pub event: EventType,
    /// From 1.
    pub attempt: u32,
    /// Which schedule it belongs to.
    pub generation: u32,
    /// Whether the delivery has no row yet.
    #[serde(default)]
    pub fresh: bool,
    /// Random, and stored with the attempt: how a message knows its own attempt again.
    pub ticket: String,
    /// Not before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<DateTime<Utc>>,
    /// The event's data as JSON text, when it is small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// How many hops the event has come, where its data is here.
    #[serde(default, skip_serializing_if = "lineage::is_none")]
    pub hops: u32,
}

impl AttemptDue {
    /// The same attempt, whose data is read from its event.
    #[must_use]
    pub fn without_data(&self) -> Self {
        Self { data: None, ..self.clone() }
    }
}

/// Something that `sweep` is told to do with a subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "command")]
pub enum Command {
    /// Disable it, because its receiver is gone.
    #[serde(rename_all = "camelCase")]
    Disable {
        /// Whose it is.
        tenant_id: TenantId,
        /// Which.
        subscription_id: SubscriptionId,
        /// Why, for people.
        reason: String,
        /// The revision whose attempt told us: a subscription changed since is left alone.
        revision: u64,
    },
    /// Disable it, if there has been nothing but failures for days.
    #[serde(rename_all = "camelCase")]
    GiveUp {
        /// Whose it is.
        tenant_id: TenantId,
        /// Which.
        subscription_id: SubscriptionId,
    },
    /// Resume its paused deliveries.
    #[serde(rename_all = "camelCase")]
    Resume(ScanCursor),
    /// Send its deliveries again that a recovery means.
    #[serde(rename_all = "camelCase")]
    Recover {
        /// Which recovery.
        recovery_id: RecoveryId,
        /// How far it has come.
        walk: ScanCursor,
    },
    /// Fan events out whose tenant's filters cost too much to do so beside the others'.
    #[serde(rename_all = "camelCase")]
    FanOut {
        /// Whose they are.
        tenant_id: TenantId,
        /// Which, at most those of one batch of the stream.
        event_ids: Vec<EventId>,
    },
    /// Pause what waits to be fetched, because it was disabled.
    #[serde(rename_all = "camelCase")]
    Pause(ScanCursor),
    /// Cancel its open deliveries, because it was deleted.
    #[serde(rename_all = "camelCase")]
    Cancel(ScanCursor),
}

/// A walk over all deliveries of a subscription, which may take several steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanCursor {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Which subscription's.
    pub subscription_id: SubscriptionId,
    /// Which of its partitions the walk has come to.
    #[serde(default)]
    pub shard: u8,
    /// After which row of it, empty at its beginning.
    #[serde(default)]
    pub after: String,
    /// Whether this is the second walk, for deliveries that were being held while the first went by.
    #[serde(default)]
    pub second: bool,
}

impl ScanCursor {
    /// A walk from the beginning.
    #[must_use]
    pub fn new(tenant_id: TenantId, subscription_id: SubscriptionId) -> Self {
        Self { tenant_id, subscription_id, shard: 0, after: String::new(), second: false }
    }
}
