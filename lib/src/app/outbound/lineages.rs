//! Reads the number of hops of a push from its header.

use chrono::{DateTime, Duration, Utc};
use http::HeaderMap;
use tokio::sync::Mutex;

use crate::domain::outbound::lineage::{HEADER, LineageKey, is_well_formed};
use crate::error::Error;
use crate::secrets::keyring::Keyring;

/// How often the master secret is read again because no known key made a signature, in seconds.
const READ_AGAIN_SECONDS: i64 = 60;

/// Verifies and reads numbers of hops.
pub struct Lineages {
    keyring: Keyring,
    rotated: Mutex<Rotated>,
}

/// The keys of the current and the previous master secret, and when they were read.
#[derive(Default)]
struct Rotated {
    keys: Vec<LineageKey>,
    read_at: Option<DateTime<Utc>>,
}

impl Lineages {
    /// Verifies with the keys of `keyring`.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring, rotated: Mutex::default() }
    }

    /// The hops of a push. 0 if the header is absent, or was not signed by this deployment.
    ///
    /// # Errors
    /// `Unavailable` if the header is present and a key cannot be read.
    pub async fn hops(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<u32, Error> {
        let signed = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let Some(signed) = signed.filter(|value| is_well_formed(value)) else { return Ok(0) };
        if let Some(hops) = self.keyring.lineage().await?.read(signed) {
            return Ok(hops);
        }
        // Another environment may have read the master secret before, or after, its rotation.
        let mut rotated = self.rotated.lock().await;
        let is_old =
            |at: DateTime<Utc>| now.signed_duration_since(at) >= Duration::seconds(READ_AGAIN_SECONDS);
        if rotated.read_at.is_none_or(is_old) {
            let masters = self.keyring.masters().await?;
            *rotated = Rotated { keys: masters.lineages().cloned().collect(), read_at: Some(now) };
        }
        Ok(rotated.keys.iter().find_map(|key| key.read(signed)).unwrap_or(0))
    }
}
