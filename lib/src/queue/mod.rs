//! SQS: the messages and how they are sent.

pub mod message;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde::Serialize;

use crate::error::Error;

/// The longest delay that a message can be sent with, in seconds.
pub const LONGEST_DELAY_SECONDS: i32 = 900;

/// What a batch may weigh: SQS takes 1 MiB, and its entries' wrapping counts too.
const MOST_BATCH_BYTES: usize = 900 * 1024;

/// A queue.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message to be sent.
pub struct Outgoing<'a, T> {
    /// What it says.
    pub body: &'a T,
    /// Whose it is, for fair turns among them.
    pub group: String,
    /// After how many seconds it may be received, 0 to 900.
    pub delay_seconds: i32,
}

impl Queue {
    /// The queue at that address.
    #[must_use]
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// Unavailable when SQS did not take it.
    pub async fn send<T: Serialize>(&self, message: Outgoing<'_, T>) -> Result<(), Error> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(text(message.body)?)
            .message_group_id(message.group)
            .delay_seconds(message.delay_seconds.clamp(0, LONGEST_DELAY_SECONDS))
            .send()
            .await
            .map_err(|error| unavailable("SendMessage", error.into_service_error()))?;
        Ok(())
    }

    /// Sends any number of messages, ten to a request and fewer when they are large.
    ///
    /// # Errors
    /// Unavailable when SQS did not take all of them; those before the failing one may have gone.
    pub async fn send_all<T: Serialize>(&self, messages: Vec<Outgoing<'_, T>>) -> Result<(), Error> {
        let mut entries: Vec<SendMessageBatchRequestEntry> = Vec::new();
        let mut weight: usize = 0;
        for message in messages {
            let body = text(message.body)?;
            if entries.len() == 10 || weight.saturating_add(body.len()) > MOST_BATCH_BYTES {
                self.send_batch(std::mem::take(&mut entries)).await?;
                weight = 0;
            }
            weight = weight.saturating_add(body.len());
            let entry = SendMessageBatchRequestEntry::builder()
                .id(entries.len().to_string())
                .message_body(body)
                .message_group_id(message.group)
                .delay_seconds(message.delay_seconds.clamp(0, LONGEST_DELAY_SECONDS))
                .build()
                .map_err(|error| Error::fault("a message cannot be built").caused_by(error))?;
            entries.push(entry);
        }
        if entries.is_empty() { Ok(()) } else { self.send_batch(entries).await }
    }

    async fn send_batch(&self, entries: Vec<SendMessageBatchRequestEntry>) -> Result<(), Error> {
        let output = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| unavailable("SendMessageBatch", error.into_service_error()))?;
        if output.failed.is_empty() {
            return Ok(());
        }
        Err(Error::unavailable("SQS did not take every message").about("SendMessageBatch"))
    }
}

fn text<T: Serialize>(body: &T) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| Error::fault("a message cannot be written").caused_by(error))
}

fn unavailable(operation: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("SQS did not serve a request").about(operation).caused_by(error)
}
