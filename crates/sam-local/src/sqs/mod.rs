//! SQS on SQLite: messages, delays and receive counts survive a crash, and pollers are woken.
//!
//! Standard queues only, which are fair among `MessageGroupId`s. Not supported: FIFO queues, queue policies
//! (stored, but not enforced), `AddPermission`, and cancelling a redrive, which is completed at once.

mod fair_queue;
mod messages;
mod queues;
mod router;
mod settings;
mod store;
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use chrono::DateTime;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use self::store::{Queue, Received, Sent, Store};
use self::wire::Refusal;
use crate::calls::Calls;
use crate::error::Error;
use crate::time::Time;

/// The most messages of a request.
const BATCH: usize = 10;
/// The longest wait of a request for messages, in milliseconds.
const MAX_POLL_MILLIS: i64 = 20_000;

/// The queues. Clones share them.
#[derive(Clone)]
pub struct Sqs(Arc<Inner>);

struct Inner {
    store: Mutex<Store>,
    /// Wakes the pollers of each queue.
    wakers: Mutex<HashMap<String, Arc<Notify>>>,
    /// How long the poller of each queue has waited without messages and without a counted request, in
    /// milliseconds.
    idle: Mutex<HashMap<String, i64>>,
    moves: Mutex<VecDeque<Move>>,
    time: Time,
    calls: Calls,
}

/// A completed redrive of dead letters.
struct Move {
    source: String,
    target: Option<String>,
    count: usize,
    at: i64,
}

/// What a receiver requests. Times are milliseconds.
struct Poll {
    most: usize,
    wait: i64,
    hidden: i64,
}

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The message's id: the same each time it is received.
    pub message_id: String,
    /// The handle to delete it: a new one each time it is received.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// The MD5 of the body, in hex.
    pub md5_of_body: String,
    /// The system attributes as text: `SentTimestamp`, `ApproximateReceiveCount`, `MessageGroupId`, ….
    pub attributes: Map<String, Value>,
    /// The message attributes by name, each `{"DataType", "StringValue" or "BinaryValue"}`.
    pub message_attributes: Map<String, Value>,
}

/// The ARN of a queue.
#[must_use]
pub fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{}:{name}", wire::ACCOUNT)
}

/// The path of a queue's URL. Only its last segment identifies the queue, so that the port may change.
#[must_use]
pub fn path(name: &str) -> String {
    format!("/{}/{name}", wire::ACCOUNT)
}

/// The name in a queue's ARN.
fn name(arn: &str) -> Option<&str> {
    let name = arn.strip_prefix("arn:aws:sqs:")?.rsplit(':').next()?;
    (!name.is_empty()).then_some(name)
}

impl Sqs {
    /// Opens the queues in a file, which is created if it does not exist, or in memory. Messages that were in
    /// flight when the process ended are visible again; delays go on.
    ///
    /// # Errors
    /// If the file cannot be opened, or another process has it.
    pub fn open(location: Option<&Path>, time: Time, calls: Calls) -> Result<Self, Error> {
        let store = Store::open(location).and_then(|store| {
            store.release(time.now().timestamp_millis())?;
            Ok(store)
        });
        let store = store.map_err(|error| Error::fault("The queues cannot be opened").caused_by(error))?;
        Ok(Self(Arc::new(Inner {
            store: Mutex::new(store),
            wakers: Mutex::default(),
            idle: Mutex::default(),
            moves: Mutex::default(),
            time,
            calls,
        })))
    }

    /// The endpoint, which counts its calls.
    pub fn router(&self) -> Router {
        router::router(self)
    }

    /// Creates a queue, or replaces the attributes of the existing one.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if SQS would reject the name or an attribute; the
    /// dead-letter queue must exist.
    pub fn create_queue(&self, name: &str, attributes: &BTreeMap<String, String>) -> Result<(), Error> {
        let make = || -> Result<(), Refusal> {
            queues::check_name(name)?;
            let given =
                attributes.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
            let now = self.now();
            let store = self.store();
            let accepted = settings::accept(&given, &store)?;
            let mut queue = queues::made(name, accepted, Map::new(), now);
            if let Some(existing) = store.find(name)? {
                queue = Queue { attributes: queue.attributes, modified: now, ..existing };
            }
            Ok(store.save(&queue)?)
        };
        make().map_err(|refusal| Error::from(refusal).about(name))
    }

    /// Receives up to `most` messages, and waits up to `wait`, by the stack's time, for the first of them.
    /// Counts the requests that Lambda's poller would make: one for each ten messages, and one for each 20 s
    /// without messages. Dropping the future loses no message.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if the queue does not exist, or is deleted meanwhile.
    pub async fn receive(&self, queue: &str, most: usize, wait: Duration) -> Result<Vec<Message>, Error> {
        let about = |refusal: Refusal| Error::from(refusal).about(queue);
        let settings = self.store().queue(queue).map_err(about)?;
        let poll = Poll {
            most,
            wait: i64::try_from(wait.as_millis()).unwrap_or(i64::MAX),
            hidden: settings::millis(&settings, settings::VISIBILITY),
        };
        let began = self.now();
        let messages = self.poll(queue, &poll).await.map_err(about)?;
        self.count_polls(queue, messages.len(), self.now().saturating_sub(began));
        Ok(messages)
    }

    /// Deletes received messages by their receipt handles. Counts one request for each ten messages.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if a handle is malformed; then nothing is
    /// deleted.
    pub fn delete(&self, queue: &str, receipts: &[String]) -> Result<(), Error> {
        let about = |refusal: Refusal| Error::from(refusal).about(queue);
        let handles: Vec<(i64, &str)> =
            receipts.iter().map(|text| wire::handle(text)).collect::<Result<_, _>>().map_err(about)?;
        self.store().delete(queue, &handles).map_err(|error| about(error.into()))?;
        self.0.calls.add("sqs", "DeleteMessageBatch", receipts.len().div_ceil(BATCH));
        Ok(())
    }

    /// Sends a message, as a service of AWS.
    ///
    /// # Errors
    /// If SQS would reject it.
    pub fn send(&self, queue: &str, body: &str) -> Result<(), Error> {
        let request = json!({"QueueUrl": path(queue), "MessageBody": body});
        messages::send(self, &request).map(|_| ()).map_err(|refusal| Error::from(refusal).about(queue))
    }

    async fn poll(&self, queue: &str, poll: &Poll) -> Result<Vec<Message>, Refusal> {
        let waker = self.waker(queue);
        let deadline = self.now().saturating_add(poll.wait);
        loop {
            // Registered before the look, so that no message is missed between looking and waiting.
            let woken = waker.notified();
            let now = self.now();
            let messages = self.take(queue, now, poll)?;
            if !messages.is_empty() || now >= deadline {
                return Ok(messages);
            }
            let due = self.store().next_due(queue, now)?;
            let until = due.map_or(deadline, |due| due.min(deadline));
            tokio::select! {
                () = woken => {}
                () = self.sleep_until(until) => {}
            }
        }
    }

    /// Receives the messages that are visible now.
    fn take(&self, queue: &str, now: i64, poll: &Poll) -> Result<Vec<Message>, Refusal> {
        let mut store = self.store();
        let settings = store.queue(queue)?;
        store.expire(queue, now, settings::millis(&settings, settings::RETENTION))?;
        let redrive = settings::redrive(&settings, &store);
        let visible_again = now.saturating_add(poll.hidden);
        let (received, moved) = store.receive(queue, now, visible_again, poll.most, redrive.as_ref())?;
        drop(store);
        if let Some(redrive) = redrive.filter(|_| moved) {
            self.wake(&redrive.queue);
        }
        Ok(received.into_iter().map(Message::from).collect())
    }

    fn enqueue(&self, queue: &str, messages: &[Sent]) -> Result<(), Refusal> {
        if !messages.is_empty() {
            self.store().send(queue, self.now(), messages)?;
            self.wake(queue);
        }
        Ok(())
    }

    fn count_polls(&self, queue: &str, received: usize, waited: i64) {
        let in_vain = if received == 0 {
            let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = idle.entry(queue.to_owned()).or_default();
            let total = idle.saturating_add(waited);
            *idle = total.rem_euclid(MAX_POLL_MILLIS);
            total
        } else {
            waited
        };
        let in_vain = usize::try_from(in_vain.div_euclid(MAX_POLL_MILLIS)).unwrap_or_default();
        self.0.calls.add("sqs", "ReceiveMessage", received.div_ceil(BATCH).saturating_add(in_vain));
    }

    /// The queue of a request's `QueueUrl`.
    fn queue_of(&self, request: &Value) -> Result<Queue, Refusal> {
        self.store().queue(wire::queue_name(request)?)
    }

    /// Wakes a queue's pollers.
    fn wake(&self, queue: &str) {
        self.waker(queue).notify_waiters();
    }

    fn waker(&self, queue: &str) -> Arc<Notify> {
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wakers.entry(queue.to_owned()).or_default())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moves(&self) -> MutexGuard<'_, VecDeque<Move>> {
        self.0.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current time, in milliseconds since 1970.
    fn now(&self) -> i64 {
        self.0.time.now().timestamp_millis()
    }

    async fn sleep_until(&self, millis: i64) {
        let moment = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
        self.0.time.sleep_until(moment).await;
    }
}

impl From<Received> for Message {
    fn from(received: Received) -> Self {
        let mut attributes = received.system;
        let first = received.first.unwrap_or(received.sent);
        let known = [
            ("SenderId", wire::ACCOUNT.to_owned()),
            ("SentTimestamp", received.sent.to_string()),
            ("ApproximateReceiveCount", received.receives.to_string()),
            ("ApproximateFirstReceiveTimestamp", first.to_string()),
        ];
        attributes.extend(known.map(|(name, value)| (name.to_owned(), Value::from(value))));
        Self {
            message_id: received.message_id,
            receipt_handle: format!("{}.{}", received.id, received.receipt),
            md5_of_body: wire::md5(received.body.as_bytes()),
            body: received.body,
            attributes,
            message_attributes: received.attributes,
        }
    }
}

#[cfg(test)]
mod tests;
