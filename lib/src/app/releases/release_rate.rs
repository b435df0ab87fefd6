//! Keeps the releases of one component within their number a minute.
//!
//! An environment counts by itself up to a small number, and above it takes slots in the table, which all
//! environments take from: the bound is exact where one environment works, and is exceeded by that small number for
//! each further one at most.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use crate::domain::shared::ids::{ComponentId, TenantId};
use crate::domain::shared::release_rate::{Turn, first_slot, later, minute, unasked};
use crate::environment::Environment;
use crate::error::Error;
use crate::store::{Store, keys};

/// How many components are remembered.
const MAX_KNOWN: usize = 10_000;

/// Counts releases.
pub(super) struct ReleaseRate {
    store: Store,
    per_minute: u32,
    known: Mutex<HashMap<ComponentId, Counted>>,
}

/// What an environment knows of a component.
#[derive(Default)]
struct Counted {
    minute: i64,
    /// Releases of the minute of which the table does not know.
    unasked: u32,
    /// The last minute of which a slot was taken: up to it others may wait, so that everybody asks.
    taken: Option<i64>,
}

impl ReleaseRate {
    /// As many a minute as the deployment says.
    pub(super) fn of(environment: &Environment, store: &Store) -> Result<Self, Error> {
        let per_minute = environment.number("RELEASES_PER_MINUTE")?.max(1);
        Ok(Self { store: store.clone(), per_minute, known: Mutex::default() })
    }

    /// Takes slots for some releases of a component: none where they may be made now, or when they may.
    ///
    /// # Errors
    /// Unavailable when DynamoDB is.
    pub(super) async fn take(
        &self,
        tenant: TenantId,
        component: ComponentId,
        releases: u32,
        now: DateTime<Utc>,
    ) -> Result<Option<Turn>, Error> {
        let Some(wanted) = self.ask(component, releases, now).await else { return Ok(None) };
        let key = keys::release_rate(tenant, component);
        let expires = now.checked_add_signed(Duration::days(1)).unwrap_or(now).timestamp();
        let first = first_slot(now, self.per_minute);
        let start = self.store.deliveries.take_turn(&key, first, wanted, expires).await?;
        let last = start.saturating_add(wanted).saturating_sub(1);
        let at = later(last, self.per_minute, now);
        let mut known = self.known.lock().await;
        known.entry(component).or_default().taken = Some(minute(at.unwrap_or(now)));
        Ok(at.map(|at| Turn { component_id: component, at }))
    }

    /// How many slots are to be taken: none where these releases need none.
    async fn ask(&self, component: ComponentId, releases: u32, now: DateTime<Utc>) -> Option<i64> {
        let this = minute(now);
        let mut known = self.known.lock().await;
        if known.len() >= MAX_KNOWN {
            known.retain(|_, counted| counted.minute >= this || counted.taken >= Some(this));
        }
        let counted = known.entry(component).or_default();
        if counted.minute != this {
            (counted.minute, counted.unasked) = (this, 0);
        }
        let made = counted.unasked.saturating_add(releases);
        if counted.taken < Some(this) && made <= unasked(self.per_minute) {
            counted.unasked = made;
            return None;
        }
        counted.unasked = 0;
        Some(made.into())
    }
}
