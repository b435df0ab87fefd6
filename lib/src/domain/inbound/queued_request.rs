//! What the message of a request says that could not be processed at once. Members are only added, as in every message.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::shared::ids::{ConfigId, ReceiptId, TenantId};
use crate::domain::shared::release_rate::Turn;
use crate::error::Error;

/// A request that was authenticated and could not be processed at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedRequest {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// By which config it came.
    pub config_id: ConfigId,
    /// The receipt that its sender was told.
    pub receipt_id: ReceiptId,
    /// When it came, and was authenticated.
    pub received_at: DateTime<Utc>,
    /// Its headers, what is secret blanked.
    pub headers: BTreeMap<String, String>,
    /// Its body, gzipped, in base64.
    pub body: String,
    /// Who called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How often it was tried.
    pub tries: u32,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<DateTime<Utc>>,
    /// The turn that it waits for, where a component makes more releases than it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

impl QueuedRequest {
    /// The body, gzipped.
    ///
    /// # Errors
    /// A fault when it is no base64.
    pub fn packed_body(&self) -> Result<Vec<u8>, Error> {
        let wrong = |error| Error::fault("a queued body cannot be read").caused_by(error);
        STANDARD.decode(&self.body).map_err(wrong)
    }
}
