//! The attributes of queues: their names, bounds and defaults, and the redrive policy.

use serde_json::{Map, Value, json};

use super::store::{Queue, Redrive, Store};
use super::wire::Refusal;

pub(super) const DELAY: &str = "DelaySeconds";
pub(super) const MAX_SIZE: &str = "MaximumMessageSize";
pub(super) const RETENTION: &str = "MessageRetentionPeriod";
pub(super) const WAIT: &str = "ReceiveMessageWaitTimeSeconds";
pub(super) const VISIBILITY: &str = "VisibilityTimeout";
const REDRIVE: &str = "RedrivePolicy";

/// The numeric attributes, each with its minimum, maximum and default.
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    (DELAY, 0, 900, 0),
    (MAX_SIZE, 1024, 1_048_576, 1_048_576),
    (RETENTION, 60, 1_209_600, 345_600),
    (WAIT, 0, 20, 0),
    (VISIBILITY, 0, 43_200, 30),
];

/// The attributes that are stored and returned, and have no effect.
const STORED: [&str; 5] = [
    "Policy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

/// A numeric attribute: the value that was set, or the default.
pub(super) fn number(queue: &Queue, name: &str) -> i64 {
    let set = queue.attributes.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok());
    set.unwrap_or_else(|| {
        NUMBERS.iter().find(|(known, ..)| *known == name).map_or(0, |(_, _, _, default)| *default)
    })
}

/// An attribute in seconds, as milliseconds.
pub(super) fn millis(queue: &Queue, name: &str) -> i64 {
    number(queue, name).saturating_mul(1000)
}

/// All attributes, including defaults.
pub(super) fn all(queue: &Queue) -> Map<String, Value> {
    let mut all = queue.attributes.clone();
    for (name, ..) in NUMBERS {
        all.insert(name.to_owned(), number(queue, name).to_string().into());
    }
    all
}

/// Checks attributes that are to be set, and returns them as they are stored. Empty text removes a policy.
pub(super) fn accept(given: &Map<String, Value>, store: &Store) -> Result<Map<String, Value>, Refusal> {
    let mut accepted = Map::new();
    for (name, value) in given {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let kept = if let Some((_, least, most, _)) = NUMBERS.iter().find(|(known, ..)| known == name) {
            match text.parse::<i64>() {
                Ok(number) if (*least..=*most).contains(&number) => number.to_string(),
                _ => return Err(invalid(name, &format!("Must be between {least} and {most}."))),
            }
        } else if name == REDRIVE && !text.is_empty() {
            policy(&text, store)?
        } else if name == REDRIVE || STORED.contains(&name.as_str()) {
            text
        } else {
            return Err(Refusal::new(
                "InvalidAttributeName",
                "InvalidAttributeName",
                format!("Unknown Attribute {name}."),
            ));
        };
        accepted.insert(name.clone(), kept.into());
    }
    Ok(accepted)
}

/// Sets accepted attributes of a queue.
pub(super) fn set(queue: &mut Queue, accepted: Map<String, Value>) {
    queue.attributes.extend(accepted);
    queue.attributes.retain(|_, value| value != "");
}

/// The redrive policy of a queue, if its dead-letter queue exists.
pub(super) fn redrive(queue: &Queue, store: &Store) -> Option<Redrive> {
    let text = queue.attributes.get(REDRIVE).and_then(Value::as_str)?;
    let (target, most) = parse(text)?;
    store.queue(&target).ok()?;
    Some(Redrive { queue: target, most, source_arn: super::arn(&queue.name) })
}

/// Whether a queue has this dead-letter queue.
pub(super) fn is_source_of(queue: &Queue, dead_letters: &str) -> bool {
    let text = queue.attributes.get(REDRIVE).and_then(Value::as_str);
    text.and_then(parse).is_some_and(|(target, _)| target == dead_letters)
}

/// A redrive policy as it is stored: `maxReceiveCount` is a number, also if it was given as text.
fn policy(text: &str, store: &Store) -> Result<String, Refusal> {
    let (target, most) = parse(text).ok_or_else(|| {
        invalid(REDRIVE, "It needs a deadLetterTargetArn and a maxReceiveCount from 1 to 1000.")
    })?;
    store.queue(&target).map_err(|_| invalid(REDRIVE, "Dead letter target does not exist."))?;
    Ok(json!({"deadLetterTargetArn": super::arn(&target), "maxReceiveCount": most}).to_string())
}

fn parse(text: &str) -> Option<(String, i64)> {
    let policy: Value = serde_json::from_str(text).ok()?;
    let target = super::name(policy.get("deadLetterTargetArn")?.as_str()?)?;
    let most = policy.get("maxReceiveCount")?;
    let most = most.as_i64().or_else(|| most.as_str()?.parse().ok())?;
    (1..=1000).contains(&most).then(|| (target.to_owned(), most))
}

fn invalid(name: &str, reason: &str) -> Refusal {
    Refusal::new(
        "InvalidAttributeValue",
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {name}. Reason: {reason}"),
    )
}
