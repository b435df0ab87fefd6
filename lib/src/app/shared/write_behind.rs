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

/// How many keys are remembered.
const MOST: usize = 10_000;
/// How many notes are written at once.
const ABREAST: usize = 32;

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
    /// Unavailable: it is kept, and written later.
    fn write(&self, key: &K, note: &V) -> impl Future<Output = Result<(), Error>> + Send;
}

/// WriteBehind that are written to a page, those of one key at most once in so long. Clones share them.
pub struct WriteBehind<K, V, P>(Arc<Inner<K, V, P>>);

impl<K, V, P> Clone for WriteBehind<K, V, P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<K, V, P> {
    page: P,
    clock: Arc<dyn Clock>,
    every: Duration,
    book: Mutex<Buffer<K, V>>,
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

    /// Adds a note; whether it is to be listed.
    fn add(&mut self, note: V) -> bool {
        match &mut self.unwritten {
            Some(unwritten) => unwritten.merge(note),
            None => self.unwritten = Some(note),
        }
        !std::mem::replace(&mut self.is_awaited, true) || self.is_urgent()
    }

    fn is_urgent(&self) -> bool {
        self.unwritten.as_ref().is_some_and(|unwritten| unwritten.is_urgent(self.written.as_ref()))
    }

    /// When it may be written; none: now.
    fn due(&self, every: Duration) -> Option<DateTime<Utc>> {
        if self.is_urgent() { None } else { self.tried_at?.checked_add_signed(every) }
    }
}

impl<K: Clone + Eq + Hash, V: Merge> Buffer<K, V> {
    fn add(&mut self, key: K, note: V) {
        if self.entries.len() >= MOST {
            self.entries.retain(|_, entry| entry.unwritten.is_some());
        }
        if self.entries.entry(key.clone()).or_insert_with(Entry::new).add(note) {
            self.listed.push(key);
        }
    }

    /// Takes what is listed: each key with the moment it has to wait for, if any.
    fn turns(&mut self, now: DateTime<Utc>, every: Duration) -> Vec<(K, Option<DateTime<Utc>>)> {
        let due = |key: &K| self.entries.get(key).and_then(|entry| entry.due(every));
        let listed = std::mem::take(&mut self.listed).into_iter();
        listed.map(|key| (due(&key).filter(|due| *due > now), key)).map(|(due, key)| (key, due)).collect()
    }

    fn take(&mut self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        entry.is_awaited = false;
        let note = entry.unwritten.take()?;
        entry.tried_at = Some(now);
        Some(note)
    }

    /// Takes a note that was not written back, ahead of what was noted since.
    fn take_back(&mut self, key: &K, note: V) {
        let later = self.entries.get_mut(key).and_then(|entry| entry.unwritten.take());
        self.add(key.clone(), note);
        if let Some(later) = later {
            self.add(key.clone(), later);
        }
    }
}

impl<K, V, P> WriteBehind<K, V, P>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Merge + 'static,
    P: Sink<K, V> + 'static,
{
    /// An empty buffer that writes to `sink`.
    #[must_use]
    pub fn new(page: P, clock: Arc<dyn Clock>, every: Duration) -> Self {
        let book = Mutex::new(Buffer { entries: HashMap::new(), listed: Vec::new() });
        Self(Arc::new(Inner { page, clock, every, book }))
    }

    /// WriteBehind something.
    pub async fn add(&self, key: K, note: V) {
        self.0.book.lock().await.add(key, note);
    }

    /// Writes what is due. The rest is written when its time comes, if the process lives then.
    pub async fn write_due(&self) {
        let turns = self.0.book.lock().await.turns(self.0.clock.now(), self.0.every);
        let mut due = Vec::new();
        for (key, at) in turns {
            match at {
                None => due.push(key),
                Some(at) => {
                    let notes = self.clone();
                    tokio::spawn(async move {
                        notes.0.clock.sleep_until(at).await;
                        notes.write(&key).await;
                    });
                }
            }
        }
        join_all(due.iter().map(|key| self.write(key))).await;
    }

    /// Writes everything.
    pub async fn write_all(&self) {
        let book = self.0.book.lock().await;
        let unwritten = book.entries.iter().filter(|(_, entry)| entry.unwritten.is_some());
        let keys: Vec<K> = unwritten.map(|(key, _)| key.clone()).collect();
        drop(book);
        stream::iter(keys).for_each_concurrent(ABREAST, |key| async move { self.write(&key).await }).await;
    }

    async fn write(&self, key: &K) {
        let Some(note) = self.0.book.lock().await.take(key, self.0.clock.now()) else { return };
        let written = self.0.page.write(key, &note).await;
        let mut book = self.0.book.lock().await;
        match written {
            Ok(()) => {
                if let Some(entry) = book.entries.get_mut(key) {
                    entry.written = Some(note);
                }
            }
            Err(error) => {
                log_error!(WARN, error, "what was noted is not written yet");
                book.take_back(key, note);
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
    struct Sheet(StdMutex<(Vec<(char, u32)>, bool)>);

    impl Sink<char, u32> for Arc<Sheet> {
        async fn write(&self, key: &char, note: &u32) -> Result<(), Error> {
            let mut sheet = self.0.lock().unwrap();
            if sheet.1 {
                return Err(Error::unavailable("torn"));
            }
            sheet.0.push((*key, *note));
            Ok(())
        }
    }

    struct Desk {
        notes: WriteBehind<char, u32, Arc<Sheet>>,
        sheet: Arc<Sheet>,
        clock: Arc<Held>,
    }

    impl Desk {
        fn new() -> Self {
            let (sheet, clock) = (Arc::<Sheet>::default(), Arc::new(Held(watch::Sender::new(0))));
            let notes =
                WriteBehind::new(Arc::clone(&sheet), Arc::<Held>::clone(&clock), Duration::seconds(60));
            Self { notes, sheet, clock }
        }

        async fn note(&self, notes: &[(char, u32)]) {
            for (key, note) in notes {
                self.notes.add(*key, *note).await;
            }
            self.notes.write_due().await;
        }

        async fn pass_to(&self, seconds: i64) {
            self.clock.0.send_replace(seconds);
            for _ in 0..9 {
                tokio::task::yield_now().await;
            }
        }

        fn tear(&self, is_torn: bool) {
            self.sheet.0.lock().unwrap().1 = is_torn;
        }

        /// What was written since the last call.
        fn written(&self) -> Vec<(char, u32)> {
            std::mem::take(&mut self.sheet.0.lock().unwrap().0)
        }
    }

    #[tokio::test]
    async fn what_an_event_noted_is_written_as_it_ends_and_what_follows_when_its_time_comes() {
        let desk = Desk::new();
        desk.note(&[('a', 1), ('a', 2), ('b', 5)]).await;
        assert_eq!(desk.written(), [('a', 3), ('b', 5)]);
        desk.note(&[('a', 4)]).await;
        desk.note(&[('a', 5)]).await;
        desk.pass_to(59).await;
        assert_eq!(desk.written(), []);
        desk.pass_to(60).await;
        assert_eq!(desk.written(), [('a', 9)]);
        desk.pass_to(120).await;
        desk.note(&[('a', 1)]).await;
        assert_eq!(desk.written(), [('a', 1)]);
    }

    #[tokio::test]
    async fn what_is_urgent_does_not_wait() {
        let desk = Desk::new();
        desk.note(&[('a', 1)]).await;
        desk.note(&[('a', 2)]).await;
        desk.note(&[('a', 100)]).await;
        assert_eq!(desk.written(), [('a', 1), ('a', 102)]);
        desk.note(&[('a', 101)]).await;
        assert_eq!(desk.written(), [], "it was said before");
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_written_later() {
        let desk = Desk::new();
        desk.tear(true);
        desk.note(&[('a', 1)]).await;
        desk.tear(false);
        desk.note(&[('a', 2)]).await;
        assert_eq!(desk.written(), []);
        desk.pass_to(60).await;
        assert_eq!(desk.written(), [('a', 3)]);
    }

    #[tokio::test]
    async fn before_the_end_everything_is_written_once() {
        let desk = Desk::new();
        desk.note(&[('a', 1), ('b', 1)]).await;
        desk.note(&[('a', 2), ('b', 3)]).await;
        desk.notes.add('c', 4).await;
        desk.written();
        desk.notes.write_all().await;
        let mut written = desk.written();
        written.sort_unstable();
        assert_eq!(written, [('a', 2), ('b', 3), ('c', 4)]);
        desk.notes.write_all().await;
        desk.pass_to(60).await;
        assert_eq!(desk.written(), []);
    }
}
