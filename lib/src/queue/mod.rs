//! SQS: sending messages.

pub mod batch;
pub mod batching;
pub mod dead_letters;

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde::Serialize;

use crate::aws::refusal::Refusal;
use crate::environment::Environment;
use crate::error::{Error, Kind};
use crate::log_error;

/// The longest delay of a message, in seconds ("`SendMessage`" of SQS's API reference).
pub const MAX_DELAY_SECONDS: i32 = 900;

/// The most that the bodies of one batch have, in bytes: SQS accepts 1 MiB, including the entries' own
/// overhead.
const MAX_BATCH_BYTES: usize = 900 * 1024;

/// A queue.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message to be sent.
pub struct Outgoing<'a, T> {
    /// Its content, which is sent as JSON.
    pub body: &'a T,
    /// The message group, for SQS's fair queues: one group with many messages does not hold up the others
    /// ("Amazon SQS fair queues" of the SQS developer guide).
    pub group: String,
    /// After how many seconds it can be received, 0 to 900.
    pub delay_seconds: i32,
}

impl Queue {
    /// The queue whose URL is in `variable`.
    ///
    /// # Errors
    /// `Fault` if the variable is missing.
    pub fn of(environment: &Environment, client: &Client, variable: &'static str) -> Result<Self, Error> {
        Ok(Self::new(client.clone(), environment.required(variable)?))
    }

    /// The queue with that URL.
    #[must_use]
    pub fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `Unavailable` if SQS did not accept it; `Refused` if it never will.
    pub async fn send<T: Serialize>(&self, message: Outgoing<'_, T>) -> Result<(), Error> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(text(message.body)?)
            .message_group_id(message.group)
            .delay_seconds(message.delay_seconds.clamp(0, MAX_DELAY_SECONDS))
            .send()
            .await
            .map_err(|error| failed("SendMessage", &self.url, &error))?;
        Ok(())
    }

    /// Sends any number of messages, ten to a request, and fewer if they are large. Returns those that SQS
    /// did not accept, by index: [`Kind::Unavailable`], or [`Kind::Refused`] if it never will. The others
    /// were sent.
    ///
    /// # Errors
    /// `Fault` if a message cannot be serialised.
    pub async fn send_all<T: Serialize>(
        &self,
        messages: Vec<Outgoing<'_, T>>,
    ) -> Result<BTreeMap<usize, Kind>, Error> {
        let mut batches: Vec<Vec<(usize, SendMessageBatchRequestEntry)>> = vec![Vec::new()];
        let mut weight: usize = 0;
        for (number, message) in messages.into_iter().enumerate() {
            let body = text(message.body)?;
            let is_full = batches.last().is_some_and(|batch| batch.len() == 10);
            if is_full || weight.saturating_add(body.len()) > MAX_BATCH_BYTES {
                batches.push(Vec::new());
                weight = 0;
            }
            weight = weight.saturating_add(body.len());
            let entry = SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_body(body)
                .message_group_id(message.group)
                .delay_seconds(message.delay_seconds.clamp(0, MAX_DELAY_SECONDS))
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

    /// Sends one batch. Returns the messages that were not sent, each with the kind of its error. A request
    /// that is refused for one of its messages is repeated message by message.
    async fn send_batch(&self, batch: Vec<(usize, SendMessageBatchRequestEntry)>) -> Vec<(usize, Kind)> {
        let entries = batch.iter().map(|(_, entry)| entry.clone()).collect();
        let sent =
            self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        match sent {
            Ok(output) => {
                if let Some(first) = output.failed.first() {
                    let error = not_taken(&self.url, first);
                    log_error!(WARN, error, "messages were not sent", messages = output.failed.len());
                }
                let failed = output.failed.iter();
                failed
                    .filter_map(|entry| Some((entry.id.parse().ok()?, kind_of(Some(&entry.code)))))
                    .collect()
            }
            Err(error) => {
                let error = failed("SendMessageBatch", &self.url, &error);
                if error.kind == Kind::Refused && batch.len() > 1 {
                    let each = batch.into_iter().map(|one| Box::pin(self.send_batch(vec![one])));
                    return join_all(each).await.into_iter().flatten().collect();
                }
                log_error!(WARN, error, "messages were not sent", messages = batch.len());
                batch.into_iter().map(|(number, _)| (number, error.kind)).collect()
            }
        }
    }
}

/// Whether SQS refuses a message for its content, or did not serve the request, by the error codes of
/// `SendMessage` and of the entries of `SendMessageBatch`.
fn kind_of(code: Option<&str>) -> Kind {
    match code {
        Some(
            "InvalidMessageContents"
            | "InvalidParameterValue"
            | "InvalidParameterValueException"
            | "MessageTooLong"
            | "BatchRequestTooLong"
            | "AWS.SimpleQueueService.BatchRequestTooLong",
        ) => Kind::Refused,
        _ => Kind::Unavailable,
    }
}

/// The JSON text of a message. SQS accepts the characters of XML 1.0 only. Of those that JSON does not
/// escape, U+FFFE and U+FFFF are not among them; they occur in strings only, where JSON can escape them.
fn text<T: Serialize>(body: &T) -> Result<String, Error> {
    let text = serde_json::to_string(body)
        .map_err(|error| Error::fault("a message cannot be written").caused_by(error))?;
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        return Ok(text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"));
    }
    Ok(text)
}

/// The error of one message of a batch whose request was served.
fn not_taken(url: &str, entry: &BatchResultErrorEntry) -> Error {
    let queue = url.rsplit('/').next().unwrap_or_default();
    let refusal = Refusal::of_a_part("SQS", "SendMessageBatch", queue, entry.code(), entry.message());
    Error::unavailable("SQS did not take a message").about("SendMessageBatch").caused_by(refusal)
}

/// The error of a request that contains messages: `Refused` for their content, or else `Unavailable`.
fn failed<E>(operation: &'static str, url: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if kind_of(error.code()) != Kind::Refused {
        return unavailable(operation, url, error);
    }
    let queue = url.rsplit('/').next().unwrap_or_default();
    let refusal = Refusal::new("SQS", operation, queue, error);
    Error::refused("SQS refuses what a message holds").about(operation).caused_by(refusal)
}

/// The error of a request to a queue, whose name is the end of its URL.
fn unavailable<E>(operation: &'static str, url: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let queue = url.rsplit('/').next().unwrap_or_default();
    let refusal = Refusal::new("SQS", operation, queue, error);
    Error::unavailable("SQS did not serve a request").about(operation).caused_by(refusal)
}

/// The seconds until `due`, rounded up, at most [`MAX_DELAY_SECONDS`].
#[must_use]
pub fn delay_until(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i32 {
    let wait = due.map_or(0, |due| due.signed_duration_since(now).num_milliseconds().max(0));
    let seconds = wait.saturating_add(999).checked_div(1000).unwrap_or(0);
    i32::try_from(seconds).unwrap_or(MAX_DELAY_SECONDS).min(MAX_DELAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The characters that SQS accepts ("`SendMessage`" of its API reference).
    fn is_taken(character: char) -> bool {
        matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    proptest! {
        #[test]
        fn a_message_has_only_characters_that_sqs_accepts_and_reads_back_equal(
            plain: String,
            odd in proptest::collection::vec(proptest::sample::select(vec!['\u{fffe}', '\u{ffff}', '\0', '\\', '"']), 0..8),
        ) {
            let plain = format!("{plain}{}", odd.into_iter().collect::<String>());
            let body = BTreeMap::from([(plain.clone(), plain)]);
            let text = text(&body).unwrap();
            prop_assert!(text.chars().all(is_taken), "{text:?}");
            prop_assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap(), body);
        }
    }
}
