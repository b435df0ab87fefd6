//! Secrets Manager on SQLite: secrets with versions and stages.
//!
//! Not supported: rotation (rejected), replication, resource policies, `GetRandomPassword`, and encryption:
//! the file is not encrypted, but only this user may read it.

mod operations;
mod secret;
mod store;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use serde_json::Value;

use self::secret::{CURRENT, Content, Secret};
use self::store::Store;
use self::wire::Refusal;
use crate::calls::Calls;
use crate::error::Error;
use crate::time::Time;

/// The secrets. Clones share them.
#[derive(Clone)]
pub struct SecretsManager {
    store: Arc<Mutex<Store>>,
    time: Time,
    calls: Calls,
}

impl SecretsManager {
    /// Opens the secrets in a file, which is created if it does not exist, or in memory.
    ///
    /// # Errors
    /// If the file cannot be opened, or another process has it.
    pub fn open(location: Option<&Path>, time: Time, calls: Calls) -> Result<Self, Error> {
        let store = Store::open(location)
            .map_err(|error| Error::fault("The secrets cannot be opened").caused_by(error))?;
        Ok(Self { store: Arc::new(Mutex::new(store)), time, calls })
    }

    /// The endpoint, which counts its calls.
    pub fn router(&self) -> Router {
        self.calls.counting(Router::new().fallback(answer).with_state(self.clone()))
    }

    /// Creates a secret with this text, unless a secret of this name exists.
    ///
    /// # Errors
    /// If the store fails.
    pub fn create_if_absent(&self, name: &str, text: &str) -> Result<(), Error> {
        let mut store = self.store();
        let now = self.now();
        if store.find(name, now).map_err(|error| failed(name, error.into()))?.is_some() {
            return Ok(());
        }
        let mut secret = Secret::new(name, now);
        let id = uuid::Uuid::new_v4().to_string();
        secret
            .put(&id, Content::Text(text.to_owned()), &[CURRENT], now)
            .and_then(|()| Ok(store.save(&secret)?))
            .map_err(|refusal| failed(name, refusal))
    }

    /// The text of a secret's current version; `None` if there is no secret of this name, or it is binary.
    ///
    /// # Errors
    /// If the store fails.
    pub fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let secret = self.store().find(name, self.now()).map_err(|error| failed(name, error.into()))?;
        let current = secret.as_ref().and_then(|secret| secret.version_with(CURRENT));
        Ok(current.and_then(|version| match &version.content {
            Content::Text(text) => Some(text.clone()),
            Content::Binary(_) => None,
        }))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current time, in milliseconds since 1970.
    fn now(&self) -> i64 {
        self.time.now().timestamp_millis()
    }
}

fn failed(name: &str, refusal: Refusal) -> Error {
    Error::fault("The secrets' store failed").about(name).caused_by(refusal.message)
}

async fn answer(State(secrets): State<SecretsManager>, headers: HeaderMap, body: Bytes) -> Response {
    match operate(&secrets, &headers, &body) {
        Ok(answer) => {
            ([(header::CONTENT_TYPE, "application/x-amz-json-1.1")], answer.to_string()).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn operate(secrets: &SecretsManager, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let Some(("secretsmanager", operation)) = crate::calls::target(headers) else {
        return Err(Refusal::unknown("of this request"));
    };
    let request: Value = serde_json::from_slice(body).map_err(|_| Refusal::parameter("Not JSON"))?;
    operations::operate(operation, &mut secrets.store(), &request, secrets.now())
}

#[cfg(test)]
mod tests;
