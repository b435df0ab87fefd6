//! Resumes, pauses or cancels all deliveries of a subscription that was enabled, disabled or deleted.
//!
//! Safe to run twice: a delivery whose state changed meanwhile is skipped. If the time does not suffice, a
//! message continues the update from the [`ScanCursor`] on.

use chrono::{DateTime, Utc};

use super::delivery_store::{DeliveryStore, Save, unless_refused};
use super::due::{schedule_in_index, schedule_unsent, waiting};
use crate::domain::outbound::delivery::expiry;
use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::message::{Command, ScanCursor};
use crate::domain::outbound::reason::Reason;
use crate::domain::shared::delivery_id::SHARDS;
use crate::error::Error;
use crate::queue::{Outgoing, Queue};
use crate::store::{Store, keys};

/// How many rows one step reads.
pub(super) const STEP: i32 = 100;

/// How much time must be left before the deadline for another step, in seconds.
const STEP_SECONDS: i64 = 10;

/// After how many seconds an update is repeated: longer than any attempt takes that began before the first
/// run.
const REPEAT_SECONDS: i32 = 90;

/// Updates all deliveries of a subscription, step by step.
pub struct BulkUpdate {
    store: Store,
    deliveries: DeliveryStore,
    retries: Queue,
    commands: Queue,
}

impl BulkUpdate {
    /// Sends resumed deliveries to the queue `retries`, and the continuation of an update to `commands`.
    #[must_use]
    pub fn new(store: Store, retries: Queue, commands: Queue) -> Self {
        Self { deliveries: DeliveryStore::new(&store), store, retries, commands }
    }

    /// Resumes the deliveries that are paused because their subscription was disabled.
    ///
    /// # Errors
    /// `Unavailable` if a dependency does not answer; the command is received again.
    pub async fn resume(
        &self,
        cursor: ScanCursor,
        now: DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.update_all(cursor, now, deadline, Command::Resume, BulkAction::Resume).await
    }

    /// Pauses the deliveries of a disabled pull subscription that wait for a reader. Other deliveries are
    /// paused when they are due.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub async fn pause(
        &self,
        cursor: ScanCursor,
        now: DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        let found = self.store.find_subscription(cursor.tenant_id, cursor.subscription_id).await?;
        if found.is_none_or(|found| found.spec.enabled || !found.spec.is_pull()) {
            return Ok(());
        }
        self.update_all(cursor, now, deadline, Command::Pause, BulkAction::Pause).await
    }

    /// Cancels the open deliveries of a deleted subscription.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub async fn cancel(
        &self,
        cursor: ScanCursor,
        now: DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), Error> {
        // It still exists: the request to delete it failed.
        if self.store.find_subscription(cursor.tenant_id, cursor.subscription_id).await?.is_some() {
            return Ok(());
        }
        self.update_all(cursor, now, deadline, Command::Cancel, BulkAction::Cancel).await
    }

    async fn update_all(
        &self,
        mut cursor: ScanCursor,
        now: DateTime<Utc>,
        deadline: DateTime<Utc>,
        command: fn(ScanCursor) -> Command,
        action: BulkAction,
    ) -> Result<(), Error> {
        for _ in 0..steps(now, deadline) {
            if cursor.shard >= SHARDS {
                break;
            }
            let partition = keys::deliveries(cursor.tenant_id, cursor.subscription_id, cursor.shard);
            let (rows, next) =
                self.store.deliveries.next::<Delivery>(&partition, &cursor.after, STEP).await?;
            for row in rows {
                let id = row.id;
                let done = match action {
                    BulkAction::Resume => self.resume_one(row, now).await,
                    BulkAction::Pause => self.pause_one(row).await,
                    BulkAction::Cancel => self.cancel_one(row, now).await,
                };
                unless_refused(id, done)?;
            }
            if next.is_none() {
                cursor.shard = cursor.shard.saturating_add(1);
            }
            cursor.after = next.unwrap_or_default();
        }
        let group = cursor.subscription_id.to_string();
        if cursor.shard < SHARDS {
            return self.commands.send(Outgoing { body: &command(cursor), group, delay_seconds: 0 }).await;
        }
        if cursor.second {
            return Ok(());
        }
        let again = ScanCursor { second: true, ..ScanCursor::new(cursor.tenant_id, cursor.subscription_id) };
        let delay_seconds = REPEAT_SECONDS;
        self.commands.send(Outgoing { body: &command(again), group, delay_seconds }).await
    }

    async fn resume_one(&self, mut row: Delivery, now: DateTime<Utc>) -> Result<(), Error> {
        if row.status != Status::Paused || row.reason != Some(Reason::Disabled) {
            return Ok(());
        }
        row.resume();
        schedule_unsent(&mut row, now);
        if let Save::Conflict(_) = self.deliveries.save(&row).await? {
            return Ok(());
        }
        let Some(message) = waiting(&row, None) else { return Ok(()) };
        let group = row.subscription_id.to_string();
        self.retries.send(Outgoing { body: &message, group, delay_seconds: 0 }).await
    }

    async fn pause_one(&self, mut row: Delivery) -> Result<(), Error> {
        if !row.awaits_reader() {
            return Ok(());
        }
        let expiry = expiry(row.created_at);
        row.pause(Reason::Disabled);
        schedule_in_index(&mut row, expiry);
        self.deliveries.save(&row).await.map(|_| ())
    }

    async fn cancel_one(&self, mut row: Delivery, now: DateTime<Utc>) -> Result<(), Error> {
        if !row.status.is_open() {
            return Ok(());
        }
        row.end(Status::Cancelled, Some(Reason::SubscriptionDeleted), now);
        self.deliveries.save(&row).await.map(|_| ())
    }
}

/// How many steps there is time for, at least one.
pub(super) fn steps(now: DateTime<Utc>, deadline: DateTime<Utc>) -> i64 {
    let left = deadline.signed_duration_since(now).num_seconds();
    left.checked_div(STEP_SECONDS).unwrap_or(0).max(1)
}

#[derive(Clone, Copy)]
enum BulkAction {
    Resume,
    Pause,
    Cancel,
}
