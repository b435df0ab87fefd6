//! Dead-letter queues: what is in them, and SQS's redrive, which moves messages back.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use futures_util::future::try_join_all;
use serde::Serialize;

use super::unavailable;
use crate::domain::shared::text::cut;
use crate::domain::shared::time::Timestamp;
use crate::environment::Environment;
use crate::error::{Code, Error, Kind};

/// The queues that have a dead-letter queue, each with the variable that has the latter's URL.
const QUEUES: [(&str, &str); 4] = [
    ("deliveries", "DELIVERIES_DEAD_LETTERS_URL"),
    ("retries", "RETRIES_DEAD_LETTERS_URL"),
    ("commands", "COMMANDS_DEAD_LETTERS_URL"),
    ("inbound-retry", "INBOUND_RETRY_DEAD_LETTERS_URL"),
];

/// The records of the stream that fan-out gave up. A message names a shard and sequence numbers; nothing is
/// moved back from here, because `sweep` finds the events.
const GIVEN_UP: (&str, &str) = ("fanout", "FANOUT_DEAD_LETTERS_URL");

/// How many messages are shown at most.
const MAX_SHOWN: usize = 10;
/// How much of a message's body is shown, in bytes.
const MAX_BODY: usize = 1024;

/// Messages that the service's own machinery could not process.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DeadLetters"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersView {
    /// About how many messages there are in all queues.
    pub approximate_messages: u64,
    /// About how many messages there are in each queue.
    pub queues: Vec<DeadLetterQueue>,
    /// Some of the messages.
    #[cfg_attr(feature = "schema", schemars(length(max = 10)))]
    pub sample: Vec<DeadLetter>,
}

/// A dead-letter queue.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterQueue {
    /// The name of the queue.
    pub queue: &'static str,
    /// About how many messages the queue has.
    pub approximate_messages: u64,
}

/// A message that could not be processed.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The name of the queue.
    pub queue: &'static str,
    /// The message's id in SQS.
    pub message_id: Option<String>,
    /// When the message was sent.
    pub sent_at: Option<Timestamp>,
    /// How often the message was received.
    pub receive_count: Option<i64>,
    /// The beginning of the message, at most 1 024 bytes.
    pub body: Option<String>,
}

/// The answer to a redrive.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Redriven {
    /// The queues whose messages are being moved back.
    pub queues: Vec<&'static str>,
}

/// The dead-letter queues.
#[derive(Clone)]
pub struct DeadLetters {
    client: Client,
    queues: Vec<(&'static str, String)>,
    given_up: (&'static str, String),
}

impl DeadLetters {
    /// The dead-letter queues of a deployment, by its environment.
    ///
    /// # Errors
    /// `Fault` if a variable is missing.
    pub fn of(environment: &Environment, client: &Client) -> Result<Self, Error> {
        let queue = |(name, variable)| Ok::<_, Error>((name, environment.required(variable)?.to_owned()));
        let queues = QUEUES.into_iter().map(queue).collect::<Result<_, _>>()?;
        Ok(Self { client: client.clone(), queues, given_up: queue(GIVEN_UP)? })
    }

    /// The approximate number of messages in each queue, and some of the messages.
    ///
    /// # Errors
    /// `Unavailable` if SQS does not answer.
    pub async fn look(&self) -> Result<DeadLettersView, Error> {
        let counted =
            try_join_all(self.queues.iter().chain([&self.given_up]).map(|(name, url)| async move {
                let count = self.attribute(url, QueueAttributeName::ApproximateNumberOfMessages).await?;
                let count: u64 = count.parse().unwrap_or_default();
                Ok::<_, Error>((*name, url, count))
            }))
            .await?;
        let mut sample = Vec::new();
        for (name, url, _) in counted.iter().filter(|(_, _, count)| *count > 0) {
            if sample.len() < MAX_SHOWN {
                sample.extend(self.some(name, url, MAX_SHOWN.saturating_sub(sample.len())).await?);
            }
        }
        let total = counted.iter().map(|(_, _, count)| *count).sum();
        let queue = |(name, _, count): &(&'static str, &String, u64)| DeadLetterQueue {
            queue: name,
            approximate_messages: *count,
        };
        Ok(DeadLettersView {
            approximate_messages: total,
            queues: counted.iter().map(queue).collect(),
            sample,
        })
    }

    /// Some messages of a queue. They stay in it.
    async fn some(&self, name: &'static str, url: &str, most: usize) -> Result<Vec<DeadLetter>, Error> {
        let received = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(most).unwrap_or(1))
            .visibility_timeout(0)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| unavailable("ReceiveMessage", url, &error))?;
        let shown = received.messages.unwrap_or_default().into_iter().map(|message| {
            let attributes = message.attributes.unwrap_or_default();
            let number = |name| attributes.get(&name).and_then(|text| text.parse::<i64>().ok());
            let sent = number(MessageSystemAttributeName::SentTimestamp);
            DeadLetter {
                queue: name,
                message_id: message.message_id,
                sent_at: sent.and_then(chrono::DateTime::from_timestamp_millis).map(Timestamp),
                receive_count: number(MessageSystemAttributeName::ApproximateReceiveCount),
                body: message.body.map(|body| cut(&body, MAX_BODY)),
            }
        });
        Ok(shown.collect())
    }

    /// Starts to move the messages of one dead-letter queue, or of all, back to their queues.
    ///
    /// # Errors
    /// `Conflict` while a redrive runs; `Unavailable` if SQS does not answer.
    pub async fn redrive(&self, only: Option<&str>) -> Result<Redriven, Error> {
        let mut moved = Vec::new();
        for (name, url) in self.queues.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            let arn = self.attribute(url, QueueAttributeName::QueueArn).await?;
            match self.client.start_message_move_task().source_arn(arn).send().await {
                Ok(_) => moved.push(*name),
                Err(error) if error.code().is_some_and(|code| code.ends_with("UnsupportedOperation")) => {
                    tracing::info!(queue.name = name, "dead letters are being moved already");
                }
                Err(error) => return Err(unavailable("StartMessageMoveTask", url, &error)),
            }
        }
        if moved.is_empty() {
            let detail = "The messages are being moved already";
            return Err(Error::new(Kind::Conflict, Code::RedriveRunning, detail));
        }
        Ok(Redriven { queues: moved })
    }

    /// The names of the queues that have a dead-letter queue, as the choices of a member.
    #[must_use]
    pub fn names() -> [(&'static str, &'static str); 4] {
        QUEUES.map(|(name, _)| (name, name))
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> Result<String, Error> {
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(name.clone())
            .send()
            .await
            .map_err(|error| unavailable("GetQueueAttributes", url, &error))?;
        let value = output.attributes.and_then(|mut attributes| attributes.remove(&name));
        value.ok_or_else(|| Error::fault("an attribute of a queue is missing"))
    }
}
