//! `Idempotency-Key`: a repeated creating request creates nothing new.
//!
//! The record is written first, with the id that the request is going to use. A repetition after a crash
//! continues with that id, so that it creates the same resource and not a second one.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::data;
use super::request::New;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::error::{Code, Error, Kind};
use crate::random;
use crate::store::{Created, Store, keys};

/// How long a key is honoured, in hours.
const HONOURED_HOURS: i64 = 24;

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// How long a request without an answer counts as running, in seconds: longer than any function runs.
const RUNNING_SECONDS: i64 = 60;

/// The result of a creating request.
pub struct Made<T> {
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's data.
    pub data: T,
    /// Whether the data shows a secret, which is shown once and not stored.
    pub shows_secret: bool,
}

impl<T> Made<T> {
    /// A new resource, whose view may show a secret.
    #[must_use]
    pub fn created(data: T, shows_secret: bool) -> Self {
        Self { status: StatusCode::CREATED, data, shows_secret }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    request: String,
    minted: Uuid,
    started_at: DateTime<Utc>,
    answer: Option<Answer>,
    revision: u64,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: u16,
    data: Option<String>,
}

/// A creating request.
pub struct Creation<'a> {
    /// The tables.
    pub store: &'a Store,
    /// The tenant of the caller.
    pub tenant: TenantId,
    /// The route: a key is valid on one route only.
    pub route: &'a str,
    /// The request.
    pub request: &'a New,
    /// The current time.
    pub now: DateTime<Utc>,
}

impl Creation<'_> {
    /// Runs `act` with the id to use, or returns the answer of the first request with the same key.
    ///
    /// # Errors
    /// Those of `act`; `Unprocessable` for another body with the same key; `Conflict` while the first request
    /// runs, or if its answer showed a secret.
    pub async fn run<F, T>(self, act: impl FnOnce(Uuid) -> F) -> Result<Response, Error>
    where
        F: Future<Output = Result<Made<T>, Error>>,
        T: Serialize,
    {
        let fresh = EventId::mint(self.now, random::bytes()).uuid();
        let Some(key) = self.request.headers.get("idempotency-key") else {
            let made = act(fresh).await?;
            return Ok(data(made.status, &made.data));
        };
        // An empty key is a caller's mistake, which would make every request the repetition of another.
        if key.is_empty() || key.len() > MAX_KEY {
            let text = format!("An Idempotency-Key has 1 to {MAX_KEY} characters");
            return Err(Error::new(Kind::Invalid, Code::InvalidIdempotencyKey, text));
        }
        let place = keys::idempotency(self.tenant, &self.hash(key.as_bytes()));
        let begun = Record {
            request: hex::encode(Sha256::digest(&self.request.body)),
            minted: fresh,
            started_at: self.now,
            answer: None,
            revision: 0,
            expires_at: self
                .now
                .checked_add_signed(Duration::hours(HONOURED_HOURS))
                .unwrap_or(self.now)
                .timestamp(),
        };
        let mut record = match self.store.core.create::<_, Record>(&place, &begun).await? {
            Created::Now => begun,
            // We wrote it ourselves, and DynamoDB's answer was lost.
            Created::Before(before) if before.minted == fresh => before,
            Created::Before(before) if before.expires_at <= self.now.timestamp() => {
                let renewed = Record { revision: before.revision.saturating_add(1), ..begun };
                if !self.store.core.replace(&place, &renewed, before.revision).await? {
                    return Err(still_running());
                }
                renewed
            }
            Created::Before(before) => match self.resume(before, &begun.request, &place).await? {
                Resumed::Answered(response) => return Ok(response),
                Resumed::Running(record) => record,
            },
        };
        let made = match act(record.minted).await {
            Ok(made) => made,
            Err(error) => {
                // Nothing was created, so the key is free again. If this delete fails, it is free after a
                // minute.
                if !error.is_transient() && !matches!(error.kind, Kind::Refused | Kind::Fault) {
                    self.store.core.delete(&place).await?;
                }
                return Err(error);
            }
        };
        let stored = (!made.shows_secret).then(|| serde_json::to_string(&made.data)).transpose();
        let stored =
            stored.map_err(|error| Error::fault("an answer cannot be serialised").caused_by(error))?;
        record.answer = Some(Answer { status: made.status.as_u16(), data: stored });
        let expected = record.revision;
        record.revision = expected.saturating_add(1);
        self.store.core.replace(&place, &record, expected).await?;
        Ok(data(made.status, &made.data))
    }

    async fn resume(
        &self,
        mut before: Record,
        request: &str,
        place: &crate::store::Key,
    ) -> Result<Resumed, Error> {
        if before.request != request {
            let text = "The same Idempotency-Key came with another body";
            return Err(Error::new(Kind::Unprocessable, Code::IdempotencyKeyReused, text));
        }
        if let Some(answer) = &before.answer {
            let Some(stored) = &answer.data else {
                let text = "The first answer showed a secret, which is shown once";
                return Err(Error::new(Kind::Conflict, Code::SecretAlreadyShown, text));
            };
            let mut stored: Value = serde_json::from_str(stored).unwrap_or(Value::Null);
            if let Some(duplicate) = stored.get_mut("duplicate") {
                *duplicate = Value::Bool(true);
            }
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
            return Ok(Resumed::Answered(data(status, &stored)));
        }
        if self.now.signed_duration_since(before.started_at) < Duration::seconds(RUNNING_SECONDS) {
            return Err(still_running());
        }
        let expected = before.revision;
        before.revision = expected.saturating_add(1);
        before.started_at = self.now;
        if self.store.core.replace(place, &before, expected).await? {
            Ok(Resumed::Running(before))
        } else {
            Err(still_running())
        }
    }

    fn hash(&self, key: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.route.as_bytes());
        hash.update([0]);
        hash.update(key);
        hex::encode(hash.finalize())
    }
}

enum Resumed {
    Answered(Response),
    Running(Record),
}

fn still_running() -> Error {
    Error::new(
        Kind::Conflict,
        Code::RequestInProgress,
        "A request with this Idempotency-Key is still running",
    )
}
