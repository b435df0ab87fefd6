//! The operations of SQS on messages and batches of them: send, receive, delete, change the visibility.

use serde_json::{Map, Value, json};

use super::settings;
use super::store::{Queue, Sent};
use super::wire::{self, Refusal, count, map, md5, md5_of_attributes, number};
use super::{Message, Poll, Sqs};
use crate::json::{text, texts};

type Answer = Result<Value, Refusal>;

/// The longest visibility timeout, in seconds.
const MAX_HIDDEN_SECONDS: i64 = 43_200;

pub(super) fn send(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let (message, answer) = outgoing(&queue, request, sqs.now())?;
    sqs.enqueue(&queue.name, &[message])?;
    Ok(Value::Object(answer))
}

pub(super) fn send_batch(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let entries = wire::entries(request)?;
    let size = |entry: &Value| wire::size(text(entry, "MessageBody"), &map(entry, "MessageAttributes"));
    let total = entries.iter().fold(0_usize, |sum, (_, entry)| sum.saturating_add(size(entry)));
    if total > wire::MAX_BYTES {
        return Err(Refusal::new(
            "BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!("Batch requests cannot be longer than {} bytes.", wire::MAX_BYTES),
        ));
    }
    let now = sqs.now();
    let mut messages = Vec::new();
    let answer = each(&entries, |entry| {
        let (message, answer) = outgoing(&queue, entry, now)?;
        messages.push(message);
        Ok(answer)
    });
    sqs.enqueue(&queue.name, &messages)?;
    Ok(answer)
}

pub(super) async fn receive(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let most = count(request, "MaxNumberOfMessages", 10)?.unwrap_or(1);
    let seconds = |given: Option<i64>, name| match given {
        Some(seconds) => seconds.saturating_mul(1000),
        None => settings::millis(&queue, name),
    };
    let poll = Poll {
        most,
        wait: seconds(number(request, "WaitTimeSeconds", 20)?, settings::WAIT),
        hidden: seconds(number(request, "VisibilityTimeout", MAX_HIDDEN_SECONDS)?, settings::VISIBILITY),
    };
    let messages = sqs.poll(&queue.name, &poll).await?;
    if messages.is_empty() {
        return Ok(json!({}));
    }
    let mut system = texts(request, "MessageSystemAttributeNames");
    system.extend(texts(request, "AttributeNames"));
    let own = texts(request, "MessageAttributeNames");
    let messages: Vec<Value> = messages.into_iter().map(|message| shown(message, &system, &own)).collect();
    Ok(json!({ "Messages": messages }))
}

pub(super) fn delete(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    sqs.store().delete(&queue.name, &[wire::handle(text(request, "ReceiptHandle"))?])?;
    Ok(json!({}))
}

pub(super) fn delete_batch(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let entries = wire::entries(request)?;
    let mut handles = Vec::new();
    let answer = each(&entries, |entry| {
        handles.push(wire::handle(text(entry, "ReceiptHandle"))?);
        Ok(Map::new())
    });
    sqs.store().delete(&queue.name, &handles)?;
    Ok(answer)
}

pub(super) fn change_visibility(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    hide(sqs, &queue, request)?;
    sqs.wake(&queue.name);
    Ok(json!({}))
}

pub(super) fn change_visibility_batch(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let entries = wire::entries(request)?;
    let answer = each(&entries, |entry| hide(sqs, &queue, entry).map(|()| Map::new()));
    sqs.wake(&queue.name);
    Ok(answer)
}

fn hide(sqs: &Sqs, queue: &Queue, entry: &Value) -> Result<(), Refusal> {
    let (id, receipt) = wire::handle(text(entry, "ReceiptHandle"))?;
    let seconds = number(entry, "VisibilityTimeout", MAX_HIDDEN_SECONDS)?
        .ok_or_else(|| Refusal::missing("VisibilityTimeout"))?;
    let now = sqs.now();
    let until = now.saturating_add(seconds.saturating_mul(1000));
    match sqs.store().hide(&queue.name, id, receipt, now, until)? {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::new(
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            "The message is not in flight.",
        )),
        None => Err(Refusal::parameter(
            "Reason: Message does not exist or is not available for visibility timeout change.",
        )),
    }
}

/// The answer to an entry of a batch.
type Entry = Result<Map<String, Value>, Refusal>;

/// Handles each entry of a batch; the answer has those that succeeded and those that failed.
fn each<'a>(entries: &[(&str, &'a Value)], mut act: impl FnMut(&'a Value) -> Entry) -> Value {
    let mut successful = Vec::new();
    let mut failed = Vec::new();
    for (id, entry) in entries {
        match act(entry) {
            Ok(mut answer) => {
                answer.insert("Id".to_owned(), json!(id));
                successful.push(answer);
            }
            Err(refusal) => failed.push(refusal.entry(id)),
        }
    }
    json!({"Successful": successful, "Failed": failed})
}

/// The message to be stored, and the answer to its sender.
fn outgoing(queue: &Queue, entry: &Value, now: i64) -> Result<(Sent, Map<String, Value>), Refusal> {
    let body = text(entry, "MessageBody");
    if body.is_empty() {
        return Err(Refusal::missing("MessageBody"));
    }
    if !wire::is_acceptable(body) {
        let message = "Invalid characters found. Only XML 1.0's are taken.";
        return Err(Refusal::new("InvalidMessageContents", "InvalidMessageContents", message));
    }
    let attributes = map(entry, "MessageAttributes");
    wire::check_attributes(&attributes)?;
    let largest = settings::number(queue, settings::MAX_SIZE);
    if i64::try_from(wire::size(body, &attributes)).is_ok_and(|size| size > largest) {
        return Err(Refusal::parameter(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
        )));
    }
    if entry.get("MessageDeduplicationId").is_some_and(|id| !id.is_null()) {
        return Err(Refusal::parameter(
            "The request include parameter MessageDeduplicationId which is not valid for this queue type",
        ));
    }
    let delay = number(entry, "DelaySeconds", 900)?
        .map_or_else(|| settings::millis(queue, settings::DELAY), |seconds| seconds.saturating_mul(1000));
    let group = group(entry)?;
    let of_system = map(entry, "MessageSystemAttributes");
    let mut system = Map::new();
    for (name, attribute) in &of_system {
        if name != "AWSTraceHeader" {
            return Err(Refusal::parameter(format!("Message system attribute name {name} is invalid.")));
        }
        system.insert(name.clone(), text(attribute, "StringValue").into());
    }
    if !group.is_empty() {
        system.insert("MessageGroupId".to_owned(), group.into());
    }
    let message_id = uuid::Uuid::new_v4().to_string();
    let mut answer = Map::new();
    answer.insert("MessageId".to_owned(), message_id.clone().into());
    answer.insert("MD5OfMessageBody".to_owned(), md5(body.as_bytes()).into());
    if let Some(digest) = md5_of_attributes(&attributes) {
        answer.insert("MD5OfMessageAttributes".to_owned(), digest.into());
    }
    if let Some(digest) = md5_of_attributes(&of_system) {
        answer.insert("MD5OfMessageSystemAttributes".to_owned(), digest.into());
    }
    let sent = Sent {
        message_id,
        body: body.to_owned(),
        attributes,
        system,
        group: group.to_owned(),
        visible_at: now.saturating_add(delay),
    };
    Ok((sent, answer))
}

/// The group of a message; empty without one. A group id has 1 to 128 letters, digits and punctuation
/// characters of ASCII ("Amazon SQS message quotas").
fn group(entry: &Value) -> Result<&str, Refusal> {
    let group = text(entry, "MessageGroupId");
    let is_given = entry.get("MessageGroupId").is_some_and(|group| !group.is_null());
    if is_given && (!(1..=128).contains(&group.len()) || !group.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(Refusal::parameter("MessageGroupId can only include 1 to 128 printable characters."));
    }
    Ok(group)
}

/// A message as its receiver gets it, with the requested attributes.
fn shown(message: Message, system: &[&str], own: &[&str]) -> Value {
    let mut shown = json!({
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5_of_body,
        "Body": message.body,
    });
    let mut of_system = message.attributes;
    of_system.retain(|name, _| system.iter().any(|asked| *asked == "All" || asked == name));
    let mut attributes = message.message_attributes;
    attributes.retain(|name, _| own.iter().any(|asked| is_requested(name, asked)));
    if let Some(shown) = shown.as_object_mut() {
        if !of_system.is_empty() {
            shown.insert("Attributes".to_owned(), of_system.into());
        }
        if let Some(digest) = md5_of_attributes(&attributes) {
            shown.insert("MD5OfMessageAttributes".to_owned(), digest.into());
            shown.insert("MessageAttributes".to_owned(), attributes.into());
        }
    }
    shown
}

/// Whether an attribute is requested: by `All`, by its name, or by a prefix with `.*`.
fn is_requested(name: &str, asked: &str) -> bool {
    asked == "All" || asked == name || asked.strip_suffix(".*").is_some_and(|start| name.starts_with(start))
}
