//! Counts by the hour: kept in memory, written at most every ten seconds, so that a flood of them costs next to nothing.
//!
//! What is not written yet is lost when the environment ends: the numbers are approximate.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::domain::health::{Counts, KEPT_DAYS};
use crate::domain::hour;
use crate::store::{Key, Store, Table, keys};

/// How often an hour's counts are written, in seconds.
const WRITTEN_SECONDS: i64 = 10;
/// How many hours are kept in memory.
const MOST: usize = 10_000;

/// Counts. Clones share them.
#[derive(Clone)]
pub struct Tally {
    table: Table,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<HashMap<Key, Unwritten>>>,
}

#[derive(Default)]
struct Unwritten {
    counts: Counts,
    written_at: Option<DateTime<Utc>>,
    /// Whether somebody waits to write.
    is_awaited: bool,
}

/// When counts are written.
enum Turn {
    Now,
    At(DateTime<Utc>),
    SomebodyWaits,
}

impl Unwritten {
    fn turn(&mut self, now: DateTime<Utc>) -> Turn {
        let due = self.written_at.and_then(|at| at.checked_add_signed(Duration::seconds(WRITTEN_SECONDS)));
        match due {
            _ if self.is_awaited => Turn::SomebodyWaits,
            Some(due) if due > now => {
                self.is_awaited = true;
                Turn::At(due)
            }
            _ => Turn::Now,
        }
    }
}

impl Tally {
    /// Writes counts into these tables.
    #[must_use]
    pub fn new(store: &Store, clock: Arc<dyn Clock>) -> Self {
        Self { table: store.deliveries.clone(), clock, kept: Arc::default() }
    }

    /// Adds to what this hour counted in a partition. Nothing that counts fails because of it.
    pub async fn add(&self, partition: &str, counts: &Counts) {
        let now = self.clock.now();
        let key = keys::hour(partition, hour(now));
        let turn = {
            let mut kept = self.kept.lock().await;
            if kept.len() >= MOST {
                kept.retain(|_, unwritten| !unwritten.counts.is_empty());
            }
            let unwritten = kept.entry(key.clone()).or_default();
            unwritten.counts.merge(counts);
            unwritten.turn(now)
        };
        match turn {
            Turn::Now => self.write(&key).await,
            Turn::At(due) => {
                let tally = self.clone();
                tokio::spawn(async move {
                    tally.clock.sleep_until(due).await;
                    tally.write(&key).await;
                });
            }
            Turn::SomebodyWaits => {}
        }
    }

    async fn write(&self, key: &Key) {
        let now = self.clock.now();
        let counts = {
            let mut kept = self.kept.lock().await;
            let Some(unwritten) = kept.get_mut(key) else { return };
            unwritten.written_at = Some(now);
            unwritten.is_awaited = false;
            std::mem::take(&mut unwritten.counts)
        };
        if counts.is_empty() {
            return;
        }
        let expires = now.checked_add_signed(Duration::days(KEPT_DAYS)).unwrap_or(now).timestamp();
        if let Err(error) = self.table.add(key, counts.iter(), expires).await {
            tracing::warn!(error = %error, "counts were not written");
            self.kept.lock().await.entry(key.clone()).or_default().counts.merge(&counts);
        }
    }
}
