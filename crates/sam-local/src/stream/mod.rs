//! Lambda's event source mapping for DynamoDB Streams: reads the stream of a table and invokes a function.

pub(crate) mod checkpoint;
mod gather;
pub(crate) mod pattern;
mod record;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use self::checkpoint::Checkpoints;
use self::pattern::Pattern;
use self::record::Entry;
use crate::batch::{Failed, failed};
use crate::error::Error;
use crate::invoke::Invoker;
use crate::services::Services;
use crate::signal::Signal;
use crate::time::Time;

/// The pause before a failed batch is retried: this at first, doubled each time, at most `MAX_REST`.
const REST: Duration = Duration::from_secs(1);
const MAX_REST: Duration = Duration::from_secs(10);

/// The only shard of every stream.
const SHARD: &str = "shardId-00000000000000000000-00000000";

/// A mapping from a table's stream to a function.
pub(crate) struct Mapping {
    /// The tables.
    pub(crate) services: Services,
    /// The table's name.
    pub(crate) table: String,
    /// The function.
    pub(crate) invoker: Invoker,
    /// Where the position in the stream is saved.
    pub(crate) checkpoints: Checkpoints,
    /// The most records of an invocation.
    pub(crate) batch_size: usize,
    /// The batching window: how long a batch is gathered, by the machine's clock.
    pub(crate) window: Duration,
    /// The filter: a record must match one of these patterns. Empty: all records match.
    pub(crate) patterns: Vec<Pattern>,
    /// Whether a failed batch is split (`BisectBatchOnFunctionError`).
    pub(crate) bisects: bool,
    /// Whether answers name the records that failed (`ReportBatchItemFailures`).
    pub(crate) reports_failures: bool,
    /// How often a failed batch is retried. `None`: without limit.
    pub(crate) retries: Option<u64>,
    /// The queue that gets a message for each discarded batch.
    pub(crate) on_failure: Option<String>,
    /// The stack's time.
    pub(crate) time: Time,
}

/// A batch or a part of it, and how often it has failed.
struct Part {
    entries: Vec<Entry>,
    failures: u64,
}

/// The outcome of an invocation.
enum Outcome {
    /// All records are handled.
    Done,
    /// The records before this index are handled; it and the following ones are retried.
    From(usize),
    /// No record is handled.
    Failed,
}

impl Mapping {
    /// Reads the stream until `stop` fires. Records are handled in order, each until it succeeds or is
    /// discarded.
    pub(crate) async fn run(self, stop: Signal) {
        let mut changes = self.services.changes();
        let mut position = loop {
            match self.checkpoints.read(self.invoker.name(), &self.table) {
                Ok(position) => break position,
                Err(error) => self.rest(&error, &stop).await,
            }
            if stop.has_fired() {
                return;
            }
        };
        while !stop.has_fired() {
            let batch = match self.gather(position.as_deref(), &mut changes, &stop).await {
                Ok(batch) => batch,
                Err(error) => {
                    self.rest(&error, &stop).await;
                    continue;
                }
            };
            if !self.process(batch.entries, &stop).await {
                return;
            }
            if let Some(read) = batch.read {
                self.save(&read);
                position = Some(read);
            }
        }
    }

    async fn rest(&self, error: &Error, stop: &Signal) {
        tracing::error!(table.name = self.table, error = %error, "the stream cannot be followed");
        stop.or(tokio::time::sleep(REST)).await;
    }

    /// Handles a batch; false if `stop` fired before it was finished.
    async fn process(&self, entries: Vec<Entry>, stop: &Signal) -> bool {
        let mut parts = VecDeque::from([Part { entries, failures: 0 }]);
        let mut rest = REST;
        while let Some(mut part) = parts.pop_front() {
            if part.entries.is_empty() {
                continue;
            }
            match self.invoke(&part.entries).await {
                Outcome::Done => {
                    self.save_through(&part.entries);
                    rest = REST;
                    continue;
                }
                // Without a pause and without counting a failure: the next batch is smaller.
                Outcome::Failed if self.bisects && part.entries.len() > 1 => {
                    let second = part.entries.split_off(part.entries.len().div_ceil(2));
                    parts.push_front(Part { entries: second, failures: part.failures });
                    parts.push_front(part);
                    if stop.has_fired() {
                        return false;
                    }
                    continue;
                }
                Outcome::From(place) if place > 0 => {
                    let left = part.entries.split_off(place);
                    self.save_through(&part.entries);
                    rest = REST;
                    part = Part { entries: left, failures: 0 };
                }
                Outcome::Failed | Outcome::From(_) => {}
            }
            part.failures = part.failures.saturating_add(1);
            if self.retries.is_some_and(|retries| part.failures > retries) {
                self.discard(&part).await;
                self.save_through(&part.entries);
                rest = REST;
                continue;
            }
            parts.push_front(part);
            stop.or(tokio::time::sleep(rest)).await;
            rest = rest.saturating_mul(2).min(MAX_REST);
            if stop.has_fired() {
                return false;
            }
        }
        true
    }

    /// Discards a batch, and sends the queue what Lambda sends: the position in the stream, not the records.
    async fn discard(&self, part: &Part) {
        let (first, last) = (part.entries.first(), part.entries.last());
        let sequence = |entry: Option<&Entry>| entry.map(|entry| entry.sequence.clone());
        let (first, last) = (sequence(first), sequence(last));
        tracing::error!(
            table.name = self.table,
            function.name = self.invoker.name(),
            records = part.entries.len(),
            stream.first = first,
            stream.last = last,
            "records are given up"
        );
        let Some(queue) = &self.on_failure else { return };
        let message = json!({
            "requestContext": {
                "requestId": uuid::Uuid::nil(),
                "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{}", self.invoker.name()),
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": part.failures,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": self.time.now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": first,
                "endSequenceNumber": last,
                "batchSize": part.entries.len(),
                "streamArn": self.services.stream_arn(&self.table).await.ok().flatten(),
            },
        });
        if let Err(error) = self.services.send(queue, &message.to_string()).await {
            tracing::error!(queue.name = queue, error = %error, "a record of a failed batch was not sent to its queue");
        }
    }

    async fn invoke(&self, part: &[Entry]) -> Outcome {
        let Ok(answer) = self.invoker.invoke(record::event(part)).await else { return Outcome::Failed };
        if !self.reports_failures {
            return Outcome::Done;
        }
        let identifiers: Vec<&str> = part.iter().map(|entry| entry.sequence.as_str()).collect();
        match failed(&answer, &identifiers) {
            Failed::None => Outcome::Done,
            Failed::All => Outcome::Failed,
            // The first failed record and all that follow it are retried.
            Failed::Some(named) => {
                let first = part.iter().position(|entry| named.contains(&entry.sequence));
                first.map_or(Outcome::Failed, Outcome::From)
            }
        }
    }

    fn save_through(&self, part: &[Entry]) {
        if let Some(last) = part.last() {
            self.save(&last.sequence);
        }
    }

    /// Saves a checkpoint. If that fails, records are delivered again after a restart.
    fn save(&self, sequence: &str) {
        if let Err(error) = self.checkpoints.save(self.invoker.name(), &self.table, sequence) {
            tracing::error!(table.name = self.table, error = %error, "a checkpoint cannot be kept");
        }
    }
}
