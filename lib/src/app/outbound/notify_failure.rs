//! Notifications after a final failure.
//!
//! Safe to run twice: the operational event has a derived id, and the command names the revision that it is
//! about.

use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::message::Command;
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::subscription::Subscription;
use crate::error::Error;
use crate::queue::{Outgoing, Queue};
use crate::store::Store;

use super::service_events;

/// Raises `delivery.exhausted` if the retry policy is exhausted. If the receiver answered 410, sends the
/// command that disables the subscription, unless the subscription was changed since the attempt.
///
/// # Errors
/// `Unavailable` if a dependency does not answer.
pub async fn notify(
    store: &Store,
    commands: &Queue,
    row: &Delivery,
    subscription: &Subscription,
) -> Result<(), Error> {
    let last = row.log.last().filter(|_| row.status == Status::Failed);
    let Some(last) = last else { return Ok(()) };
    if row.reason == Some(Reason::Exhausted) {
        return service_events::exhausted(store, row, subscription).await;
    }
    if row.reason != Some(Reason::Gone) {
        return Ok(());
    }
    let command = Command::Disable {
        tenant_id: row.tenant_id,
        subscription_id: row.subscription_id,
        reason: "The receiver answered 410 Gone".to_owned(),
        revision: last.revision,
    };
    let group = row.subscription_id.to_string();
    commands.send(Outgoing { body: &command, group, delay_seconds: 0 }).await
}
