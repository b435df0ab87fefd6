//! Lambda's event source mapping for SQS: polls a queue and invokes a function.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch::{Failed, failed};
use crate::invoke::Invoker;
use crate::services::Services;
use crate::signal::Signal;
use crate::sqs::{self, Message};

/// The most concurrent invocations if the template does not limit them.
pub(crate) const CONCURRENCY: usize = 10;
/// How long a poll waits for a first message.
const LONG_POLL: Duration = Duration::from_secs(20);
/// The pause between two polls within a batching window.
const LULL: Duration = Duration::from_millis(100);
/// The pause after the queue could not be polled.
const REST: Duration = Duration::from_secs(1);

/// A mapping from a queue to a function.
#[derive(Clone)]
pub(crate) struct Poller {
    /// The queues.
    pub(crate) services: Services,
    /// The queue's name.
    pub(crate) queue: String,
    /// The function.
    pub(crate) invoker: Invoker,
    /// The most messages of an invocation.
    pub(crate) batch_size: usize,
    /// The batching window: how long a batch is gathered after its first message, by the machine's clock.
    pub(crate) window: Duration,
    /// The most concurrent invocations.
    pub(crate) concurrency: usize,
    /// Whether answers name the messages that failed (`ReportBatchItemFailures`).
    pub(crate) reports_failures: bool,
}

impl Poller {
    /// Polls until `stop` fires; then returns after the last invocation.
    pub(crate) async fn run(self, stop: Signal) {
        let slots = Arc::new(Semaphore::new(self.concurrency.max(1)));
        let mut invocations = JoinSet::new();
        // A slot comes first, so that no message waits after its visibility timeout has begun.
        while let Some(Ok(slot)) = stop.or(Arc::clone(&slots).acquire_owned()).await {
            let batch = self.gather(&stop).await;
            if batch.is_empty() {
                if stop.has_fired() {
                    break;
                }
                continue;
            }
            let poller = self.clone();
            invocations.spawn(async move {
                poller.process(&batch).await;
                drop(slot);
            });
            while invocations.try_join_next().is_some() {}
        }
        while invocations.join_next().await.is_some() {}
    }

    /// The next batch; empty after a poll without messages, and when `stop` fires.
    async fn gather(&self, stop: &Signal) -> Vec<Message> {
        let mut batch = match stop.or(self.services.receive(&self.queue, self.batch_size, LONG_POLL)).await {
            Some(Ok(messages)) => messages,
            Some(Err(error)) => {
                tracing::error!(queue.name = self.queue, error = %error, "the queue cannot be polled");
                stop.or(tokio::time::sleep(REST)).await;
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let end = Instant::now().checked_add(self.window);
        while !batch.is_empty() && batch.len() < self.batch_size && !self.window.is_zero() {
            // Without a pause, every single message would cost a request.
            let lull = tokio::time::sleep(LULL);
            if stop.or(tokio::time::timeout_at(end.unwrap_or_else(Instant::now), lull)).await.is_none() {
                break;
            }
            let most = self.batch_size.saturating_sub(batch.len());
            // Not aborted at the end of the window: messages received meanwhile would stay invisible for
            // nothing.
            let left = end.unwrap_or_else(Instant::now).saturating_duration_since(Instant::now());
            let more = self.services.receive(&self.queue, most, left);
            match stop.or(more).await {
                Some(Ok(messages)) if !messages.is_empty() => batch.extend(messages),
                // The window is over, `stop` fired, or the queue failed: the batch is complete.
                Some(_) | None => break,
            }
        }
        batch
    }

    /// Invokes the function and deletes the handled messages. The others are received again when they are
    /// visible.
    async fn process(&self, batch: &[Message]) {
        let Ok(answer) = self.invoker.invoke(event(&self.queue, batch)).await else { return };
        let identifiers: Vec<&str> = batch.iter().map(|message| message.message_id.as_str()).collect();
        let failed = if self.reports_failures { failed(&answer, &identifiers) } else { Failed::None };
        let done: Vec<String> = batch
            .iter()
            .filter(|message| match &failed {
                Failed::None => true,
                Failed::Some(identifiers) => !identifiers.contains(&message.message_id),
                Failed::All => false,
            })
            .map(|message| message.receipt_handle.clone())
            .collect();
        if done.len() < batch.len() {
            tracing::warn!(
                function.name = self.invoker.name(),
                messages = batch.len().saturating_sub(done.len()),
                "messages were given back"
            );
        }
        if done.is_empty() {
            return;
        }
        if let Err(error) = self.services.delete(&self.queue, &done).await {
            tracing::error!(queue.name = self.queue, error = %error, "handled messages cannot be deleted");
        }
    }
}

/// The event that a function gets for messages of a queue.
fn event(queue: &str, batch: &[Message]) -> String {
    let arn = sqs::arn(queue);
    let record = |message: &Message| -> Value {
        let attributes = message.message_attributes.iter().map(|(name, attribute)| {
            let member = |named: &str| attribute.get(named).cloned();
            let mut shown = serde_json::Map::new();
            for (theirs, ours) in
                [("StringValue", "stringValue"), ("BinaryValue", "binaryValue"), ("DataType", "dataType")]
            {
                if let Some(value) = member(theirs) {
                    shown.insert(ours.to_owned(), value);
                }
            }
            shown.insert("stringListValues".to_owned(), json!([]));
            shown.insert("binaryListValues".to_owned(), json!([]));
            (name.clone(), Value::Object(shown))
        });
        json!({
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": message.attributes,
            "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
            "md5OfBody": message.md5_of_body,
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_as_lambda_sends_them() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let message = Message {
            message_id: "11111111-2222-3333-4444-555555555555".to_owned(),
            receipt_handle: "1.abc".to_owned(),
            body: r#"{"n":1}"#.to_owned(),
            md5_of_body: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            attributes: object(
                json!({"ApproximateReceiveCount": "1", "SentTimestamp": "1772366400000", "MessageGroupId": "g"}),
            ),
            message_attributes: object(json!({"kind": {"DataType": "String", "StringValue": "a"}})),
        };
        let event: Value = serde_json::from_str(&event("deliveries", &[message])).unwrap();
        insta::assert_json_snapshot!(event, @r#"
        {
          "Records": [
            {
              "attributes": {
                "ApproximateReceiveCount": "1",
                "MessageGroupId": "g",
                "SentTimestamp": "1772366400000"
              },
              "awsRegion": "us-east-1",
              "body": "{\"n\":1}",
              "eventSource": "aws:sqs",
              "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:deliveries",
              "md5OfBody": "d41d8cd98f00b204e9800998ecf8427e",
              "messageAttributes": {
                "kind": {
                  "binaryListValues": [],
                  "dataType": "String",
                  "stringListValues": [],
                  "stringValue": "a"
                }
              },
              "messageId": "11111111-2222-3333-4444-555555555555",
              "receiptHandle": "1.abc"
            }
          ]
        }
        "#);
    }
}
