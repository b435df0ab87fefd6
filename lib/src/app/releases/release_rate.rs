//! Limits the releases of one component per minute.
//!
//! An environment counts alone up to a small number, and above it takes slots from a counter in the table,
//! which all environments share. The limit is exact for one environment; each further one can exceed it by
//! that small number.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use crate::domain::shared::ids::{ComponentId, TenantId};
use crate::domain::shared::release_rate::{Turn, first_slot, later, minute, unasked};
use crate::environment::Environment;
use crate::error::Error;
use crate::store::{Store, keys};

/// How many components are counted.
const MAX_KNOWN: usize = 10_000;

/// Limits releases.
pub(super) struct ReleaseRate {
    store: Store,
    per_minute: u32,
    known: Mutex<HashMap<ComponentId, Counted>>,
}

/// What an environment has counted for a component.
#[derive(Default)]
struct Counted {
    minute: i64,
    /// Releases in this minute that did not take a slot.
    unasked: u32,
    /// The last minute in which a slot was taken. Until it is over others may wait, so every release takes a
    /// slot.
    taken: Option<i64>,
}

impl ReleaseRate {
    /// The limit that the variable `RELEASES_PER_MINUTE` sets.
    pub(super) fn of(environment: &Environment, store: &Store) -> Result<Self, Error> {
        let per_minute = environment.number("RELEASES_PER_MINUTE")?.max(1);
        Ok(Self { store: store.clone(), per_minute, known: Mutex::default() })
    }

    /// Takes slots for `releases` of a component. `None`: they may be created now; else, when they may.
    ///
    /// # Errors
    /// `Unavailable` if DynamoDB does not answer.
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
        let start = self.store.deliveries.take_slot(&key, first, wanted, expires).await?;
        let last = start.saturating_add(wanted).saturating_sub(1);
        let at = later(last, self.per_minute, now);
        let mut known = self.known.lock().await;
        known.entry(component).or_default().taken = Some(minute(at.unwrap_or(now)));
        Ok(at.map(|at| Turn { component_id: component, at }))
    }

    /// How many slots have to be taken. `None`: these releases need none.
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
