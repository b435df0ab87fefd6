//! Deliveries that wait: for a receiver that is back, for their turn, for a credential, for a subscription that is
//! enabled again. None of it uses an attempt.

use chrono::{DateTime, Utc};

use super::{Deliver, MAX_WRITES};
use crate::app::outbound::delivery_store::Save;
use crate::app::outbound::due::schedule_in_index;
use crate::domain::outbound::breaker::{Permit, spread};
use crate::domain::outbound::delivery::Delivery;
use crate::domain::outbound::message::AttemptDue;
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::schedule::Next;
use crate::domain::outbound::subscription::Subscription;
use crate::domain::shared::rate_slot::{SlotState, standing};
use crate::error::Error;
use crate::random;
use crate::store::keys;

/// Whether an attempt is made now.
pub(super) enum Admission {
    /// Yes; `is_probe`: to find out whether the receiver is back.
    Now { is_probe: bool },
    /// No: the delivery was put aside.
    PutAside,
}

impl Deliver {
    /// Waits for the delivery's turn, or puts it aside until then: while the breaker is open, while a rate limit has
    /// others before it, and until a reader fetches it. None of it uses an attempt.
    pub(super) async fn turn(
        &self,
        row: &Delivery,
        due: &AttemptDue,
        subscription: &Subscription,
        now: DateTime<Utc>,
    ) -> Result<Admission, Error> {
        if subscription.spec.is_pull() {
            let partition = keys::pull(row.tenant_id, row.subscription_id);
            self.put_aside(row.clone(), due, |row| {
                // A message that comes again takes nothing from a reader who has it.
                if !row.awaits_reader() {
                    row.await_reader(partition.clone(), now);
                }
            })
            .await?;
            return Ok(Admission::PutAside);
        }
        match self.pulse.passage(subscription, now).await? {
            Permit::Wait(until) => {
                let later = spread(until, u64::from_be_bytes(random::bytes()));
                self.put_aside(row.clone(), due, |row| {
                    row.wait(Reason::Breaker, later);
                    schedule_in_index(row, later);
                })
                .await?;
                return Ok(Admission::PutAside);
            }
            Permit::Probe => return Ok(Admission::Now { is_probe: true }),
            Permit::Free => {}
        }
        let Some(per_second) = subscription.spec.rate_limit_per_second else {
            return Ok(Admission::Now { is_probe: false });
        };
        let had = row.waits_for(&Reason::RateLimit).filter(|turn| standing(*turn, now) != SlotState::Missed);
        let turn = match had {
            Some(turn) => turn,
            None => self.pace.turn(subscription, per_second, now).await?,
        };
        match standing(turn, now) {
            SlotState::Now | SlotState::Missed => {}
            SlotState::Soon => self.clock.sleep_until(turn).await,
            SlotState::Later(before) => {
                self.wait_for_turn(row, due, turn, before, now).await?;
                return Ok(Admission::PutAside);
            }
        }
        Ok(Admission::Now { is_probe: false })
    }

    /// Lets a delivery come up again somewhat before its turn.
    async fn wait_for_turn(
        &self,
        row: &Delivery,
        due: &AttemptDue,
        turn: DateTime<Utc>,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let next = Next::at(before, now);
        let is_ours = self
            .put_aside(row.clone(), due, |row| {
                row.wait(Reason::RateLimit, turn);
                if let Next::Park(at) = next {
                    schedule_in_index(row, at);
                }
            })
            .await?;
        match next {
            Next::Send(at) if is_ours => {
                self.send(&AttemptDue { due: Some(at), fresh: false, ..due.clone() }).await
            }
            Next::Send(_) | Next::Park(_) | Next::Nothing => Ok(()),
        }
    }

    /// Pauses a delivery, visibly and without using an attempt, until it is resumed, or until the index of
    /// due deliveries brings it up again.
    pub(super) async fn pause(
        &self,
        row: Delivery,
        due: &AttemptDue,
        reason: Reason,
        until: DateTime<Utc>,
    ) -> Result<(), Error> {
        let paused = self.put_aside(row, due, |row| {
            row.pause(reason.clone());
            schedule_in_index(row, until);
        });
        paused.await.map(|_| ())
    }

    /// Writes that a delivery waits; whether it still was this message's to say.
    async fn put_aside(
        &self,
        mut row: Delivery,
        due: &AttemptDue,
        change: impl Fn(&mut Delivery),
    ) -> Result<bool, Error> {
        for _ in 0..MAX_WRITES {
            change(&mut row);
            match self.rows.save(&row).await? {
                Save::Conflict(other) if other.awaits(due.generation, due.attempt) => row = *other,
                Save::Written => return Ok(true),
                // Another writer was first: what it wrote stands, and this message has no more to do.
                Save::Conflict(_) => return Ok(false),
            }
        }
        Err(Error::unavailable("a delivery's row is written by too many at once"))
    }
}
