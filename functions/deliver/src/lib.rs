//! `deliver`: makes the attempts that are due. The delivery and retry queues invoke it.

use chrono::{DateTime, Utc};
use stella::app::outbound::attempt::AttemptSender;
use stella::app::outbound::deliver::Deliver;
use stella::aws::Aws;
use stella::environment::Environment;
use stella::error::Error;
use stella::function::{Answer, Finish, Function};
use stella::metrics::Metrics;
use stella::queue::{Queue, batch};
use stella::store::Store;

/// The function.
pub struct Delivering(Deliver);

/// Creates the function's clients.
///
/// # Errors
/// `Fault` if a variable is missing.
#[expect(clippy::unused_async, reason = "functions start alike, and some read their keys first")]
pub async fn start(environment: Environment) -> Result<Delivering, Error> {
    let aws = Aws::new(&environment)?;
    let store = Store::new(&environment, &aws)?;
    let sender = AttemptSender::of(&environment, &aws, &store)?;
    let sqs = aws.sqs();
    let retries = Queue::of(&environment, &sqs, "RETRIES_QUEUE_URL")?;
    let commands = Queue::of(&environment, &sqs, "COMMANDS_QUEUE_URL")?;
    let metrics = Metrics::of(&environment);
    Ok(Delivering(Deliver::new(store, sender, retries, commands, environment.clock(), metrics)))
}

impl Function for Delivering {
    fn handle<'a>(&'a self, event: &'a str, deadline: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            let answer = batch::each(event, move |message| async move {
                let due = message.read()?;
                self.0.deliver(&due, message.receives, deadline).await
            });
            let answer = answer.await;
            self.0.flush_due().await;
            answer
        })
    }

    fn finish(&self) -> Finish<'_> {
        Box::pin(self.0.finish())
    }
}
