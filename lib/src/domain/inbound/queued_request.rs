//! The message of a request that could not be processed at once. As in every message, members are only ever
//! added.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::shared::ids::{ConfigId, ReceiptId, TenantId};
use crate::domain::shared::release_rate::Turn;
use crate::error::Error;

/// A request that was authenticated and could not be processed at once. It is processed later without a
/// second authentication: its proof is not in the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedRequest {
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The webhook config that it came in by.
    pub config_id: ConfigId,
    /// The receipt, whose id the sender got.
    pub receipt_id: ReceiptId,
    /// When it was received and authenticated.
    pub received_at: DateTime<Utc>,
    /// Its headers, with secrets redacted.
    pub headers: BTreeMap<String, String>,
    /// Its body, gzipped, in base64.
    pub body: String,
    /// The caller's IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The number of failed tries so far. A wait for a [`Turn`] does not count.
    pub tries: u32,
    /// The time before which it is not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<DateTime<Utc>>,
    /// The slot that it waits for, if a component is at its limit of releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

impl QueuedRequest {
    /// The body, gzipped.
    ///
    /// # Errors
    /// A fault if it is not base64.
    pub fn packed_body(&self) -> Result<Vec<u8>, Error> {
        let wrong = |error| Error::fault("a queued body cannot be read").caused_by(error);
        STANDARD.decode(&self.body).map_err(wrong)
    }
}
