//! What a template declares: the resources that a stack creates, and the functions with their event sources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::permissions::Policy;

/// Everything that a template declares.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The tables, each as the body of a `CreateTable` request.
    pub tables: Vec<Value>,
    /// The attribute of the time to live, by table.
    pub expiring: BTreeMap<String, String>,
    /// The queues. Those without a redrive policy come first.
    pub queues: Vec<Queue>,
    /// The secrets.
    pub secrets: Vec<Secret>,
    /// The functions.
    pub functions: Vec<Function>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its attributes as in `CreateQueue`: text; `RedrivePolicy` is JSON text.
    pub attributes: BTreeMap<String, String>,
}

/// A secret with a generated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// The length of its text in characters.
    pub length: usize,
    /// Whether its text has only letters and digits.
    pub letters_and_digits: bool,
}

/// A function and its event sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its logical id in the template.
    pub id: String,
    /// The name of its code: the last part of its `CodeUri`.
    pub code: String,
    /// Its environment variables.
    pub variables: BTreeMap<String, String>,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Its permissions. `None`: it is not limited, because the template gives it no policy.
    pub policy: Option<Policy>,
    /// Its event sources.
    pub sources: Vec<Source>,
}

/// An event source of a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Requests to a route of the HTTP API.
    Http {
        /// The method, or `ANY`.
        method: String,
        /// The path, as in `/api/v1/{proxy+}`.
        path: String,
    },
    /// Messages of a queue.
    Queue {
        /// The queue's name.
        queue: String,
        /// The most messages of an invocation.
        batch_size: usize,
        /// The batching window: how long a batch is gathered.
        window: Duration,
        /// The most concurrent invocations. `None`: the poller's default of 10.
        concurrency: Option<usize>,
        /// Whether answers name the messages that failed (`ReportBatchItemFailures`).
        reports_failures: bool,
    },
    /// Records of a table's stream.
    Stream {
        /// The table's name.
        table: String,
        /// The most records of an invocation.
        batch_size: usize,
        /// The batching window: how long a batch is gathered.
        window: Duration,
        /// Event patterns of which a record must match one. Empty: all records match.
        patterns: Vec<Value>,
        /// Whether a failed batch is split (`BisectBatchOnFunctionError`).
        bisects: bool,
        /// Whether answers name the records that failed (`ReportBatchItemFailures`).
        reports_failures: bool,
        /// How often a failed batch is retried. `None`: without limit.
        retries: Option<u64>,
        /// The queue that gets a message for each discarded batch.
        on_failure: Option<String>,
    },
    /// A schedule.
    Schedule {
        /// Its period.
        every: Duration,
    },
}
