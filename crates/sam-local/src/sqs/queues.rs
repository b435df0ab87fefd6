//! The operations of SQS on queues: create, find, set attributes, tag, purge, delete, and redrive dead
//! letters.

use serde_json::{Map, Value, json};

use super::store::Queue;
use super::wire::{Refusal, count, map, queue_name};
use super::{Move, Sqs, settings};
use crate::json::{text, texts};

type Answer = Result<Value, Refusal>;

/// How long after a purge another one is rejected, in milliseconds.
const PURGE_MILLIS: i64 = 60_000;
/// How many completed redrives are listed.
const MAX_MOVES: usize = 100;

pub(super) fn create(sqs: &Sqs, request: &Value, host: &str) -> Answer {
    let name = named(request)?;
    let now = sqs.now();
    let store = sqs.store();
    let accepted = settings::accept(&map(request, "Attributes"), &store)?;
    match store.find(name)? {
        Some(queue) => {
            let all = settings::all(&queue);
            if accepted.iter().any(|(name, value)| all.get(name) != Some(value)) {
                return Err(Refusal::new(
                    "QueueNameExists",
                    "QueueAlreadyExists",
                    format!("A queue named {name} exists with other attributes."),
                ));
            }
        }
        None => store.save(&made(name, accepted, map(request, "tags"), now))?,
    }
    Ok(json!({"QueueUrl": address(host, name)}))
}

/// A new queue.
pub(super) fn made(name: &str, attributes: Map<String, Value>, tags: Map<String, Value>, now: i64) -> Queue {
    let mut queue = Queue {
        name: name.to_owned(),
        attributes: Map::new(),
        tags,
        created: now,
        modified: now,
        purged: None,
    };
    settings::set(&mut queue, attributes);
    queue
}

pub(super) fn url(sqs: &Sqs, request: &Value, host: &str) -> Answer {
    let queue = sqs.store().queue(named(request)?)?;
    Ok(json!({"QueueUrl": address(host, &queue.name)}))
}

pub(super) fn list(sqs: &Sqs, request: &Value, host: &str) -> Answer {
    let names = sqs.store().names()?;
    let prefix = text(request, "QueueNamePrefix");
    page(request, "QueueUrls", host, names.into_iter().filter(|name| name.starts_with(prefix)))
}

pub(super) fn list_sources(sqs: &Sqs, request: &Value, host: &str) -> Answer {
    let dead_letters = sqs.queue_of(request)?;
    let store = sqs.store();
    let names = store.names()?.into_iter().filter(|name| {
        store.queue(name).is_ok_and(|queue| settings::is_source_of(&queue, &dead_letters.name))
    });
    page(request, "queueUrls", host, names)
}

/// A page of queues, ordered by name. The token is the last name of the page.
fn page(request: &Value, member: &str, host: &str, names: impl Iterator<Item = String>) -> Answer {
    let most = count(request, "MaxResults", 1000)?.unwrap_or(1000);
    let after = text(request, "NextToken");
    let mut names: Vec<String> = names.filter(|name| name.as_str() > after).collect();
    let more = names.len() > most;
    names.truncate(most);
    let urls: Vec<String> = names.iter().map(|name| address(host, name)).collect();
    let mut answer = Map::new();
    answer.insert(member.to_owned(), json!(urls));
    if more && let Some(last) = names.pop() {
        answer.insert("NextToken".to_owned(), last.into());
    }
    Ok(answer.into())
}

pub(super) fn delete(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    sqs.store().remove_queue(&queue.name)?;
    sqs.wake(&queue.name);
    Ok(json!({}))
}

pub(super) fn purge(sqs: &Sqs, request: &Value) -> Answer {
    let store = sqs.store();
    let mut queue = store.queue(queue_name(request)?)?;
    let now = sqs.now();
    if queue.purged.is_some_and(|purged| now < purged.saturating_add(PURGE_MILLIS)) {
        return Err(Refusal::new(
            "PurgeQueueInProgress",
            "AWS.SimpleQueueService.PurgeQueueInProgress",
            format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name),
        ));
    }
    queue.purged = Some(now);
    store.purge(&queue.name)?;
    store.save(&queue)?;
    Ok(json!({}))
}

pub(super) fn attributes(sqs: &Sqs, request: &Value) -> Answer {
    let queue = sqs.queue_of(request)?;
    let (visible, in_flight, delayed) = sqs.store().counts(&queue.name, sqs.now())?;
    let mut all = settings::all(&queue);
    let computed = [
        ("QueueArn", super::arn(&queue.name)),
        ("ApproximateNumberOfMessages", visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ("CreatedTimestamp", seconds(queue.created)),
        ("LastModifiedTimestamp", seconds(queue.modified)),
    ];
    all.extend(computed.map(|(name, value)| (name.to_owned(), Value::from(value))));
    let asked = texts(request, "AttributeNames");
    all.retain(|name, _| asked.iter().any(|asked| *asked == "All" || asked == name));
    Ok(json!({ "Attributes": all }))
}

pub(super) fn set_attributes(sqs: &Sqs, request: &Value) -> Answer {
    let store = sqs.store();
    let mut queue = store.queue(queue_name(request)?)?;
    let accepted = settings::accept(&map(request, "Attributes"), &store)?;
    settings::set(&mut queue, accepted);
    queue.modified = sqs.now();
    store.save(&queue)?;
    Ok(json!({}))
}

pub(super) fn tag(sqs: &Sqs, request: &Value) -> Answer {
    let store = sqs.store();
    let mut queue = store.queue(queue_name(request)?)?;
    queue.tags.extend(map(request, "Tags"));
    store.save(&queue)?;
    Ok(json!({}))
}

pub(super) fn untag(sqs: &Sqs, request: &Value) -> Answer {
    let store = sqs.store();
    let mut queue = store.queue(queue_name(request)?)?;
    let keys = texts(request, "TagKeys");
    queue.tags.retain(|key, _| !keys.contains(&key.as_str()));
    store.save(&queue)?;
    Ok(json!({}))
}

pub(super) fn tags(sqs: &Sqs, request: &Value) -> Answer {
    Ok(json!({"Tags": sqs.queue_of(request)?.tags}))
}

/// Redrives dead letters. The task is completed when this returns.
pub(super) fn start_move(sqs: &Sqs, request: &Value) -> Answer {
    let source = dead_letters(sqs, request)?;
    let now = sqs.now();
    let target = match text(request, "DestinationArn") {
        "" => None,
        arn => {
            let name = super::name(arn).ok_or_else(no_resource)?;
            Some(sqs.store().queue(name).map_err(|_| no_resource())?.name)
        }
    };
    let count = sqs.store().move_all(&source, target.as_deref(), now)?;
    for name in sqs.store().names()? {
        sqs.wake(&name);
    }
    let mut moves = sqs.moves();
    if moves.len() >= MAX_MOVES {
        moves.pop_front();
    }
    moves.push_back(Move { source, target, count, at: now });
    Ok(json!({"TaskHandle": uuid::Uuid::new_v4()}))
}

pub(super) fn moves(sqs: &Sqs, request: &Value) -> Answer {
    let source = dead_letters(sqs, request)?;
    let most = count(request, "MaxResults", 10)?.unwrap_or(1);
    let shown = |done: &Move| {
        let mut shown = json!({
            "Status": "COMPLETED",
            "SourceArn": super::arn(&done.source),
            "ApproximateNumberOfMessagesMoved": done.count,
            "ApproximateNumberOfMessagesToMove": done.count,
            "StartedTimestamp": done.at,
        });
        if let (Some(shown), Some(target)) = (shown.as_object_mut(), &done.target) {
            shown.insert("DestinationArn".to_owned(), super::arn(target).into());
        }
        shown
    };
    let moves = sqs.moves();
    let of_source = moves.iter().rev().filter(|done| done.source == source);
    let results: Vec<Value> = of_source.take(most).map(shown).collect();
    Ok(json!({ "Results": results }))
}

/// The queue that a redrive takes messages from.
fn dead_letters(sqs: &Sqs, request: &Value) -> Result<String, Refusal> {
    let name = super::name(text(request, "SourceArn")).ok_or_else(no_resource)?;
    Ok(sqs.store().queue(name).map_err(|_| no_resource())?.name)
}

fn no_resource() -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        "ResourceNotFoundException",
        "The resource that you specified for the ARN does not exist.",
    )
}

/// The `QueueName` of a request.
fn named(request: &Value) -> Result<&str, Refusal> {
    let name = text(request, "QueueName");
    check_name(name)?;
    Ok(name)
}

/// Checks the name of a standard queue.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::missing("QueueName"));
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.len() <= 80 && name.chars().all(letter) {
        return Ok(());
    }
    Err(Refusal::parameter(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ))
}

fn address(host: &str, name: &str) -> String {
    format!("http://{host}{}", super::path(name))
}

fn seconds(millis: i64) -> String {
    millis.checked_div(1000).unwrap_or_default().to_string()
}
