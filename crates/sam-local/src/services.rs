//! What plays DynamoDB and SQS for whoever drives functions: our own, or services elsewhere.

use std::time::Duration;

use crate::error::Error;
use serde_json::Value;
use tokio::sync::watch;

use crate::dynamodb::DynamoDb;
use crate::remote::Remote;
use crate::sqs::{Message, Sqs};

/// The queues and streams that functions are driven by. Clones share them.
#[derive(Clone)]
pub(crate) enum Services {
    /// Our own.
    Embedded {
        /// The tables.
        dynamodb: DynamoDb,
        /// The queues.
        sqs: Sqs,
    },
    /// Those at an address.
    Remote(Remote),
}

impl Services {
    /// Receives up to `most` messages of a queue, waiting up to `wait` for the first of them.
    ///
    /// # Errors
    /// If the queue is absent, or cannot be asked.
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
    /// If a handle was never issued, or the queue cannot be asked.
    pub(crate) async fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), Error> {
        match self {
            Self::Embedded { sqs, .. } => sqs.delete(queue, receipts),
            Self::Remote(remote) => remote.delete(queue, receipts).await,
        }
    }

    /// Sends a message to a queue, as another service of AWS does.
    ///
    /// # Errors
    /// If the queue is absent, or cannot be asked.
    pub(crate) async fn send(&self, queue: &str, body: &str) -> Result<(), Error> {
        match self {
            Self::Embedded { sqs, .. } => sqs.send(queue, body),
            Self::Remote(remote) => remote.send(queue, body).await,
        }
    }

    /// Changes after every write that may be in a stream.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Embedded { dynamodb, .. } => dynamodb.changes(),
            Self::Remote(remote) => remote.changes(),
        }
    }

    /// At most `limit` (1000) records of a table's stream, as DynamoDB Streams writes them, oldest first: all
    /// that are kept, or those after a sequence number.
    ///
    /// # Errors
    /// If the table does not exist, or cannot be asked.
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

    /// The ARN of a table's stream, where it has one.
    ///
    /// # Errors
    /// If the table does not exist, or cannot be asked.
    pub(crate) async fn stream_arn(&self, table: &str) -> Result<Option<String>, Error> {
        match self {
            Self::Embedded { dynamodb, .. } => dynamodb.stream_arn(table),
            Self::Remote(remote) => remote.stream_arn(table).await.map(Some),
        }
    }
}
