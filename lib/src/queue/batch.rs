//! A batch of messages as Lambda passes it, and the answer that names the messages to be received again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::Error;
use crate::log_error;
use crate::panic;

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    id: String,
    /// Its JSON text.
    body: Arc<str>,
    /// How often it was received, this time included (`ApproximateReceiveCount` of SQS).
    pub receives: u32,
}

impl Received {
    /// The message as a value.
    ///
    /// # Errors
    /// `Fault` if it is not of that form. This is a bug of ours; the message becomes a dead letter.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.body)
            .map_err(|error| Error::fault("a message cannot be read").caused_by(error))
    }
}

/// Whether an event of a function is one of SQS: it has records.
///
/// # Errors
/// `Fault` if the event is not a JSON object.
pub fn is_queue_event(event: &str) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "Records")]
        records: Option<IgnoredAny>,
    }
    let event: Event = serde_json::from_str(event)
        .map_err(|error| Error::fault("the event is not a JSON object").caused_by(error))?;
    Ok(event.records.is_some())
}

/// The ids in a message's body, for the log: those of [`AttemptDue`], [`Command`] and [`QueuedRequest`].
///
/// [`AttemptDue`]: crate::domain::outbound::message::AttemptDue
/// [`Command`]: crate::domain::outbound::message::Command
/// [`QueuedRequest`]: crate::domain::inbound::queued_request::QueuedRequest
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ids {
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
    #[serde(rename = "subscriptionId")]
    subscription: Option<String>,
    #[serde(rename = "deliveryId")]
    delivery: Option<String>,
    #[serde(rename = "eventId")]
    event: Option<String>,
    #[serde(rename = "configId")]
    config: Option<String>,
    #[serde(rename = "receiptId")]
    receipt: Option<String>,
}

/// Handles every message of an event, all concurrently. Returns the answer that names those to be received
/// again.
///
/// # Errors
/// `Fault` if the event is not one of SQS.
pub async fn each<'a, F>(event: &str, handle: impl Fn(Received) -> F) -> Result<String, Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'a,
{
    let event: SqsEvent = serde_json::from_str(event)
        .map_err(|error| Error::fault("the event is not one of SQS").caused_by(error))?;
    let handled = event.records.into_iter().map(|record| {
        let id = record.message_id.unwrap_or_default();
        let body: Arc<str> = record.body.unwrap_or_default().into();
        let receives = record.attributes.get("ApproximateReceiveCount");
        let message = Received {
            id: id.clone(),
            body: Arc::clone(&body),
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        };
        let outcome = AssertUnwindSafe(handle(message)).catch_unwind();
        async move {
            // A panic fails its own message only.
            let error = match outcome.await {
                Ok(outcome) => outcome.err()?,
                Err(panic) => Error::fault("a message's handler panicked").about(panic::message(&*panic)),
            };
            let ids: Ids = serde_json::from_str(&body).unwrap_or_default();
            log_error!(
                ERROR,
                error,
                "message failed",
                message.id = id,
                tenant.id = ids.tenant,
                subscription.id = ids.subscription,
                delivery.id = ids.delivery,
                event.id = ids.event,
                config.id = ids.config,
                receipt.id = ids.receipt
            );
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            Some(failure)
        }
    });
    let mut answer = SqsBatchResponse::default();
    answer.batch_item_failures = join_all(handled).await.into_iter().flatten().collect();
    serde_json::to_string(&answer)
        .map_err(|error| Error::fault("an answer cannot be written").caused_by(error))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn only_messages_that_failed_are_received_again() {
        let record = |id: &str, body: &str| {
            json!({"messageId": id, "receiptHandle": "r", "body": body, "md5OfBody": "",
                "attributes": {"ApproximateReceiveCount": "2"}, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn", "awsRegion": "us-east-1"})
        };
        let bodies = [("a", "1"), ("b", "x"), ("c", "3"), ("d", "0")];
        let event = json!({"Records": bodies.map(|(id, body)| record(id, body))}).to_string();
        let answer = each(&event, |message| async move {
            assert_eq!(message.receives, 2);
            assert_ne!(&*message.body, "0", "a panic");
            message.read::<u8>().map(|_| ())
        });
        let answer: Value = serde_json::from_str(&answer.await.unwrap()).unwrap();
        let failures = json!([{"itemIdentifier": "b"}, {"itemIdentifier": "d"}]);
        assert_eq!(answer, json!({"batchItemFailures": failures}));
    }
}
