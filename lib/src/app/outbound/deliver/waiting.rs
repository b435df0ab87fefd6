//! Deliveries that wait: for the breaker to close, for a rate-limit slot, for a reader, for a credential, or
//! for their subscription to be enabled. Waiting uses no attempt.

use chrono::{DateTime, Utc};

use super::{Deliver, MAX_WRITES};
use crate::app::outbound::delivery_store::Save;
use crate::app::outbound::due::schedule_in_index;
use crate::domain::outbound::admission::Wait;
use crate::domain::outbound::breaker::spread;
use crate::domain::outbound::delivery::Delivery;
use crate::domain::outbound::message::AttemptDue;
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::schedule::Next;
use crate::domain::shared::rate_slot::SlotState;
use crate::error::Error;
use crate::random;
use crate::store::keys;

/// The slot that a row waits for, unless it was missed.
pub(super) fn slot_of(row: &Delivery, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    row.waits_for(&Reason::RateLimit).filter(|slot| SlotState::of(*slot, now) != SlotState::Missed)
}

impl Deliver {
    /// Lets a delivery wait, without using an attempt.
    pub(super) async fn wait(
        &self,
        row: Delivery,
        due: &AttemptDue,
        wait: Wait,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if !matches!(wait, Wait::Resume(..)) {
            self.metrics.count("PutAside", 1);
        }
        let written = match wait {
            Wait::Resume(reason, until) => {
                let pause = |row: &mut Delivery| {
                    row.pause(reason.clone());
                    schedule_in_index(row, until);
                };
                self.defer(row, due, pause).await
            }
            Wait::Reader => {
                let partition = keys::pull(row.tenant_id, row.subscription_id);
                let await_reader = |row: &mut Delivery| {
                    // A repeated message must not take the delivery from a reader that has leased it.
                    if !row.awaits_reader() {
                        row.await_reader(partition.clone(), now);
                    }
                };
                self.defer(row, due, await_reader).await
            }
            Wait::Breaker(until) => {
                let later = spread(until, u64::from_be_bytes(random::bytes()));
                let hold = |row: &mut Delivery| {
                    row.wait(Reason::Breaker, later);
                    schedule_in_index(row, later);
                };
                self.defer(row, due, hold).await
            }
            Wait::Slot { slot, before } => return self.wait_for_slot(row, due, slot, before, now).await,
        };
        written.map(|_| ())
    }

    /// Lets a delivery come up again shortly before its slot.
    async fn wait_for_slot(
        &self,
        row: Delivery,
        due: &AttemptDue,
        slot: DateTime<Utc>,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let next = Next::at(before, now);
        let is_ours = self
            .defer(row, due, |row| {
                row.wait(Reason::RateLimit, slot);
                if let Next::Index(at) = next {
                    schedule_in_index(row, at);
                }
            })
            .await?;
        match next {
            Next::Send(at) if is_ours => {
                self.send(&AttemptDue { due: Some(at), fresh: false, ..due.clone() }).await
            }
            Next::Send(_) | Next::Index(_) | Next::Nothing => Ok(()),
        }
    }

    /// Writes that a delivery waits. Returns whether the delivery still awaited this message's attempt.
    async fn defer(
        &self,
        mut row: Delivery,
        due: &AttemptDue,
        change: impl Fn(&mut Delivery),
    ) -> Result<bool, Error> {
        for _ in 0..MAX_WRITES {
            change(&mut row);
            match self.deliveries.save(&row).await? {
                Save::Conflict(other) if other.awaits(due.generation, due.attempt) => row = *other,
                Save::Written => return Ok(true),
                // Another writer was first: its row stays, and this message has nothing more to do.
                Save::Conflict(_) => return Ok(false),
            }
        }
        Err(Error::unavailable("a delivery's row is written by too many at once"))
    }
}
