//! Stream records as functions get them.

use serde_json::{Value, json};

/// The region in the engine's ARNs, and the region of the stack.
const REGIONS: (&str, &str) = (":dynoxide:", ":us-east-1:");

/// A record and its position in the stream.
pub(super) struct Entry {
    /// The record's sequence number.
    pub(super) sequence: String,
    /// Its `SizeBytes`.
    pub(super) bytes: usize,
    /// The record as functions get it.
    pub(super) record: Value,
}

impl Entry {
    /// A record of the stream with this ARN.
    pub(super) fn new(mut record: Value, arn: &str) -> Self {
        let sequence = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
        let sequence = sequence.unwrap_or_default().to_owned();
        let bytes = record.pointer("/dynamodb/SizeBytes").and_then(Value::as_u64);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        if let Some(members) = record.as_object_mut() {
            members.insert("awsRegion".to_owned(), json!("us-east-1"));
            members.insert("eventSourceARN".to_owned(), json!(arn.replace(REGIONS.0, REGIONS.1)));
        }
        Self { sequence, bytes, record }
    }
}

/// The event that a function gets for records of a stream.
pub(super) fn event(entries: &[Entry]) -> String {
    let records: Vec<&Value> = entries.iter().map(|entry| &entry.record).collect();
    json!({ "Records": records }).to_string()
}
