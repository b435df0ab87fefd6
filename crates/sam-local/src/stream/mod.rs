//! What follows a table's stream for a function: Lambda's event source mapping of DynamoDB Streams.

pub(crate) mod checkpoint;
mod gather;
pub(crate) mod pattern;
mod record;

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::Error;
use chrono::SecondsFormat;
use serde_json::json;

use self::checkpoint::Checkpoints;
use self::pattern::Pattern;
use self::record::Entry;
use crate::batch::{Failed, failed};
use crate::invoke::Invoker;
use crate::services::Services;
use crate::signal::Signal;
use crate::time::Time;

/// How long a batch that failed rests: this at first, doubled each time, at most `MAX_REST`.
const REST: Duration = Duration::from_secs(1);
const MAX_REST: Duration = Duration::from_secs(10);

/// A table's stream has one shard here.
const SHARD: &str = "shardId-00000000000000000000-00000000";

/// A mapping from a table's stream to a function.
pub(crate) struct Mapping {
    /// The tables.
    pub(crate) services: Services,
    /// The table's name.
    pub(crate) table: String,
    /// What is invoked.
    pub(crate) invoker: Invoker,
    /// Where it is kept how far the stream was handled.
    pub(crate) checkpoints: Checkpoints,
    /// The most records of one invocation.
    pub(crate) batch_size: usize,
    /// How long a batch is gathered, by the machine's clock.
    pub(crate) window: Duration,
    /// A record must match one of these; none match all.
    pub(crate) patterns: Vec<Pattern>,
    /// Whether a batch that failed is halved.
    pub(crate) bisects: bool,
    /// Whether the answer names the first record that failed.
    pub(crate) reports_failures: bool,
    /// How often a batch is tried again before it is given up; none goes on for ever.
    pub(crate) retries: Option<u64>,
    /// The queue that is told of what was given up.
    pub(crate) on_failure: Option<String>,
    /// The stack's time.
    pub(crate) time: Time,
}

/// Some records that are to be handled, and how often that failed.
struct Part {
    entries: Vec<Entry>,
    failures: u64,
}

/// What became of an invocation.
enum Outcome {
    /// All records are handled.
    Done,
    /// Those before this place are; this one and the rest come again.
    From(usize),
    /// None is.
    Failed,
}

impl Mapping {
    /// Follows the stream until it is told to stop: in order, and each record until it is handled or given up.
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

    /// Handles a batch to its end; false when it was time to stop before that.
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
                // A split is progress: what fails again is smaller, and the whole is not failing slowly.
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
                self.give_up(&part).await;
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

    /// Tells the queue of what is given up, as Lambda does: where it stands in the stream, and not what it holds.
    async fn give_up(&self, part: &Part) {
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
        let told = json!({
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
        if let Err(error) = self.services.send(queue, &told.to_string()).await {
            tracing::error!(queue.name = queue, error = %error, "the queue was not told of what was given up");
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
            // The lowest number counts; what comes after it is repeated too.
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

    /// A checkpoint that could not be kept means that records come again after a restart.
    fn save(&self, sequence: &str) {
        if let Err(error) = self.checkpoints.save(self.invoker.name(), &self.table, sequence) {
            tracing::error!(table.name = self.table, error = %error, "a checkpoint cannot be kept");
        }
    }
}
