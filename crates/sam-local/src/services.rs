//! The queues and streams that the event sources read: the embedded ones, or those at an address.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::dynamodb::DynamoDb;
use crate::error::Error;
use crate::remote::Remote;
use crate::sqs::{Message, Sqs};

/// DynamoDB and SQS. Clones share them.
#[derive(Clone)]
pub(crate) enum Services {
    /// The embedded services.
    Embedded {
        /// The tables.
        dynamodb: DynamoDb,
        /// The queues.
        sqs: Sqs,
    },
    /// The services at an address.
    Remote(Remote),
}

impl Services {
    /// Receives up to `most` messages of a queue, waiting up to `wait` for the first of them.
    ///
    /// # Errors
    /// If the queue does not exist, or the service fails.
    pub(crate) async fn receive(
        &self,
        queue: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        match self {
            Self::Embedded { sqs, .. } => sqs.receive(queue, most, wait).await,
            Self::Remote(remote) => remote.receive(queue, most, wait).await,
        }
    }

    /// Deletes received messages by their receipt handles.
    ///
    /// # Errors
    /// If a handle was never issued, or the service fails.
    pub(crate) async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), Error> {
        match self {
            Self::Embedded { sqs, .. } => sqs.delete(queue, receipts),
            Self::Remote(remote) => remote.delete(queue, receipts).await,
        }
    }

    /// Sends a message to a queue, as a service of AWS.
    ///
    /// # Errors
    /// If the queue does not exist, or the service fails.
    pub(crate) async fn send(&self, queue: &str, body: &str) -> Result<(), Error> {
        match self {
            Self::Embedded { sqs, .. } => sqs.send(queue, body),
            Self::Remote(remote) => remote.send(queue, body).await,
        }
    }

    /// Changes after every write that may add a record to a stream.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Embedded { dynamodb, .. } => dynamodb.changes(),
            Self::Remote(remote) => remote.changes(),
        }
    }

    /// Reads up to `limit` (at most 1000) records of a table's stream as DynamoDB Streams returns them,
    /// oldest first, from its beginning or after a sequence number.
    ///
    /// # Errors
    /// If the table does not exist, or the service fails.
    pub(crate) async fn stream_records(
        &self,
        table: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, Error> {
        match self {
            Self::Embedded { dynamodb, .. } => {
                let records = dynamodb.stream_records(table, after, limit)?;
                Ok(records.iter().map(|record| serde_json::to_value(record).unwrap_or_default()).collect())
            }
            Self::Remote(remote) => remote.stream_records(table, after, limit).await,
        }
    }

    /// The ARN of a table's stream; `None` without a stream.
    ///
    /// # Errors
    /// If the table does not exist, or the service fails.
    pub(crate) async fn stream_arn(&self, table: &str) -> Result<Option<String>, Error> {
        match self {
            Self::Embedded { dynamodb, .. } => dynamodb.stream_arn(table),
            Self::Remote(remote) => remote.stream_arn(table).await.map(Some),
        }
    }
}
