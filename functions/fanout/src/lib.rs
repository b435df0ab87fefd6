//! `fanout`: sends the first attempts of new events to the queues. The stream of the table `core` invokes it.

use std::sync::Arc;

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord};
use chrono::{DateTime, Utc};
use serde_json::json;
use stella::app::outbound::fan_out::FanOut;
use stella::app::shared::filter_failures::FilterFailures;
use stella::aws::Aws;
use stella::clock::Clock;
use stella::domain::outbound::event::Event;
use stella::environment::Environment;
use stella::error::Error;
use stella::function::{Answer, Finish, Function};
use stella::log_error;
use stella::metrics::Metrics;
use stella::queue::Queue;
use stella::store::Store;

/// The function.
pub struct Fanout {
    fan_out: FanOut,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

/// Creates the function's clients.
///
/// # Errors
/// `Fault` if a variable is missing.
#[expect(clippy::unused_async, reason = "functions start alike, and some read their keys first")]
pub async fn start(environment: Environment) -> Result<Fanout, Error> {
    let aws = Aws::new(&environment)?;
    let store = Store::new(&environment, &aws)?;
    let sqs = aws.sqs();
    let deliveries = Queue::of(&environment, &sqs, "DELIVERIES_QUEUE_URL")?;
    let retries = Queue::of(&environment, &sqs, "RETRIES_QUEUE_URL")?;
    let later = Queue::of(&environment, &sqs, "COMMANDS_QUEUE_URL")?;
    let unproven = environment.number("UNPROVEN_PER_MINUTE")?;
    let metrics = Arc::new(Metrics::of(&environment));
    let failures = FilterFailures::new(&store, environment.clock());
    let fan_out =
        FanOut::new(store, deliveries, retries, Some(later), unproven, Arc::clone(&metrics), failures);
    Ok(Fanout { fan_out, metrics, clock: environment.clock() })
}

impl Function for Fanout {
    fn handle<'a>(&'a self, event: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(self.batch(event))
    }

    fn finish(&self) -> Finish<'_> {
        Box::pin(self.fan_out.finish())
    }
}

impl Fanout {
    /// Answers with the first record that failed. The stream repeats it and those behind it, which makes the
    /// same deliveries again.
    async fn batch(&self, event: &str) -> Result<String, Error> {
        let event: StreamEvent = serde_json::from_str(event)
            .map_err(|error| Error::fault("the event is not one of a stream").caused_by(error))?;
        let mut numbers = Vec::new();
        let mut events = Vec::new();
        for record in event.records {
            let number = record.change.sequence_number.clone();
            match read(record) {
                Ok(read) => {
                    numbers.push(number);
                    events.push(read);
                }
                // A repetition would fail too, and would hold up the records behind it.
                Err(error) => {
                    self.metrics.count("FanOutFailed", 1);
                    log_error!(ERROR, error, "a record is not an event", stream.sequence_number = number);
                }
            }
        }
        let now = self.clock.now();
        let outcomes = self.fan_out.fan_out(&events, now).await;
        self.metrics.emit(&[], now);
        let failed =
            numbers.into_iter().zip(outcomes).find_map(|(number, outcome)| outcome.err().and(number));
        let failures: Vec<_> = failed.into_iter().map(|number| json!({"itemIdentifier": number})).collect();
        Ok(json!({"batchItemFailures": failures}).to_string())
    }
}

fn read(record: EventRecord) -> Result<Event, Error> {
    serde_dynamo::from_item(record.change.new_image)
        .map_err(|error| Error::fault("a stored item cannot be read").caused_by(error))
}
