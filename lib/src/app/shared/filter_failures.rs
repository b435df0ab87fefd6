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
        self.add_filter_failures(key, &failed.failures, failed.last_at).await
    }
}

/// Counts failed expressions. Clones share the buffer.
#[derive(Clone)]
pub struct FilterFailures {
    write_behind: WriteBehind<Key, Failed, Table>,
    clock: Arc<dyn Clock>,
}

impl FilterFailures {
    /// Writes to the table `deliveries` of `store`.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>) -> Self {
        let every = Duration::seconds(WRITTEN_SECONDS);
        Self { write_behind: WriteBehind::new(store.deliveries.clone(), Arc::clone(&clock), every), clock }
    }

    /// Counts failures under the key of their owner's state.
    pub async fn record(&self, owner: Key, failures: Failures) {
        tracing::debug!(owner.key = owner.pk, failures = failures.count, "expressions failed");
        self.write_behind.add(owner, Failed { failures, last_at: self.clock.now() }).await;
    }

    /// Writes what is due; called at the end of each event.
    pub async fn flush_due(&self) {
        self.write_behind.flush_due().await;
    }

    /// Writes everything; called before the process ends.
    pub async fn flush_all(&self) {
        self.write_behind.flush_all().await;
    }
}

/// The failed expressions of a config.
///
/// # Errors
/// `Unavailable` if DynamoDB does not answer.
pub async fn of_config(store: &Store, tenant: TenantId, config: ConfigId) -> Result<FilterErrors, Error> {
    Ok(store.deliveries.get(&keys::config_state(tenant, config)).await?.unwrap_or_default())
}
