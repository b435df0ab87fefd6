//! What is due each minute: deliveries that waited longer than a queue can, and events that no stream
//! record brought to fan-out.
//!
//! Safe to run twice: a message is sent before its row leaves the index, and a second message for the
//! same attempt finds it made.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::due::{hop, waiting};
use super::fan_out::FanOut;
use super::rows::Rows;
use crate::domain::delivery::{Delivery, Status};
use crate::domain::event::Event;
use crate::domain::ids::TenantId;
use crate::domain::message::AttemptDue;
use crate::domain::schedule::expiry;
use crate::domain::tenant::Tenant;
use crate::error::Error;
use crate::queue::{Outgoing, Queue};
use crate::store::listing::id_bound;
use crate::store::{Store, keys, table};

/// What is due within so many seconds is sent, with the rest of its wait as the message's delay.
const AHEAD_SECONDS: i64 = 90;

/// How many due deliveries are taken up at once.
const BATCH: i32 = 100;

/// How many batches one run takes up; what is left waits for the next minute.
const MOST_BATCHES: usize = 100;

/// An event that has no mark after so many minutes was missed by the stream.
const MISSED_MINUTES: i64 = 5;

/// How often missed events are looked for, in minutes.
const LOOK_MINUTES: i64 = 10;

/// How far back the first look goes, in hours: as long as a stream keeps its records.
const FIRST_LOOK_HOURS: i64 = 24;

/// Does what is due each minute.
pub struct Sweep {
    store: Store,
    rows: Rows,
    retries: Queue,
    fan_out: FanOut,
}

/// Up to when every event was seen to be fanned out.
#[derive(Serialize, Deserialize)]
struct Watermark {
    at: DateTime<Utc>,
}

impl Sweep {
    /// Sends attempts to `retries` and missed events through `fan_out`.
    #[must_use]
    pub fn new(store: Store, retries: Queue, fan_out: FanOut) -> Self {
        Self { rows: Rows::new(&store), store, retries, fan_out }
    }

    /// Sends what is due; how many deliveries that were.
    ///
    /// # Errors
    /// Unavailable when a dependency is; the next run does the rest.
    pub async fn send_due(&self, now: DateTime<Utc>) -> Result<usize, Error> {
        let until = keys::time(now.checked_add_signed(Duration::seconds(AHEAD_SECONDS)).unwrap_or(now));
        let mut count: usize = 0;
        for shard in 0..keys::DUE_SHARDS {
            for _ in 0..MOST_BATCHES {
                let found = self.store.deliveries.due(&keys::due(shard), &until, BATCH).await?;
                let rows = self.store.deliveries.get_many(&found).await?;
                let rows: Result<Vec<Delivery>, Error> = rows.into_iter().map(table::read).collect();
                let sent = self.send_rows(rows?, now).await?;
                count = count.saturating_add(sent);
                // A row that did not leave the index would be found for ever.
                if found.len() < usize::try_from(BATCH).unwrap_or(0) || sent == 0 {
                    break;
                }
            }
        }
        Ok(count)
    }

    async fn send_rows(&self, rows: Vec<Delivery>, now: DateTime<Utc>) -> Result<usize, Error> {
        let mut waiters: Vec<(Delivery, AttemptDue)> = Vec::new();
        let mut count: usize = 0;
        for mut row in rows.into_iter().filter(|row| row.due_pk.is_some()) {
            if row.status.is_open() && expiry(row.created_at) <= now {
                row.end(Status::Cancelled, Some("expired"), now);
                self.rows.save(&row).await?;
                count = count.saturating_add(1);
                continue;
            }
            let is_disabled = row.status == Status::Paused && row.reason.as_deref() == Some("disabled");
            if let Some(message) = waiting(&row, row.due()).filter(|_| !is_disabled) {
                waiters.push((row, message));
            }
        }
        let outgoing = waiters.iter().map(|(row, message)| Outgoing {
            body: message,
            group: row.subscription_id.to_string(),
            delay_seconds: hop(message.due, now),
        });
        let unsent: BTreeSet<usize> = self.retries.send_all(outgoing.collect()).await?.into_iter().collect();
        for (number, (mut row, _)) in waiters.into_iter().enumerate() {
            if !unsent.contains(&number) {
                row.leave_the_index();
                // A row that moved on meanwhile has left the index by itself.
                self.rows.save(&row).await?;
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// Fans out events that are older than five minutes and have no mark; how many those were.
    ///
    /// # Errors
    /// Unavailable when a dependency is; the next run looks again.
    pub async fn fan_out_missed(&self, now: DateTime<Utc>) -> Result<usize, Error> {
        let seen: Option<Watermark> = self.store.core.get(&keys::fan_out_watermark()).await?;
        let from = seen.map_or_else(|| before(now, Duration::hours(FIRST_LOOK_HOURS)), |seen| seen.at);
        let until = before(now, Duration::minutes(MISSED_MINUTES));
        if until.signed_duration_since(from) < Duration::minutes(LOOK_MINUTES) {
            return Ok(0);
        }
        let tenants: Vec<Tenant> = self.store.core.all(keys::TENANTS, "TENANT#").await?;
        let mut count: usize = 0;
        for tenant in tenants {
            let missed = self.missed(tenant.id, from, until).await?;
            count = count.saturating_add(missed.len());
            for outcome in self.fan_out.fan_out(&missed, now).await {
                outcome?;
            }
        }
        self.store.core.put(&keys::fan_out_watermark(), &Watermark { at: until }).await?;
        Ok(count)
    }

    async fn missed(
        &self,
        tenant: TenantId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Event>, Error> {
        let days = self.store.event_days(tenant).await?;
        let mut missed = Vec::new();
        for day in days.into_iter().filter(|day| (from.date_naive()..=until.date_naive()).contains(day)) {
            for shard in 0..keys::EVENT_SHARDS {
                let partition = keys::events(tenant, day, shard);
                let rows = self.store.core.range(&partition, &id_bound(from), &id_bound(until)).await?;
                missed.extend(unmarked(rows)?);
            }
        }
        Ok(missed)
    }
}

/// The events among the rows of a partition that have no mark beside them.
fn unmarked(rows: Vec<crate::store::Item>) -> Result<Vec<Event>, Error> {
    let mut events = BTreeMap::new();
    for row in rows {
        let sk = row.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
        match sk.strip_suffix("#FANOUT") {
            Some(marked) => {
                events.remove(marked);
            }
            None => {
                events.insert(sk, table::read(row)?);
            }
        }
    }
    Ok(events.into_values().collect())
}

fn before(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    now.checked_sub_signed(by).unwrap_or(now)
}
