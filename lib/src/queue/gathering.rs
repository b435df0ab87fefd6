//! Messages that are sent at about the same time go in one request: a receiver that is down fails a whole
//! batch of attempts within moments.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use super::{Outgoing, Queue};
use crate::error::{Error, Kind};

/// How long a message waits for others.
const LINGER: Duration = Duration::from_millis(10);
/// How many go in one request.
const MAX_MESSAGES: usize = 10;

type Waiting<T> = Vec<(T, i32, String, oneshot::Sender<Option<Kind>>)>;

/// A queue to which messages are sent together.
pub struct Gathering<T> {
    queue: Queue,
    waiting: Arc<Mutex<Waiting<T>>>,
}

impl<T: Clone + Serialize + Send + Sync + 'static> Gathering<T> {
    /// Gathers messages for a queue.
    #[must_use]
    pub fn new(queue: Queue) -> Self {
        Self { queue, waiting: Arc::default() }
    }

    /// Sends one message, together with others; returns when it has gone.
    ///
    /// # Errors
    /// Unavailable when SQS did not take it; refused when it never takes it.
    pub async fn send(&self, message: Outgoing<'_, T>) -> Result<(), Error> {
        let (done, sent) = oneshot::channel();
        let count = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((message.body.clone(), message.delay_seconds, message.group, done));
            waiting.len()
        };
        // The first sees to it that all go; the last of a full request, that they go now.
        if count == 1 || count >= MAX_MESSAGES {
            let (queue, waiting) = (self.queue.clone(), Arc::clone(&self.waiting));
            let linger = if count == 1 { LINGER } else { Duration::ZERO };
            tokio::spawn(async move {
                tokio::time::sleep(linger).await;
                let gathered = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
                send_all(&queue, gathered).await;
            });
        }
        match sent.await {
            Ok(None) => Ok(()),
            Ok(Some(Kind::Refused)) => Err(Error::refused("SQS refuses a message")),
            Ok(Some(_)) | Err(_) => Err(Error::unavailable("SQS did not take a message")),
        }
    }
}

async fn send_all<T: Serialize>(queue: &Queue, gathered: Waiting<T>) {
    let outgoing = gathered.iter().map(|(body, delay_seconds, group, _)| Outgoing {
        body,
        group: group.clone(),
        delay_seconds: *delay_seconds,
    });
    let unsent = queue.send_all(outgoing.collect()).await;
    for (number, (.., done)) in gathered.into_iter().enumerate() {
        let reason = match &unsent {
            Ok(unsent) => unsent.get(&number).copied(),
            Err(error) => Some(error.kind),
        };
        // Nobody waits any more where the invocation was cut off.
        let _ = done.send(reason);
    }
}
