//! Recovers many deliveries: counts them, then redelivers them in the background.
//!
//! Safe to run twice: a delivery that was redelivered is open, and is skipped. If the process dies between
//! the write of a row and its message, `sweep` sends the message. Progress is written by optimistic locking
//! on the recovery's revision.

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use serde_json::Value;
use uuid::Uuid;

use super::bulk_update::{STEP, steps};
use super::delivery_store::{DeliveryStore, unless_refused};
use super::due::{send_attempts, waiting};
use super::redeliver::restart;
use crate::domain::outbound::delivery::{Delivery, RETENTION};
use crate::domain::outbound::message::{Command, ScanCursor};
use crate::domain::outbound::recovery::{Criteria, Recovery};
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::delivery_id::SHARDS;
use crate::domain::shared::ids::{RecoveryId, TenantId};
use crate::error::{Error, Kind};
use crate::queue::{Outgoing, Queue};
use crate::store::listing::{id_bound, id_floor};
use crate::store::{Created, Store, keys};

/// How many rows are counted at most before a recovery begins.
const MAX_COUNTED: u64 = 10_000;

/// Begins, runs and finds recoveries.
#[derive(Clone)]
pub struct Recoveries {
    store: Store,
    deliveries: DeliveryStore,
    retries: Queue,
    commands: Queue,
}

/// The result of a request for a recovery.
pub enum Asked {
    /// A dry run: how many deliveries match, and whether this is a lower bound.
    Counted(u64, bool),
    /// The recovery began.
    Begun(Recovery),
}

impl Recoveries {
    /// Sends redelivered deliveries to the queue `retries`, and the continuation of a recovery to `commands`.
    #[must_use]
    pub fn new(store: Store, retries: Queue, commands: Queue) -> Self {
        Self { deliveries: DeliveryStore::new(&store), store, retries, commands }
    }

    /// Counts the deliveries that match and, unless it is a dry run, begins the recovery.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake; `Conflict` if the subscription is disabled.
    pub async fn ask(
        &self,
        subscription: &Subscription,
        id: Uuid,
        body: &Value,
        now: DateTime<Utc>,
    ) -> Result<Asked, Error> {
        let (criteria, is_dry) = Criteria::parse(body, now)?;
        let (tenant, cursor) = (
            subscription.tenant_id,
            ScanCursor::new(subscription.tenant_id, subscription.id).at_the_first_of(&criteria),
        );
        let (matched, matched_is_lower_bound) = self.count(cursor.clone(), &criteria, now).await?;
        if is_dry {
            return Ok(Asked::Counted(matched, matched_is_lower_bound));
        }
        subscription.must_be_enabled()?;
        let recovery = Recovery {
            id: RecoveryId::from(id),
            tenant_id: tenant,
            subscription_id: subscription.id,
            criteria,
            matched,
            matched_is_lower_bound,
            requeued: 0,
            created_at: now,
            completed_at: None,
            revision: 1,
            expires_at: now.checked_add_signed(RETENTION).unwrap_or(now).timestamp(),
        };
        let key = keys::recovery(tenant, recovery.id);
        let recovery = match self.store.deliveries.create(&key, &recovery).await? {
            Created::Now => recovery,
            Created::Before(before) => before,
        };
        // If the request is repeated, the command is sent again, which is harmless.
        self.continue_later(&recovery, cursor).await?;
        Ok(Asked::Begun(recovery))
    }

    /// The tenant's recovery with this id.
    ///
    /// # Errors
    /// `NotFound` if it does not exist.
    pub async fn find(&self, tenant: TenantId, id: RecoveryId) -> Result<Recovery, Error> {
        let found: Option<Recovery> = self.store.deliveries.get(&keys::recovery(tenant, id)).await?;
        found.ok_or_else(Error::not_found)
    }

    async fn count(
        &self,
        mut cursor: ScanCursor,
        criteria: &Criteria,
        now: DateTime<Utc>,
    ) -> Result<(u64, bool), Error> {
        let (mut examined, mut matched): (u64, u64) = (0, 0);
        while cursor.shard < SHARDS {
            let rows = self.page(&mut cursor, criteria).await?;
            examined = examined.saturating_add(u64::try_from(rows.len()).unwrap_or(0));
            let taken = rows.iter().filter(|row| criteria.takes(row, now)).count();
            matched = matched.saturating_add(u64::try_from(taken).unwrap_or(0));
            if examined >= MAX_COUNTED && cursor.shard < SHARDS {
                return Ok((matched, true));
            }
        }
        Ok((matched, false))
    }

    /// Redelivers deliveries from `cursor` on, until the deadline.
    ///
    /// # Errors
    /// `Unavailable` if a dependency does not answer; the command is received again.
    pub async fn run(
        &self,
        id: RecoveryId,
        mut cursor: ScanCursor,
        now: DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut recovery = match self.find(cursor.tenant_id, id).await {
            Err(error) if error.kind == Kind::NotFound => return Ok(()),
            found => found?,
        };
        for _ in 0..steps(now, deadline) {
            if cursor.shard >= SHARDS || recovery.completed_at.is_some() {
                return Ok(());
            }
            let rows = self.page(&mut cursor, &recovery.criteria).await?;
            let matching = rows.into_iter().filter(|row| recovery.criteria.takes(row, now));
            let sent = self.send(matching.collect(), now).await?;
            let before = recovery.revision;
            recovery.requeued = recovery.requeued.saturating_add(sent);
            recovery.completed_at = (cursor.shard >= SHARDS).then_some(now);
            recovery.revision = before.saturating_add(1);
            let key = keys::recovery(recovery.tenant_id, recovery.id);
            if !self.store.deliveries.replace(&key, &recovery, before).await? {
                // Another run of the same command continues it.
                return Ok(());
            }
        }
        if cursor.shard < SHARDS { self.continue_later(&recovery, cursor).await } else { Ok(()) }
    }

    /// The rows of the next step. Moves the cursor behind them.
    async fn page(&self, cursor: &mut ScanCursor, criteria: &Criteria) -> Result<Vec<Delivery>, Error> {
        let partition = keys::deliveries(cursor.tenant_id, cursor.subscription_id, cursor.shard);
        let (mut rows, next) =
            self.store.deliveries.next::<Delivery>(&partition, &cursor.after, STEP).await?;
        let last = id_bound(criteria.to);
        let found = rows.len();
        rows.retain(|row| row.id.to_string() <= last);
        if let Some(next) = next.filter(|_| rows.len() == found) {
            cursor.after = next;
        } else {
            let next = ScanCursor { shard: cursor.shard.saturating_add(1), ..cursor.clone() };
            *cursor = next.at_the_first_of(criteria);
        }
        Ok(rows)
    }

    /// Restarts the schedules of deliveries and sends their messages. Returns how many there were.
    async fn send(&self, rows: Vec<Delivery>, now: DateTime<Utc>) -> Result<u64, Error> {
        let begun = rows.into_iter().map(async |row| {
            let id = row.id;
            unless_refused(id, restart(&self.deliveries, row, now).await)
        });
        let begun = try_join_all(begun).await?;
        let messages: Vec<_> =
            begun.iter().flatten().flatten().filter_map(|row| waiting(row, None)).collect();
        // A message that is not sent now is sent by `sweep`: its delivery is in the due index.
        send_attempts(&self.retries, &messages, now).await;
        Ok(u64::try_from(messages.len()).unwrap_or(0))
    }

    async fn continue_later(&self, recovery: &Recovery, cursor: ScanCursor) -> Result<(), Error> {
        let group = recovery.subscription_id.to_string();
        let command = Command::Recover { recovery_id: recovery.id, walk: cursor };
        self.commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await
    }
}

impl ScanCursor {
    /// The cursor at the first delivery of its partition that the recovery includes.
    fn at_the_first_of(self, criteria: &Criteria) -> Self {
        Self { after: id_floor(criteria.from), ..self }
    }
}
