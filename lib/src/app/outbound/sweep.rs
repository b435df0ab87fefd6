//! The work of each minute: deliveries that wait longer than a queue can delay them, and events that the
//! stream did not bring to fan-out.
//!
//! Safe to run twice: a message is sent before its row leaves the due index, and a second message for the
//! same attempt finds the attempt made.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::delivery_store::{DeliveryStore, unless_refused};
use super::due::{send_attempts, waiting};
use super::fan_out::FanOut;
use crate::clock::Clock;
use crate::domain::outbound::delivery::expiry;
use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::event::Event;
use crate::domain::outbound::message::AttemptDue;
use crate::domain::outbound::reason::Reason;
use crate::domain::shared::ids::{EventId, TenantId};
use crate::error::Error;
use crate::log_error;
use crate::queue::Queue;
use crate::store::listing::id_bound;
use crate::store::{Item, Key, Store, item, keys};

/// A delivery that is due within this many seconds is sent now, with the rest of its wait as the message's
/// delay.
const AHEAD_SECONDS: i64 = 90;

/// How many due deliveries are read at once.
const BATCH: i32 = 100;

/// How many batches of a shard one run sends. The rest waits for the next minute.
const MAX_BATCHES: usize = 100;

/// After how many minutes an event without a fan-out mark counts as missed by the stream.
const MISSED_MINUTES: i64 = 5;

/// How often missed events are looked for, in minutes.
const LOOK_MINUTES: i64 = 10;

/// How far back the first search for missed events goes, in hours: as long as a stream keeps its records
/// ("Change data capture for DynamoDB Streams" of the DynamoDB developer guide).
const FIRST_LOOK_HOURS: i64 = 24;

/// How much time must be left before the deadline to fan more events out, in seconds.
const RESERVED_SECONDS: i64 = 10;

/// How many events are fanned out at once.
const EVENTS_AT_ONCE: usize = 20;

/// How many tenants may be behind the watermark. With more, the watermark stays where it is.
const MAX_BEHIND: usize = 2_000;

/// Does the work of each minute, and fans deferred events out.
pub struct Sweep {
    store: Store,
    deliveries: DeliveryStore,
    retries: Queue,
    fan_out: FanOut,
    clock: Arc<dyn Clock>,
    /// Held while deferred events are fanned out: one command at a time.
    fan_out_lock: Mutex<()>,
}

/// Up to which time all events are known to be fanned out. The tenants in `behind` have a time of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watermark {
    at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    behind: BTreeMap<TenantId, DateTime<Utc>>,
}

impl Watermark {
    /// The tenant's watermark.
    fn of(&self, tenant: TenantId) -> DateTime<Utc> {
        self.behind.get(&tenant).copied().unwrap_or(self.at)
    }
}

impl Sweep {
    /// Sends attempts to the queue `retries`, and fans events out by `fan_out`.
    #[must_use]
    pub fn new(store: Store, retries: Queue, fan_out: FanOut, clock: Arc<dyn Clock>) -> Self {
        let (deliveries, fan_out_lock) = (DeliveryStore::new(&store), Mutex::default());
        Self { store, deliveries, retries, fan_out, clock, fan_out_lock }
    }

    /// Writes all that is buffered; called before the process ends.
    pub async fn finish(&self) {
        self.fan_out.finish().await;
    }

    /// Sends what is due, and returns how many deliveries that were. A row that cannot be read or written is
    /// removed from the due index, so that nothing waits behind it.
    ///
    /// # Errors
    /// `Unavailable` if a dependency does not answer; the next run continues.
    pub async fn send_due(&self, now: DateTime<Utc>) -> Result<usize, Error> {
        let until = now.checked_add_signed(Duration::seconds(AHEAD_SECONDS)).unwrap_or(now);
        let mut count: usize = 0;
        for shard in 0..keys::DUE_SHARDS {
            for _ in 0..MAX_BATCHES {
                let found = self.store.deliveries.due(&keys::due(shard), until, BATCH).await?;
                let items = self.store.deliveries.get_many(&found).await?;
                let sent = self.send_rows(self.readable(items).await?, now).await?;
                count = count.saturating_add(sent);
                // A row that stays in the index would be found for ever.
                if found.len() < usize::try_from(BATCH).unwrap_or(0) || sent == 0 {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// The rows that can be read. The others are logged and removed from the due index.
    async fn readable(&self, items: Vec<Item>) -> Result<Vec<Delivery>, Error> {
        let mut rows = Vec::with_capacity(items.len());
        for item in items {
            let place = item::key_of(&item);
            match (item::readable(item), place) {
                (Some(row), _) => rows.push(row),
                (None, Some(place)) => self.store.deliveries.leave_due_index(&place).await?,
                (None, None) => {}
            }
        }
        Ok(rows)
    }

    async fn send_rows(&self, rows: Vec<Delivery>, now: DateTime<Utc>) -> Result<usize, Error> {
        let mut waiters: Vec<Delivery> = Vec::new();
        let mut messages: Vec<AttemptDue> = Vec::new();
        let mut count: usize = 0;
        for mut row in rows.into_iter().filter(|row| row.due_pk.is_some()) {
            if row.status.is_open() && expiry(row.created_at) <= now {
                row.end(Status::Cancelled, Some(Reason::Expired), now);
                self.save(&row).await?;
                count = count.saturating_add(1);
                continue;
            }
            let is_disabled = row.status == Status::Paused && row.reason == Some(Reason::Disabled);
            if let Some(message) = waiting(&row, row.due()).filter(|_| !is_disabled) {
                waiters.push(row);
                messages.push(message);
            }
        }
        let unsent = send_attempts(&self.retries, &messages, now).await;
        for (number, mut row) in waiters.into_iter().enumerate() {
            if !unsent.contains_key(&number) {
                row.unschedule();
                self.save(&row).await?;
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }

    /// Writes a row whose message was sent. A row that changed meanwhile has left the index by itself; a row
    /// that DynamoDB refuses is removed from the index and stays as it is.
    async fn save(&self, row: &Delivery) -> Result<(), Error> {
        if unless_refused(row.id, self.deliveries.save(row).await)?.is_some() {
            return Ok(());
        }
        let place = keys::delivery(row.tenant_id, row.subscription_id, row.id);
        self.store.deliveries.leave_due_index(&place).await
    }

    /// Fans out deferred events of a tenant, one command at a time, so that several expensive tenants do not
    /// run at once.
    ///
    /// # Errors
    /// `Unavailable` if a dependency does not answer, or no time is left; the command is received again.
    pub async fn fan_out(
        &self,
        tenant: TenantId,
        events: &[EventId],
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        let _lock = self.fan_out_lock.lock().await;
        let places: Vec<Key> = events.iter().map(|id| keys::event(tenant, *id)).collect();
        self.fan_out_all(&places, deadline).await
    }

    /// Fans out events that are older than five minutes and have no fan-out mark, and returns how many. A
    /// tenant that fails, or for whom no time is left, is searched in the next run, and holds up no other
    /// tenant.
    ///
    /// # Errors
    /// `Unavailable` if a dependency does not answer; the next run searches again.
    pub async fn fan_out_missed(&self, now: DateTime<Utc>, deadline: DateTime<Utc>) -> Result<usize, Error> {
        let seen: Option<Watermark> = self.store.core.get(&keys::fan_out_watermark()).await?;
        let seen = seen.unwrap_or_else(|| Watermark {
            at: before(now, Duration::hours(FIRST_LOOK_HOURS)),
            behind: BTreeMap::new(),
        });
        let until = before(now, Duration::minutes(MISSED_MINUTES));
        let is_whole = until.signed_duration_since(seen.at) >= Duration::minutes(LOOK_MINUTES);
        let mut tenants: Vec<TenantId> = Vec::new();
        if is_whole {
            let all: Vec<TenantEntry> = self.store.core.all(keys::TENANTS, "TENANT#").await?;
            tenants.extend(all.iter().map(|tenant| tenant.id).filter(|id| !seen.behind.contains_key(id)));
        }
        // Tenants that failed before come last: the others are done, even if one of these ends the process.
        tenants.extend(seen.behind.keys());
        let mut next = Watermark { at: if is_whole { until } else { seen.at }, behind: BTreeMap::new() };
        let mut count: usize = 0;
        for tenant in tenants {
            let from = seen.of(tenant);
            let look = Look { tenant, from, until, deadline };
            if let Err(error) = self.look(&look, &mut count).await {
                log_error!(ERROR, error, "a tenant's missed events wait for the next run", tenant.id = %tenant);
                next.behind.insert(tenant, from);
            }
        }
        if next.behind.len() <= MAX_BEHIND && next != seen {
            self.store.core.put(&keys::fan_out_watermark(), &next).await?;
        }
        Ok(count)
    }

    /// Fans out the events of one search that have no mark, and counts them.
    async fn look(&self, look: &Look, count: &mut usize) -> Result<(), Error> {
        let days = self.store.event_days(look.tenant).await?;
        let wanted = look.from.date_naive()..=look.until.date_naive();
        for day in days.into_iter().filter(|day| wanted.contains(day)) {
            for shard in 0..keys::EVENT_SHARDS {
                let partition = keys::events(look.tenant, day, shard);
                let mut unmarked = Unmarked::default();
                let mut start = None;
                loop {
                    self.check_time(look.deadline)?;
                    let (from, to) = (id_bound(look.from), id_bound(look.until));
                    let (keys, next) = self.store.core.sort_keys(&partition, &from, &to, start).await?;
                    for key in keys {
                        unmarked.see(key);
                    }
                    start = next;
                    let missed = unmarked.take(start.is_none());
                    *count = count.saturating_add(missed.len());
                    let places = missed.into_iter().map(|sk| Key { pk: partition.clone(), sk });
                    self.fan_out_all(&places.collect::<Vec<_>>(), look.deadline).await?;
                    if start.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Fans out the events with these keys, some at a time: an event may be large.
    async fn fan_out_all(&self, places: &[Key], deadline: DateTime<Utc>) -> Result<(), Error> {
        for some in places.chunks(EVENTS_AT_ONCE) {
            self.check_time(deadline)?;
            let items = self.store.core.get_many(some).await?;
            let events: Vec<Event> = items.into_iter().filter_map(item::readable).collect();
            for outcome in self.fan_out.fan_out(&events, self.clock.now()).await {
                outcome?;
            }
        }
        Ok(())
    }

    fn check_time(&self, deadline: DateTime<Utc>) -> Result<(), Error> {
        if deadline.signed_duration_since(self.clock.now()) < Duration::seconds(RESERVED_SECONDS) {
            return Err(Error::unavailable("There is no time left"));
        }
        Ok(())
    }
}

/// The members of a tenant that the sweep needs.
#[derive(Deserialize)]
struct TenantEntry {
    id: TenantId,
}

/// A search: a tenant's events between two times, until the deadline.
struct Look {
    tenant: TenantId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    deadline: DateTime<Utc>,
}

/// Finds, among sort keys in ascending order, the events that are not followed by their mark.
#[derive(Default)]
struct Unmarked {
    last: Option<String>,
    found: Vec<String>,
}

impl Unmarked {
    fn see(&mut self, key: String) {
        match key.strip_suffix("#FANOUT") {
            Some(marked) => drop(self.last.take_if(|last| last == marked)),
            None => self.found.extend(self.last.replace(key)),
        }
    }

    /// Takes the events that were found. The last key is held back, because its mark may follow, unless this
    /// is the end.
    fn take(&mut self, is_end: bool) -> Vec<String> {
        if is_end {
            self.found.extend(self.last.take());
        }
        std::mem::take(&mut self.found)
    }
}

fn before(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    now.checked_sub_signed(by).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_unmarked_unless_its_mark_follows_on_the_same_or_the_next_page() {
        let mut unmarked = Unmarked::default();
        for key in ["a", "b", "b#FANOUT", "c"] {
            unmarked.see(key.to_owned());
        }
        assert_eq!(unmarked.take(false), ["a"]);
        for key in ["c#FANOUT", "d"] {
            unmarked.see(key.to_owned());
        }
        assert_eq!(unmarked.take(true), ["d"]);
        assert_eq!(unmarked.take(true), [""; 0]);
    }
}
