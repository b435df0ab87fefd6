//! A queue whose messages are sent in batches: those that are sent at about the same time share one request.
//! When a receiver is down, a whole batch of attempts fails within moments.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use super::{Outgoing, Queue};
use crate::error::{Error, Kind};

/// How long a message waits for others to share its request.
const LINGER: Duration = Duration::from_millis(10);
/// How many messages a request has: the limit of SQS's `SendMessageBatch`.
const MAX_MESSAGES: usize = 10;

type Waiting<T> = Vec<(T, i32, String, oneshot::Sender<Option<Kind>>)>;

/// A queue whose messages share requests.
pub struct BatchingQueue<T> {
    queue: Queue,
    waiting: Arc<Mutex<Waiting<T>>>,
}

impl<T: Clone + Serialize + Send + Sync + 'static> BatchingQueue<T> {
    /// Sends to `queue`.
    #[must_use]
    pub fn new(queue: Queue) -> Self {
        Self { queue, waiting: Arc::default() }
    }

    /// Sends one message, in one request with others. Returns when it was sent.
    ///
    /// # Errors
    /// `Unavailable` if SQS did not accept it; `Refused` if it never will.
    pub async fn send(&self, message: Outgoing<'_, T>) -> Result<(), Error> {
        let (done, sent) = oneshot::channel();
        let count = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((message.body.clone(), message.delay_seconds, message.group, done));
            waiting.len()
        };
        // The first message has all sent after a while; the one that fills the request has them sent now.
        if count == 1 || count >= MAX_MESSAGES {
            let (queue, waiting) = (self.queue.clone(), Arc::clone(&self.waiting));
            let linger = if count == 1 { LINGER } else { Duration::ZERO };
            tokio::spawn(async move {
                tokio::time::sleep(linger).await;
                let batch = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
                send_all(&queue, batch).await;
            });
        }
        match sent.await {
            Ok(None) => Ok(()),
            Ok(Some(Kind::Refused)) => Err(Error::refused("SQS refuses a message")),
            Ok(Some(_)) | Err(_) => Err(Error::unavailable("SQS did not take a message")),
        }
    }
}

async fn send_all<T: Serialize>(queue: &Queue, batch: Waiting<T>) {
    let outgoing = batch.iter().map(|(body, delay_seconds, group, _)| Outgoing {
        body,
        group: group.clone(),
        delay_seconds: *delay_seconds,
    });
    let unsent = queue.send_all(outgoing.collect()).await;
    for (number, (.., done)) in batch.into_iter().enumerate() {
        let reason = match &unsent {
            Ok(unsent) => unsent.get(&number).copied(),
            Err(error) => Some(error.kind),
        };
        // If the invocation was cut off, nobody waits for the answer any more.
        let _ = done.send(reason);
    }
}
