//! Failed expressions, counted in memory and written at most once a minute to their owner's state.
//!
//! Safe to run twice: counts may then be a little too high. A failure here fails nothing else.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::write_behind::{Merge, Sink, WriteBehind};
use crate::clock::Clock;
use crate::domain::shared::expression::Failures;
use crate::domain::shared::filter_errors::FilterErrors;
use crate::domain::shared::ids::{ConfigId, TenantId};
use crate::error::Error;
use crate::store::{Key, Store, Table, keys};

/// How often an owner's failures are written, in seconds.
const WRITTEN_SECONDS: i64 = 60;

/// The failures that are not written yet.
#[derive(Debug, Clone)]
struct Failed {
    failures: Failures,
    last_at: DateTime<Utc>,
}

impl Merge for Failed {
    fn merge(&mut self, later: Self) {
        let count = self.failures.count.saturating_add(later.failures.count);
        *self = Self { failures: Failures { count, ..later.failures }, ..later };
    }
}

impl Sink<Key, Failed> for Table {
    async fn write(&self, key: &Key, failed: &Failed) -> Result<(), Error> {
        self.note_failures(key, &failed.failures, failed.last_at).await
    }
}

/// Counts failed expressions. Clones share the buffer.
#[derive(Clone)]
pub struct FilterFailures {
    notes: WriteBehind<Key, Failed, Table>,
    clock: Arc<dyn Clock>,
}

impl FilterFailures {
    /// Writes to the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>) -> Self {
        let every = Duration::seconds(WRITTEN_SECONDS);
        Self { notes: WriteBehind::new(store.deliveries.clone(), Arc::clone(&clock), every), clock }
    }

    /// WriteBehind failures under the key of an owner's state.
    pub async fn note(&self, owner: Key, failures: Failures) {
        tracing::debug!(owner.key = owner.pk, failures = failures.count, "expressions failed");
        self.notes.add(owner, Failed { failures, last_at: self.clock.now() }).await;
    }

    /// Writes what is due; called as an event ends.
    pub async fn write_due(&self) {
        self.notes.write_due().await;
    }

    /// Writes everything; called before the process ends.
    pub async fn write_all(&self) {
        self.notes.write_all().await;
    }
}

/// The failed expressions of a config.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn of_config(store: &Store, tenant: TenantId, config: ConfigId) -> Result<FilterErrors, Error> {
    Ok(store.deliveries.get(&keys::config_state(tenant, config)).await?.unwrap_or_default())
}
