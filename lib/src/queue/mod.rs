//! SQS: how messages are sent.

pub mod batch;
pub mod dead_letters;
pub mod gathering;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::future::join_all;
use serde::Serialize;

use crate::environment::Environment;
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
    /// The queue whose address the environment has under this name.
    ///
    /// # Errors
    /// A fault when the variable is missing.
    pub fn of(environment: &Environment, client: &Client, variable: &'static str) -> Result<Self, Error> {
        Ok(Self::new(client.clone(), environment.required(variable)?))
    }

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

    /// Sends any number of messages, ten to a request and fewer when they are large. Says which (by
    /// number) SQS did not take; the others have gone.
    ///
    /// # Errors
    /// A fault when a message cannot be written.
    pub async fn send_all<T: Serialize>(&self, messages: Vec<Outgoing<'_, T>>) -> Result<Vec<usize>, Error> {
        let mut batches: Vec<Vec<(usize, SendMessageBatchRequestEntry)>> = vec![Vec::new()];
        let mut weight: usize = 0;
        for (number, message) in messages.into_iter().enumerate() {
            let body = text(message.body)?;
            let is_full = batches.last().is_some_and(|batch| batch.len() == 10);
            if is_full || weight.saturating_add(body.len()) > MOST_BATCH_BYTES {
                batches.push(Vec::new());
                weight = 0;
            }
            weight = weight.saturating_add(body.len());
            let entry = SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_body(body)
                .message_group_id(message.group)
                .delay_seconds(message.delay_seconds.clamp(0, LONGEST_DELAY_SECONDS))
                .build()
                .map_err(|error| Error::fault("a message cannot be built").caused_by(error))?;
            if let Some(batch) = batches.last_mut() {
                batch.push((number, entry));
            }
        }
        batches.retain(|batch| !batch.is_empty());
        let failed = join_all(batches.into_iter().map(|batch| self.send_batch(batch))).await;
        Ok(failed.into_iter().flatten().collect())
    }

    /// Sends one batch; gives the numbers of the messages that did not go.
    async fn send_batch(&self, batch: Vec<(usize, SendMessageBatchRequestEntry)>) -> Vec<usize> {
        let (numbers, entries): (Vec<usize>, Vec<_>) = batch.into_iter().unzip();
        let sent =
            self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        match sent {
            Ok(output) => output.failed.iter().filter_map(|failed| failed.id.parse().ok()).collect(),
            Err(error) => {
                let error = unavailable("SendMessageBatch", error.into_service_error());
                tracing::warn!(error = %error, messages = numbers.len(), "messages were not sent");
                numbers
            }
        }
    }
}

fn text<T: Serialize>(body: &T) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| Error::fault("a message cannot be written").caused_by(error))
}

fn unavailable(operation: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("SQS did not serve a request").about(operation).caused_by(error)
}
