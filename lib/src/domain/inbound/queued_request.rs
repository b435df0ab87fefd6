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

/// The largest message that SQS accepts, in bytes ("Amazon SQS message quotas" of the SQS developer guide).
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// The part of a message that is neither headers nor body has less than this, in bytes. It grows with each
/// retry.
const OTHER_MEMBERS_BYTES: usize = 2 * 1024;

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
    /// Whether it fits a message, at this try and at every later one.
    #[must_use]
    pub fn fits_message(&self) -> bool {
        let headers = serde_json::to_string(&self.headers).map_or(usize::MAX, |headers| headers.len());
        let largest = MAX_MESSAGE_BYTES.saturating_sub(OTHER_MEMBERS_BYTES);
        headers.saturating_add(self.body.len()) <= largest
    }

    /// The body, gzipped.
    ///
    /// # Errors
    /// A fault if it is not base64.
    pub fn packed_body(&self) -> Result<Vec<u8>, Error> {
        let wrong = |error| Error::fault("a queued body cannot be read").caused_by(error);
        STANDARD.decode(&self.body).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use uuid::Uuid;

    use super::*;

    fn request(headers: usize, body: usize) -> QueuedRequest {
        let id = Uuid::from_u128(u128::MAX);
        QueuedRequest {
            tenant_id: id.into(),
            config_id: id.into(),
            receipt_id: id.into(),
            received_at: DateTime::UNIX_EPOCH,
            headers: BTreeMap::from([("x".to_owned(), "\"".repeat(headers))]),
            body: "a".repeat(body),
            ip: Some("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned()),
            tries: 0,
            due: None,
            turn: None,
        }
    }

    #[test]
    fn a_request_that_fits_a_message_fits_it_at_every_retry() {
        let most = MAX_MESSAGE_BYTES - OTHER_MEMBERS_BYTES;
        for (headers, body) in [(0, most - 8), (4_000, most - 8_008)] {
            let first = request(headers, body);
            assert!(first.fits_message());
            assert!(!request(headers, body + 1).fits_message());
            let at = DateTime::UNIX_EPOCH + Duration::nanoseconds(1);
            let turn = Turn { component_id: Uuid::from_u128(u128::MAX).into(), at };
            let last = QueuedRequest { tries: u32::MAX, due: Some(at), turn: Some(turn), ..first };
            assert!(serde_json::to_string(&last).unwrap().len() <= MAX_MESSAGE_BYTES);
        }
    }
}
