//! What the template declares, resolved: everything the stack creates, and what drives which function.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::permissions::Policy;

/// All that one template makes.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The tables, each as the body of a `CreateTable` request.
    pub tables: Vec<Value>,
    /// The attribute by which each table's items expire, by table.
    pub expiring: BTreeMap<String, String>,
    /// The queues, those without a redrive policy first.
    pub queues: Vec<Queue>,
    /// The secrets.
    pub secrets: Vec<Secret>,
    /// The functions.
    pub functions: Vec<Function>,
}

/// A queue to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its attributes as `CreateQueue` takes them: text, `RedrivePolicy` as JSON text.
    pub attributes: BTreeMap<String, String>,
}

/// A secret to be made, unless it is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// How many characters are generated.
    pub length: usize,
    /// Whether only letters and digits are.
    pub letters_and_digits: bool,
}

/// A function and what drives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its logical id in the template.
    pub id: String,
    /// The name of its code: the last part of its `CodeUri`.
    pub code: String,
    /// Its environment variables.
    pub variables: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// What it may do; everything where the template gives it no policy.
    pub policy: Option<Policy>,
    /// What drives it.
    pub sources: Vec<Source>,
}

/// What drives a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Requests to a route of the HTTP API.
    Http {
        /// `GET`, `POST`, …, or `ANY`.
        method: String,
        /// As in `/api/v1/{proxy+}`.
        path: String,
    },
    /// Messages of a queue.
    Queue {
        /// The queue's name.
        queue: String,
        /// The most messages of one invocation.
        batch_size: usize,
        /// How long a batch is gathered.
        window: Duration,
        /// The most invocations at once.
        concurrency: Option<usize>,
        /// Whether the answer names the messages that failed.
        reports_failures: bool,
    },
    /// Records of a table's stream.
    Stream {
        /// The table's name.
        table: String,
        /// The most records of one invocation.
        batch_size: usize,
        /// How long a batch is gathered.
        window: Duration,
        /// Event patterns of which a record must match one; none match all.
        patterns: Vec<Value>,
        /// Whether a batch that failed is halved.
        bisects: bool,
        /// Whether the answer names the first record that failed.
        reports_failures: bool,
        /// How often a batch is tried again before it is given up; none goes on for ever.
        retries: Option<u64>,
        /// The queue that is told of what was given up.
        on_failure: Option<String>,
    },
    /// The passing of time.
    Schedule {
        /// How often.
        every: Duration,
    },
}
