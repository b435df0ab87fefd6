//! The messages on the outbound queues. Versions N and N − 1 read each other's messages: members are only
//! added, and unknown members are ignored.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event_type::EventType;
use super::lineage;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::{EventId, RecoveryId, SubscriptionId, TenantId};

/// The maximum size of an event's data in a message, in bytes. A request with ten such messages is within 64
/// KB, which SQS charges as one request.
pub const MAX_INLINE_BYTES: usize = 6 * 1024;

/// A request for one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptDue {
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The target subscription.
    pub subscription_id: SubscriptionId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The event's type.
    pub event: EventType,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The generation of the delivery's schedule.
    pub generation: u32,
    /// Whether the delivery has no row yet.
    #[serde(default)]
    pub fresh: bool,
    /// The attempt token: random, and stored with the attempt. A message that is received again recognises
    /// its own attempt by it.
    #[serde(rename = "ticket")]
    pub attempt_token: String,
    /// The earliest time of the attempt. `None`: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<DateTime<Utc>>,
    /// The event's data as JSON text. `None` if it is larger than [`MAX_INLINE_BYTES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The event's hops. 0 if the data is not part of the message.
    #[serde(default, skip_serializing_if = "lineage::is_none")]
    pub hops: u32,
}

impl AttemptDue {
    /// The same message without data: the attempt reads the event.
    #[must_use]
    pub fn without_data(&self) -> Self {
        Self { data: None, ..self.clone() }
    }
}

/// A command to `sweep` about a subscription or some events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "command")]
pub enum Command {
    /// Disable the subscription, because its receiver answered 410 Gone.
    #[serde(rename_all = "camelCase")]
    Disable {
        /// The owning tenant.
        tenant_id: TenantId,
        /// The subscription.
        subscription_id: SubscriptionId,
        /// The reason, for people.
        reason: String,
        /// The revision that the attempt used: a subscription that changed since is left alone.
        revision: u64,
    },
    /// Disable the subscription, if all attempts of the last days failed.
    #[serde(rename_all = "camelCase")]
    GiveUp {
        /// The owning tenant.
        tenant_id: TenantId,
        /// The subscription.
        subscription_id: SubscriptionId,
    },
    /// Resume the paused deliveries of a subscription.
    #[serde(rename_all = "camelCase")]
    Resume(ScanCursor),
    /// Redeliver what a recovery includes.
    #[serde(rename_all = "camelCase")]
    Recover {
        /// The recovery.
        recovery_id: RecoveryId,
        /// Its progress.
        walk: ScanCursor,
    },
    /// Fan out events that were deferred, because their tenant's filters cost too much beside other tenants'.
    #[serde(rename_all = "camelCase")]
    FanOut {
        /// The owning tenant.
        tenant_id: TenantId,
        /// The events: at most those of one batch of the stream.
        event_ids: Vec<EventId>,
    },
    /// Pause the deliveries that wait for a reader, because the subscription was disabled.
    #[serde(rename_all = "camelCase")]
    Pause(ScanCursor),
    /// Cancel the open deliveries, because the subscription was deleted.
    #[serde(rename_all = "camelCase")]
    Cancel(ScanCursor),
}

/// Progress of a scan over all deliveries of a subscription, which may take several messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanCursor {
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The partition of the subscription that is being scanned.
    #[serde(default)]
    pub shard: u8,
    /// The sort key of the last scanned row; empty at the beginning of a partition.
    #[serde(default)]
    pub after: String,
    /// Whether this is the second scan. It finds deliveries that were put aside while the first one ran.
    #[serde(default)]
    pub second: bool,
}

impl ScanCursor {
    /// A scan from the beginning.
    #[must_use]
    pub fn new(tenant_id: TenantId, subscription_id: SubscriptionId) -> Self {
        Self { tenant_id, subscription_id, shard: 0, after: String::new(), second: false }
    }
}
