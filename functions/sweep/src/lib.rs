//! `sweep`: sends deliveries that wait longer than a queue can delay them, finds missed events, and executes
//! commands about whole subscriptions. A schedule and the command queue invoke it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use stella::app::outbound::bulk_update::BulkUpdate;
use stella::app::outbound::disable;
use stella::app::outbound::fan_out::FanOut;
use stella::app::outbound::recover::Recoveries;
use stella::app::outbound::sweep::Sweep;
use stella::app::shared::filter_failures::FilterFailures;
use stella::aws::Aws;
use stella::clock::Clock;
use stella::domain::outbound::message::{Command, ScanCursor};
use stella::environment::Environment;
use stella::error::Error;
use stella::function::{Answer, Finish, Function};
use stella::metrics::Metrics;
use stella::queue::batch::Received;
use stella::queue::{Queue, batch};
use stella::store::Store;

/// The function.
pub struct Sweeping {
    sweep: Sweep,
    store: Store,
    bulk_update: BulkUpdate,
    recoveries: Recoveries,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

/// Creates the function's clients.
///
/// # Errors
/// `Fault` if a variable is missing.
#[expect(clippy::unused_async, reason = "functions start alike, and some read their keys first")]
pub async fn start(environment: Environment) -> Result<Sweeping, Error> {
    let aws = Aws::new(&environment)?;
    let store = Store::new(&environment, &aws)?;
    let sqs = aws.sqs();
    let deliveries = Queue::of(&environment, &sqs, "DELIVERIES_QUEUE_URL")?;
    let retries = Queue::of(&environment, &sqs, "RETRIES_QUEUE_URL")?;
    let commands = Queue::of(&environment, &sqs, "COMMANDS_QUEUE_URL")?;
    let metrics = Arc::new(Metrics::of(&environment));
    let failures = FilterFailures::new(&store, environment.clock());
    let unproven = environment.number("UNPROVEN_PER_MINUTE")?;
    let fan_out = FanOut::new(
        store.clone(),
        deliveries,
        retries.clone(),
        None,
        unproven,
        Arc::clone(&metrics),
        failures,
    );
    Ok(Sweeping {
        sweep: Sweep::new(store.clone(), retries.clone(), fan_out, environment.clock()),
        store: store.clone(),
        recoveries: Recoveries::new(store.clone(), retries.clone(), commands.clone()),
        bulk_update: BulkUpdate::new(store, retries, commands),
        metrics,
        clock: environment.clock(),
    })
}

impl Function for Sweeping {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            if batch::is_queue_event(event)? {
                return batch::each(event, |message| self.execute(message, deadline)).await;
            }
            self.minute(deadline).await
        })
    }

    fn finish(&self) -> Finish<'_> {
        Box::pin(self.sweep.finish())
    }
}

impl Sweeping {
    async fn minute(&self, deadline: DateTime<Utc>) -> Result<String, Error> {
        let now = self.clock.now();
        let due = self.sweep.send_due(now).await?;
        let missed = self.sweep.fan_out_missed(now, deadline).await?;
        if missed > 0 {
            tracing::warn!(events = missed, "events were fanned out that no stream record brought");
        }
        tracing::debug!(deliveries = due, "due deliveries were sent");
        self.metrics.count("DueSent", u64::try_from(due).unwrap_or(0));
        self.metrics.count("FanOutMissed", u64::try_from(missed).unwrap_or(0));
        self.metrics.emit(&[], now);
        Ok("null".to_owned())
    }

    async fn execute(&self, message: Received, deadline: DateTime<Utc>) -> Result<(), Error> {
        let now = self.clock.now();
        match message.read()? {
            Command::Disable { tenant_id, subscription_id, reason, revision } => {
                disable::disable(&self.store, tenant_id, subscription_id, &reason, revision, now).await?;
                self.bulk_update.pause(ScanCursor::new(tenant_id, subscription_id), now, deadline).await
            }
            Command::GiveUp { tenant_id, subscription_id } => {
                disable::give_up(&self.store, tenant_id, subscription_id, now).await?;
                self.bulk_update.pause(ScanCursor::new(tenant_id, subscription_id), now, deadline).await
            }
            Command::Recover { recovery_id, walk: cursor } => {
                self.recoveries.run(recovery_id, cursor, now, deadline).await
            }
            Command::FanOut { tenant_id, event_ids } => {
                let done = self.sweep.fan_out(tenant_id, &event_ids, deadline).await;
                self.metrics.emit(&[], now);
                done
            }
            Command::Pause(cursor) => self.bulk_update.pause(cursor, now, deadline).await,
            Command::Resume(cursor) => self.bulk_update.resume(cursor, now, deadline).await,
            Command::Cancel(cursor) => self.bulk_update.cancel(cursor, now, deadline).await,
        }
    }
}
