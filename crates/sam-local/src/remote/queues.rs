//! Queues at an address, for the poller.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Remote, SQS, text};
use crate::error::Error;
use crate::sqs::{self, Message};

/// The most messages of one request.
const BATCH: usize = 10;
/// How often a queue is polled without a request of a function: delays and visibility timeouts end by the
/// service's own clock.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

impl Remote {
    /// Receives up to `most` messages, waiting up to `wait` for the first of them.
    pub(crate) async fn receive(
        &self,
        queue: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        let began = Instant::now();
        let mut changes = self.changes();
        loop {
            // Marked before the poll, so that a message sent during it wakes the wait.
            changes.mark_unchanged();
            let messages = self.visible(queue, most).await?;
            let left = wait.saturating_sub(began.elapsed());
            if !messages.is_empty() || left.is_zero() {
                return Ok(messages);
            }
            let _ = tokio::time::timeout(left.min(POLL_INTERVAL), changes.changed()).await;
        }
    }

    /// Deletes received messages by their receipt handles.
    pub(crate) async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), Error> {
        for receipts in receipts.chunks(BATCH) {
            let entry = |(number, receipt): (usize, &String)| json!({"Id": number.to_string(), "ReceiptHandle": receipt});
            let entries: Vec<Value> = receipts.iter().enumerate().map(entry).collect();
            let request = json!({"QueueUrl": self.queue_url(queue), "Entries": entries});
            self.call(SQS, "DeleteMessageBatch", &request).await?;
        }
        Ok(())
    }

    /// Sends a message.
    pub(crate) async fn send(&self, queue: &str, body: &str) -> Result<(), Error> {
        let request = json!({"QueueUrl": self.queue_url(queue), "MessageBody": body});
        self.call(SQS, "SendMessage", &request).await?;
        Ok(())
    }

    fn queue_url(&self, queue: &str) -> String {
        format!("{}{}", self.0.base, sqs::path(queue))
    }

    /// Receives the messages that are visible now.
    async fn visible(&self, queue: &str, most: usize) -> Result<Vec<Message>, Error> {
        let mut messages: Vec<Message> = Vec::new();
        while messages.len() < most {
            let wanted = most.saturating_sub(messages.len()).min(BATCH);
            let request = json!({
                "QueueUrl": self.queue_url(queue), "MaxNumberOfMessages": wanted, "WaitTimeSeconds": 0,
                "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
            });
            let answer = self.call(SQS, "ReceiveMessage", &request).await?;
            let received = answer.get("Messages").and_then(Value::as_array).cloned().unwrap_or_default();
            let count = received.len();
            for message in &received {
                messages.push(read(message)?);
            }
            if count < wanted {
                break;
            }
        }
        Ok(messages)
    }
}

fn read(message: &Value) -> Result<Message, Error> {
    let members = |name: &str| -> Map<String, Value> {
        message.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    Ok(Message {
        message_id: text(message, "/MessageId")?.to_owned(),
        receipt_handle: text(message, "/ReceiptHandle")?.to_owned(),
        body: text(message, "/Body")?.to_owned(),
        md5_of_body: text(message, "/MD5OfBody")?.to_owned(),
        attributes: members("Attributes"),
        message_attributes: members("MessageAttributes"),
    })
}
