//! What others are to know of a delivery that failed for good.
//!
//! Safe to run twice: what is raised has an id of its own, and a command names the revision that it is about.

use crate::domain::outbound::delivery::{Delivery, Status};
use crate::domain::outbound::message::Command;
use crate::domain::outbound::reason::Reason;
use crate::domain::outbound::subscription::Subscription;
use crate::error::Error;
use crate::queue::{Outgoing, Queue};
use crate::store::Store;

use super::service_events;

/// Tells that a delivery is exhausted; or that its receiver is gone, and its subscription, unless it was changed
/// since, to be disabled.
///
/// # Errors
/// Unavailable when a dependency is.
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
