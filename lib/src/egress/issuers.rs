//! The keys of `OpenID` Connect issuers, fetched through the egress guard and cached.

use std::collections::HashMap;
use std::time::Duration as Timeout;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::client::{Client, Request};
use crate::domain::inbound::auth::oidc::Keys;
use crate::domain::shared::target::{EgressPolicy, Target};
use crate::error::Error;

/// How long keys are cached, in seconds.
const KEPT_SECONDS: i64 = 3_600;

/// The least time between two fetches because a token names an unknown key, in seconds.
const REFRESH_SECONDS: i64 = 30;

/// The longest that one fetch takes: a sender is waiting.
const TIMEOUT: Timeout = Timeout::from_secs(2);

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A cache of issuers' keys, by the issuers' addresses.
pub struct Issuers {
    client: Client,
    policy: EgressPolicy,
    known: Mutex<HashMap<String, (DateTime<Utc>, Keys)>>,
}

/// The member of an issuer's configuration that is needed ("OpenID Provider Metadata", `OpenID` Connect
/// Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Discovery {
    jwks_uri: String,
}

impl Issuers {
    /// Issuers that `policy` allows to be called.
    #[must_use]
    pub fn new(policy: EgressPolicy) -> Self {
        Self { client: Client::new(policy.clone()), policy, known: Mutex::default() }
    }

    /// An issuer's keys. If they lack the key `kid`, they are fetched again, at most once in 30 seconds.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be fetched and none are cached.
    pub async fn keys(&self, issuer: &str, kid: Option<&str>, now: DateTime<Utc>) -> Result<Keys, Error> {
        let known = self.known.lock().await.get(issuer).cloned();
        if let Some((fetched, keys)) = &known {
            let age = now.signed_duration_since(*fetched);
            let is_enough = keys.has(kid) || age < Duration::seconds(REFRESH_SECONDS);
            if age < Duration::seconds(KEPT_SECONDS) && is_enough {
                return Ok(keys.clone());
            }
        }
        match self.fetch_keys(issuer).await {
            Ok(keys) => {
                self.known.lock().await.insert(issuer.to_owned(), (now, keys.clone()));
                Ok(keys)
            }
            Err(error) => known.map(|(_, keys)| keys).ok_or(error),
        }
    }

    async fn fetch_keys(&self, issuer: &str) -> Result<Keys, Error> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery: Discovery = self.fetch(&address).await?;
        self.fetch(&discovery.jwks_uri).await
    }

    async fn fetch<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        let failed = || Error::unavailable("An issuer's keys cannot be fetched");
        let target = Target::vet(url, &self.policy).map_err(|reason| failed().caused_by(reason))?;
        let request = Request {
            target: &target,
            method: "GET",
            headers: vec![("Accept".to_owned(), "application/json".to_owned())],
            body: Bytes::new(),
            timeout: TIMEOUT,
        };
        let body =
            self.client.fetch(request, MAX_BYTES).await.map_err(|kind| failed().caused_by(kind.message()))?;
        serde_json::from_slice(&body).map_err(|error| failed().caused_by(error))
    }
}
