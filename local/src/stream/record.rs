//! Stream records as Lambda hands them to a function.

use serde_json::{Value, json};

use crate::dynamodb::Record;

/// The region that the engine writes, and ours.
const REGIONS: (&str, &str) = (":dynoxide:", ":us-east-1:");

/// A record and its place in the stream.
pub(super) struct Entry {
    /// The record's sequence number.
    pub(super) sequence: String,
    /// The record as a function gets it.
    pub(super) record: Value,
}

impl Entry {
    /// A record of the stream with this ARN.
    pub(super) fn new(record: &Record, arn: &str) -> Self {
        let sequence = record.dynamodb.sequence_number.clone();
        let mut record = serde_json::to_value(record).unwrap_or_default();
        if let Some(members) = record.as_object_mut() {
            members.insert("awsRegion".to_owned(), json!("us-east-1"));
            members.insert("eventSourceARN".to_owned(), json!(arn.replace(REGIONS.0, REGIONS.1)));
        }
        Self { sequence, record }
    }
}

/// The event that a function gets for records of a stream.
pub(super) fn event(entries: &[Entry]) -> String {
    let records: Vec<&Value> = entries.iter().map(|entry| &entry.record).collect();
    json!({ "Records": records }).to_string()
}
