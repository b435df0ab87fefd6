//! A write-behind buffer: values are merged per key in memory, and written at most once per interval.
//!
//! Lambda freezes an environment between two events. So the values that are due are written at the end of
//! each event ([`WriteBehind::flush_due`]), and the rest when it is due, or before the process ends
//! ([`WriteBehind::flush_all`]). A process that is killed loses what it had not written.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::Error;
use crate::log_error;

/// How many keys are kept in memory.
const MAX_KEYS: usize = 10_000;
/// How many values [`WriteBehind::flush_all`] writes concurrently.
const MAX_CONCURRENT: usize = 32;

/// A value that can be merged with a later one of the same key.
pub trait Merge: Clone + Send + Sync {
    /// Merges a later value into this one.
    fn merge(&mut self, later: Self);

    /// Whether it must be written without waiting for the interval, given the value that was written last.
    fn is_urgent(&self, _written: Option<&Self>) -> bool {
        false
    }
}

/// Where merged values are written.
pub trait Sink<K, V>: Send + Sync {
    /// Writes the merged value of a key.
    ///
    /// # Errors
    /// Any error: the value stays in the buffer, and is written later.
    fn write(&self, key: &K, value: &V) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A buffer that writes each key's merged value to a [`Sink`], at most once per interval. Clones share it.
pub struct WriteBehind<K, V, S>(Arc<Inner<K, V, S>>);

impl<K, V, S> Clone for WriteBehind<K, V, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<K, V, S> {
    sink: S,
    clock: Arc<dyn Clock>,
    interval: Duration,
    buffer: Mutex<Buffer<K, V>>,
}

struct Buffer<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// The keys that [`WriteBehind::flush_due`] has to look at.
    listed: Vec<K>,
}

struct Entry<V> {
    unwritten: Option<V>,
    written: Option<V>,
    tried_at: Option<DateTime<Utc>>,
    /// Whether its key is listed, or a task waits for its time.
    is_awaited: bool,
}

impl<V: Merge> Entry<V> {
    const fn new() -> Self {
        Self { unwritten: None, written: None, tried_at: None, is_awaited: false }
    }

    /// Adds a value. Returns whether its key has to be listed.
    fn add(&mut self, value: V) -> bool {
        match &mut self.unwritten {
            Some(unwritten) => unwritten.merge(value),
            None => self.unwritten = Some(value),
        }
        !std::mem::replace(&mut self.is_awaited, true) || self.is_urgent()
    }

    fn is_urgent(&self) -> bool {
        self.unwritten.as_ref().is_some_and(|unwritten| unwritten.is_urgent(self.written.as_ref()))
    }

    /// When it is due. `None`: now.
    fn due(&self, interval: Duration) -> Option<DateTime<Utc>> {
        if self.is_urgent() { None } else { self.tried_at?.checked_add_signed(interval) }
    }
}

impl<K: Clone + Eq + Hash, V: Merge> Buffer<K, V> {
    fn add(&mut self, key: K, value: V) {
        if self.entries.len() >= MAX_KEYS {
            self.entries.retain(|_, entry| entry.unwritten.is_some());
        }
        if self.entries.entry(key.clone()).or_insert_with(Entry::new).add(value) {
            self.listed.push(key);
        }
    }

    /// Takes the listed keys, each with the time for which it has to wait, if any.
    fn take_listed(&mut self, now: DateTime<Utc>, interval: Duration) -> Vec<(K, Option<DateTime<Utc>>)> {
        let due = |key: &K| self.entries.get(key).and_then(|entry| entry.due(interval));
        let listed = std::mem::take(&mut self.listed).into_iter();
        listed.map(|key| (due(&key).filter(|due| *due > now), key)).map(|(due, key)| (key, due)).collect()
    }

    fn take(&mut self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        entry.is_awaited = false;
        let value = entry.unwritten.take()?;
        entry.tried_at = Some(now);
        Some(value)
    }

    /// Puts a value back that could not be written, before those that were added since.
    fn put_back(&mut self, key: &K, value: V) {
        let later = self.entries.get_mut(key).and_then(|entry| entry.unwritten.take());
        self.add(key.clone(), value);
        if let Some(later) = later {
            self.add(key.clone(), later);
        }
    }
}

impl<K, V, S> WriteBehind<K, V, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Merge + 'static,
    S: Sink<K, V> + 'static,
{
    /// An empty buffer that writes to `sink`.
    #[must_use]
    pub fn new(sink: S, clock: Arc<dyn Clock>, interval: Duration) -> Self {
        let buffer = Mutex::new(Buffer { entries: HashMap::new(), listed: Vec::new() });
        Self(Arc::new(Inner { sink, clock, interval, buffer }))
    }

    /// Adds a value to those of its key.
    pub async fn add(&self, key: K, value: V) {
        self.0.buffer.lock().await.add(key, value);
    }

    /// Writes the values that are due. Starts a task for each of the others, which writes it when it is due,
    /// if the process lives then.
    pub async fn flush_due(&self) {
        let listed = self.0.buffer.lock().await.take_listed(self.0.clock.now(), self.0.interval);
        let mut due = Vec::new();
        for (key, at) in listed {
            match at {
                None => due.push(key),
                Some(at) => {
                    let buffer = self.clone();
                    tokio::spawn(async move {
                        buffer.0.clock.sleep_until(at).await;
                        buffer.write(&key).await;
                    });
                }
            }
        }
        join_all(due.iter().map(|key| self.write(key))).await;
    }

    /// Writes all values.
    pub async fn flush_all(&self) {
        let buffer = self.0.buffer.lock().await;
        let unwritten = buffer.entries.iter().filter(|(_, entry)| entry.unwritten.is_some());
        let keys: Vec<K> = unwritten.map(|(key, _)| key.clone()).collect();
        drop(buffer);
        let writes = stream::iter(keys);
        writes.for_each_concurrent(MAX_CONCURRENT, |key| async move { self.write(&key).await }).await;
    }

    async fn write(&self, key: &K) {
        let Some(value) = self.0.buffer.lock().await.take(key, self.0.clock.now()) else { return };
        let written = self.0.sink.write(key, &value).await;
        let mut buffer = self.0.buffer.lock().await;
        match written {
            Ok(()) => {
                if let Some(entry) = buffer.entries.get_mut(key) {
                    entry.written = Some(value);
                }
            }
            Err(error) => {
                log_error!(WARN, error, "buffered values were not written");
                buffer.put_back(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use tokio::sync::watch;

    use super::*;
    use crate::clock::Sleep;

    /// A clock that is set by hand, in seconds.
    struct Held(watch::Sender<i64>);

    impl Clock for Held {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp(*self.0.borrow(), 0).unwrap()
        }

        fn sleep_until(&self, moment: DateTime<Utc>) -> Sleep<'_> {
            let mut time = self.0.subscribe();
            Box::pin(async move {
                time.wait_for(|now| *now >= moment.timestamp()).await.unwrap();
            })
        }
    }

    /// Numbers that are added up. One over a hundred is urgent after one that was not.
    impl Merge for u32 {
        fn merge(&mut self, later: Self) {
            *self = self.saturating_add(later);
        }

        fn is_urgent(&self, written: Option<&Self>) -> bool {
            *self > 100 && written.is_some_and(|written| *written <= 100)
        }
    }

    /// Records what is written, unless it is set to fail.
    #[derive(Default)]
    struct RecordingSink(StdMutex<(Vec<(char, u32)>, bool)>);

    impl Sink<char, u32> for Arc<RecordingSink> {
        async fn write(&self, key: &char, value: &u32) -> Result<(), Error> {
            let mut written = self.0.lock().unwrap();
            if written.1 {
                return Err(Error::unavailable("as asked"));
            }
            written.0.push((*key, *value));
            Ok(())
        }
    }

    struct Fixture {
        buffer: WriteBehind<char, u32, Arc<RecordingSink>>,
        sink: Arc<RecordingSink>,
        clock: Arc<Held>,
    }

    impl Fixture {
        fn new() -> Self {
            let (sink, clock) = (Arc::<RecordingSink>::default(), Arc::new(Held(watch::Sender::new(0))));
            let buffer =
                WriteBehind::new(Arc::clone(&sink), Arc::<Held>::clone(&clock), Duration::seconds(60));
            Self { buffer, sink, clock }
        }

        /// One event that adds these values.
        async fn event(&self, values: &[(char, u32)]) {
            for (key, value) in values {
                self.buffer.add(*key, *value).await;
            }
            self.buffer.flush_due().await;
        }

        async fn pass_to(&self, seconds: i64) {
            self.clock.0.send_replace(seconds);
            for _ in 0..9 {
                tokio::task::yield_now().await;
            }
        }

        fn set_failing(&self, fails: bool) {
            self.sink.0.lock().unwrap().1 = fails;
        }

        /// What was written since the last call.
        fn written(&self) -> Vec<(char, u32)> {
            std::mem::take(&mut self.sink.0.lock().unwrap().0)
        }
    }

    #[tokio::test]
    async fn values_are_written_at_the_end_of_an_event_and_later_ones_when_the_interval_is_over() {
        let fixture = Fixture::new();
        fixture.event(&[('a', 1), ('a', 2), ('b', 5)]).await;
        assert_eq!(fixture.written(), [('a', 3), ('b', 5)]);
        fixture.event(&[('a', 4)]).await;
        fixture.event(&[('a', 5)]).await;
        fixture.pass_to(59).await;
        assert_eq!(fixture.written(), []);
        fixture.pass_to(60).await;
        assert_eq!(fixture.written(), [('a', 9)]);
        fixture.pass_to(120).await;
        fixture.event(&[('a', 1)]).await;
        assert_eq!(fixture.written(), [('a', 1)]);
    }

    #[tokio::test]
    async fn an_urgent_value_does_not_wait_for_the_interval() {
        let fixture = Fixture::new();
        fixture.event(&[('a', 1)]).await;
        fixture.event(&[('a', 2)]).await;
        fixture.event(&[('a', 100)]).await;
        assert_eq!(fixture.written(), [('a', 1), ('a', 102)]);
        fixture.event(&[('a', 101)]).await;
        assert_eq!(fixture.written(), [], "an urgent value was written before");
    }

    #[tokio::test]
    async fn a_value_that_could_not_be_written_is_written_later() {
        let fixture = Fixture::new();
        fixture.set_failing(true);
        fixture.event(&[('a', 1)]).await;
        fixture.set_failing(false);
        fixture.event(&[('a', 2)]).await;
        assert_eq!(fixture.written(), []);
        fixture.pass_to(60).await;
        assert_eq!(fixture.written(), [('a', 3)]);
    }

    #[tokio::test]
    async fn flush_all_writes_every_value_once() {
        let fixture = Fixture::new();
        fixture.event(&[('a', 1), ('b', 1)]).await;
        fixture.event(&[('a', 2), ('b', 3)]).await;
        fixture.buffer.add('c', 4).await;
        fixture.written();
        fixture.buffer.flush_all().await;
        let mut written = fixture.written();
        written.sort_unstable();
        assert_eq!(written, [('a', 2), ('b', 3), ('c', 4)]);
        fixture.buffer.flush_all().await;
        fixture.pass_to(60).await;
        assert_eq!(fixture.written(), []);
    }
}
